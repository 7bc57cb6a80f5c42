"""template: files of a new project, with variables in them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, Final

from registry.artifacts import globs, templating
from registry.artifacts.common_schema import text, texts
from registry.artifacts.formats import archive
from registry.artifacts.layers import README_RULE
from registry.artifacts.model import Kind, Layer, LayerRule, Submission, Wanted
from registry.artifacts.types import examples
from registry.artifacts.types.plugin import RESOLVED, pinned
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

LAYER: Final = "application/vnd.gati.template.layer.v1.tar+gzip"
FILES: Final = 10_000
_WHEN: Final = text(
    "Only when this holds: name, !name, name == value or name != value.",
    templating.LONGEST_PATTERN,
    examples=["useDatabase", "!useDatabase", "database == postgres"],
)
_VALUE: Final = {"type": ["string", "number", "boolean"], "maxLength": templating.LONGEST_VALUE}
_VARIABLE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "description": "What is asked for; {{ name }} in files and in their names becomes its value.",
    "examples": [{"name": "projectName", "required": True, "pattern": "[a-z][a-z0-9-]*"}],
    "properties": {
        "name": text("Letters, digits and _.", 64, pattern=f"^{templating.NAME}$", examples=["projectName"]),
        "description": text("What is asked.", 2000),
        "type": {"enum": ["string", "boolean"], "description": "string, unless it is boolean."},
        "required": {"type": "boolean", "description": "Whether it must have a value."},
        "options": {"type": "array", "minItems": 1, "maxItems": 200, "items": _VALUE, "description": "What it may be."},
        "default": {"type": ["string", "number", "boolean", "null"], "description": "What it is unless it is given."},
        "pattern": text(
            "A regular expression for the whole value, without looking around or back.",
            templating.LONGEST_PATTERN,
            examples=["[a-z][a-z0-9-]*"],
        ),
        "secret": {"type": "boolean", "description": "Whether it is not shown while it is typed."},
        "when": _WHEN | {"description": f"It is asked for {_WHEN['description'].lower()}"},
    },
}
_CONDITION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["files", "when"],
    "description": "Files that are made only when something holds.",
    "examples": [{"files": "src/db/**", "when": "useDatabase"}],
    "properties": {"files": text("A pattern of paths.", globs.LONGEST, examples=["src/db/**"]), "when": _WHEN},
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["templateType"],
    "properties": {
        "templateType": {
            "enum": ["app", "module", "plugin", "infrastructure"],
            "description": "What is made with it.",
        },
        "framework": text("The framework that it is for.", 100, examples=["gati"]),
        "language": text("The language that it is written in.", 40, examples=["typescript"]),
        "includesModules": texts("References of modules that it uses.", 1000, examples=[["@gati-official/database"]]),
        "variables": {"type": "array", "maxItems": 200, "items": _VARIABLE, "description": "At most 200 variables."},
        "conditions": {"type": "array", "maxItems": 200, "items": _CONDITION, "description": "Files with conditions."},
        "setup": text("What to do next, in Markdown.", 100_000, examples=["Run `npm install`, then `npm start`."]),
        "resolved": RESOLVED,
    },
}


def _wants(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    named = config["config"].get("includesModules", [])
    wants = pinned(config, named, "/config/includesModules", "template-module", type="module")
    return tuple(replace(one, must_pin=False) for one in wants)


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    _check_globs(enumerate(submission.config["files"]), "/files")
    _check_variables(inner.get("variables", []))
    conditions = inner.get("conditions", [])
    names = {variable["name"] for variable in inner.get("variables", [])}
    for index, one in enumerate(conditions):
        place = f"/config/conditions/{index}"
        _check_globs([("files", one["files"])], place)
        _check_when(one["when"], names, place)


def _check_globs(given: Iterable[tuple[str | int, str]], base: str) -> None:
    for at, glob in given:
        why = globs.fault(glob)
        if why is not None:
            raise MalformedManifest(
                f"The pattern {glob[:200]!r} {why}.",
                pointer=base + pointer(at),
                value=glob,
                suggestion="Write a pattern inside of the template, such as src/** or package.json.",
            )


def _check_variables(variables: list[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        place = f"/config/variables/{index}"
        if variable["name"] in seen:
            _refuse(f"{place}/name", variable["name"], "Two variables have one name.", "Name each once.")
        if "when" in variable:
            _check_when(variable["when"], seen, place)
        if "pattern" in variable and not templating.is_pattern(variable["pattern"]):
            _refuse(
                f"{place}/pattern",
                variable["pattern"],
                "The pattern is no regular expression that matches in linear time, or it is too large.",
                "Leave out look-around, back references and large counts.",
            )
        _check_choices(variable, place)
        seen.add(variable["name"])


def _check_choices(variable: Mapping[str, Any], place: str) -> None:
    """Default and options are values that it may have."""
    bare = {key: value for key, value in variable.items() if key not in {"options", "when", "required"}}
    chosen = [(f"{place}/options/{index}", bare, one) for index, one in enumerate(variable.get("options", []))]
    if variable.get("default") is not None:
        chosen.append(
            (f"{place}/default", {key: one for key, one in variable.items() if key != "when"}, variable["default"])
        )
    for at, rules, value in chosen:
        why = templating.value_fault(rules, templating.written(value))
        if why is not None:
            _refuse(at, value, f"The value {str(value)[:100]!r} {why}.", "Correct it, or the pattern or the options.")


def _check_when(when: str, names: Iterable[str], place: str) -> None:
    known, name = sorted(names), templating.condition_name(when)
    if name not in known:
        what = "is no condition" if name is None else "asks for a variable that is not declared before it"
        _refuse(
            f"{place}/when",
            when,
            f"The condition {when[:100]!r} {what}.",
            f"Write name, !name, name == value or name != value; declared: {', '.join(known)[:300] or 'none'}.",
        )


def _refuse(place: str, value: object, message: str, suggestion: str) -> None:
    raise MalformedManifest(message, pointer=place, value=value, suggestion=suggestion)


def _check_archive(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    """Every pattern means a file, every file is meant by one."""
    found = [
        entry.path
        for entry in archive.check(layer, file, archive.Limits(entries=FILES)).values()
        if not entry.is_directory
    ]
    patterns = submission.config["files"]
    idle, strays = globs.unmatched(patterns, found)
    if idle:
        at = pointer("files", patterns.index(idle[0]))
        near = ", ".join(sorted(found)[:5])
        _refuse(at, idle[0], f"The pattern {idle[0][:200]!r} means no file of the layer.", f"It holds {near[:400]}.")
    if strays:
        raise MalformedManifest(
            f"The layer holds {strays[0][:200]!r}, which no pattern of files means.",
            pointer="/files",
            value=strays[0],
            path=strays[0],
            suggestion="Add a pattern for it, or leave it out of the layer.",
        )
    for index, one in enumerate(submission.config["config"].get("conditions", [])):
        if not any(globs.matches(one["files"], path) for path in found):
            at = f"/config/conditions/{index}/files"
            _refuse(at, one["files"], "The condition is for no file of the layer.", "Correct it, or leave it out.")


_EXAMPLE: Final = examples.archive(
    {
        "README.md": b"# {{ projectName }}\n",
        "src/{{ projectName }}.js": b'export const name = "{{ projectName }}";\n',
        "src/db/index.js": b"export const tables = [];\n",
    }
)

KIND: Final = Kind(
    name="template",
    artifact_type="application/vnd.gati.template.v1",
    config_type="application/vnd.gati.template.config.v1+json",
    layers=(LayerRule(LAYER, "files", 1, 1, whole=_check_archive), README_RULE),
    schema=_SCHEMA,
    top={"required": ["files"]},
    summary="The files of a new project, with variables in them and in their names.",
    example={
        "name": "starter",
        "version": "1.0.0",
        "description": "A small application.",
        "files": ["README.md", "src/**"],
        "config": {
            "templateType": "app",
            "language": "javascript",
            "variables": [
                {"name": "projectName", "description": "Its name", "required": True, "pattern": "[a-z][a-z0-9-]*"},
                {"name": "useDatabase", "description": "With a database?", "default": False},
            ],
            "conditions": [{"files": "src/db/**", "when": "useDatabase"}],
            "setup": "Run `npm install`, then `npm start`.",
        },
    },
    example_layers=(("starter-1.0.0.tgz", LAYER, _EXAMPLE),),
    check=_check,
    refused=(
        "A pattern of `files` leads out of the template or means no file; a file of the layer is meant by none.",
        (
            "Two variables have one name; a default or an option is not what the variable may be; a pattern does "
            "not match in linear time."
        ),
        "A condition asks for a variable that is not declared before it, or is for no file.",
    ),
    wants=_wants,
)
