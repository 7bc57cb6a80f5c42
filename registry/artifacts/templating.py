r"""Templates: how `{{ name }}` becomes a value, which values may be given, which files are left out. Pure.

A reference is `{{ name }}`, with spaces or tabs inside or without, in files and in paths. It is replaced when a
variable of that name is declared, once: what a value holds is never read again. `\{{ name }}` stays, without its
backslash. Everything else stays as it is, and so do files that are not UTF-8 or hold a NUL.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import jsonschema_rs

from registry.artifacts import globs
from registry.artifacts.formats import paths
from registry.core.errors import Unprocessable

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
LONGEST_PATTERN: Final = 256
LONGEST_VALUE: Final = 10_000
_REFERENCE: Final = re.compile(rf"(\\?)\{{\{{[ \t]{{0,32}}({NAME})[ \t]{{0,32}}\}}\}}")
_WHEN: Final = re.compile(
    rf"(?P<no>!?)(?P<name>{NAME})|(?P<left>{NAME}) *(?P<sign>[!=]=) *(?P<right>[^\s](?:.*[^\s])?)"
)
_WORDS: Final = {"true": "true", "yes": "true", "y": "true", "1": "true", "on": "true"} | {
    "false": "false", "no": "false", "n": "false", "0": "false", "off": "false",
}  # fmt: skip
_REGEX_BYTES: Final = 1 << 20


def expand(text: str, values: Mapping[str, str]) -> str:
    """`text` with every reference to one of `values` replaced, once."""

    def replaced(match: re.Match[str]) -> str:
        backslash, name = match.groups()
        if name not in values:
            return match[0]
        return match[0][1:] if backslash else values[name]

    return _REFERENCE.sub(replaced, text)


def expand_bytes(data: bytes, values: Mapping[str, str]) -> bytes:
    """The same for the bytes of a file; one that is not text is left as it is."""
    if not is_text(data):
        return data
    return expand(data.decode(), values).encode()


def is_text(data: bytes) -> bool:
    """Whether these bytes are UTF-8 without NUL."""
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def expand_path(path: str, values: Mapping[str, str]) -> str:
    """The same for the path of a file; a value never leads into another folder.

    Raises:
        Unprocessable: a value would add a folder, or make a name that is not safe.
    """
    parts = [expand(part, values) for part in path.split("/")]
    found = "/".join(parts)
    why = "gets a / from a value" if any("/" in part for part in parts) else paths.fault(found)
    if why is not None:
        raise Unprocessable(
            f"The name {path[:200]!r} of the template {why}. Give values that are names of files there: without "
            "/ and \\, and not . or ..",
            detail={"path": path, "variables": sorted(references(path) & values.keys())},
        )
    return found


def expand_paths(given: Iterable[str], values: Mapping[str, str]) -> dict[str, str]:
    """What becomes of each path.

    Raises:
        Unprocessable: one is not safe, or two become the same on a system that ignores case.
    """
    found: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path in given:
        found[path] = expand_path(path, values)
        other = seen.setdefault(paths.folded(found[path]), path)
        if other != path:
            raise Unprocessable(
                f"{other[:200]!r} and {path[:200]!r} of the template both become {found[path][:200]!r}. Give other "
                "values for the variables in their names.",
                detail={"path": found[path]},
            )
    return found


def references(text: str) -> set[str]:
    """The names that `text` refers to, without those that are escaped."""
    return {match[2] for match in _REFERENCE.finditer(text) if not match[1]}


def kept(given: Iterable[str], conditions: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> list[str]:
    """The files that are made: those that no condition with an unmet `when` means."""
    out = [one["files"] for one in conditions if not holds(one["when"], values)]
    return [path for path in given if not any(globs.matches(glob, path) for glob in out)]


def condition_name(when: str) -> str | None:
    """The variable that a condition asks for; None: it is no condition."""
    match = _WHEN.fullmatch(when) if len(when) <= LONGEST_PATTERN else None
    return None if match is None else match["name"] or match["left"]


def holds(when: str, values: Mapping[str, str]) -> bool:
    """Whether a condition holds: `name` (neither empty nor false), `!name`, `name == value`, `name != value`."""
    match = _WHEN.fullmatch(when)
    if match is None:
        return False
    if match["name"] is not None:
        is_set = values.get(match["name"], "") not in {"", "false"}
        return is_set is not bool(match["no"])
    is_same = values.get(match["left"], "") == match["right"].strip("'\"")
    return is_same is (match["sign"] == "==")


def is_boolean(variable: Mapping[str, Any]) -> bool:
    """Whether a variable is true or false: so its type says, or its default."""
    return variable.get("type") == "boolean" or isinstance(variable.get("default"), bool)


def wants_asking(variable: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    """Whether a variable is to be asked for, by its `when` and the values of those before it."""
    return "when" not in variable or holds(variable["when"], values)


def check_values(variables: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, str]:
    """The value of every variable, as text: what was given, else its default, else nothing.

    Raises:
        Unprocessable: a required one is missing, one breaks its options or pattern, or none of that name is declared.
    """
    names = [variable["name"] for variable in variables]
    unknown = [name for name in given if name not in names]
    if unknown:
        hint = f"Its variables are {', '.join(names)}." if names else "It has no variables."
        raise _refusal(unknown[0], f"The template has no variable {unknown[0][:64]!r}. {hint}")
    values: dict[str, str] = {}
    for variable in variables:
        values[variable["name"]] = check_value(variable, given.get(variable["name"]), values)
    return values


def check_value(variable: Mapping[str, Any], given: Any, before: Mapping[str, str]) -> str:
    """The value of one variable; `before`: those of the variables before it.

    Raises:
        Unprocessable: it is required and missing, or breaks its options or pattern.
    """
    value = variable.get("default") if given is None else given
    if value is None or (given is None and not wants_asking(variable, before)):
        if variable.get("required") and wants_asking(variable, before):
            raise _refusal(variable["name"], f"The variable {variable['name']} needs a value. {_hint(variable)}")
        return written(value)
    text = written(value)
    if is_boolean(variable):
        text = _WORDS.get(text.strip().lower(), text)
    why = value_fault(variable, text)
    if why is not None:
        shown = "" if variable.get("secret") else f" {text[:100]!r}"
        raise _refusal(variable["name"], f"The value{shown} of {variable['name']} {why}. {_hint(variable)}")
    return text


def value_fault(variable: Mapping[str, Any], text: str) -> str | None:
    """Why a variable cannot have this value, as the end of a sentence; None: it can."""
    if len(text) > LONGEST_VALUE or "\0" in text or (not text.isprintable() and _is_odd(text)):
        return f"is longer than {LONGEST_VALUE} characters, or holds some that are no text"
    if not text and variable.get("required"):
        return "is empty"
    if is_boolean(variable) and text not in {"true", "false"}:
        return "is neither true nor false"
    if variable.get("options") and text not in map(written, variable["options"]):
        return "is none of its options"
    pattern = variable.get("pattern")
    if pattern is not None and not matches(pattern, text):
        return "has not the form that it must have"
    return None


def is_pattern(pattern: str) -> bool:
    """Whether this is a regular expression that matches in linear time: without looking around or back."""
    return _compiled(pattern) is not None


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` is of a pattern, in time that grows with its length only."""
    validator = _compiled(pattern)
    return validator is not None and validator.is_valid(text)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    if len(pattern) > LONGEST_PATTERN:
        return None
    try:
        # Alone first: `)|(` is no expression, but would be one between the parentheses.
        _pattern(pattern)
        return _pattern(f"^(?:{pattern})$")
    except ValueError:
        return None


def _pattern(expression: str) -> jsonschema_rs.Draft202012Validator:
    options = jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES)
    return jsonschema_rs.Draft202012Validator({"pattern": expression}, pattern_options=options)


def written(value: Any) -> str:
    """A value as it stands in files: `true`, `false`, a number, a text; nothing for none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _is_odd(text: str) -> bool:
    return any(not character.isprintable() and character not in "\t\n\r" for character in text)


def _hint(variable: Mapping[str, Any]) -> str:
    if variable.get("options"):
        return f"Choose one of: {', '.join(map(written, variable['options']))[:400]}."
    if is_boolean(variable):
        return "Write true or false."
    if "pattern" in variable:
        return f"Its form is {variable['pattern']}."
    return str(variable.get("description", "Give it as name=value."))[:400]


def _refusal(name: str, message: str) -> Unprocessable:
    return Unprocessable(message, detail={"variable": name[:64]})
