"""agent: a recipe, the skills and models that it works with, and what it may reach. Pure."""

from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from registry.artifacts import hostnames, units
from registry.artifacts.common_schema import CAPABILITIES, text, texts
from registry.artifacts.evaluator import normal_path
from registry.artifacts.formats import archive
from registry.artifacts.layers import GTYPES_RULE, README_RULE
from registry.artifacts.model import WASM, Kind, Layer, LayerRule, Submission, Wanted
from registry.artifacts.schemas import validate_part
from registry.artifacts.types import examples, images, node_files, recipes, skill_graph, wasm_files
from registry.artifacts.types.plugin import RESOLVED, pinned
from registry.core import strict_json
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer

RECIPE: Final = "application/vnd.gati.agent.recipe.v1+yaml"
SKILL_GRAPH: Final = "application/vnd.gati.agent.skillgraph.v1+json"
RUNTIME: Final = "application/vnd.gati.agent.runtime.v1.tar+gzip"
_MEMBERS: Final = {"js": "entry", "wasm": "wasmFile", "container": "image"}
_LAYERS: Final = {"js": RUNTIME, "wasm": WASM}

PERMISSIONS: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What it may reach and how much it may take; nothing of what is not written here.",
    "examples": [{"maxMemory": "256MB", "maxCpu": "1cores", "allowedDomains": ["api.example.com"]}],
    "properties": {
        "maxMemory": text("A size.", 40, pattern=f"^(?:{units.SIZE_FORM})$", examples=["256MB"]),
        "maxCpu": text("Processors.", 40, pattern=f"^(?:{units.CPU_FORM})$", examples=["2cores", "500m"]),
        "maxDuration": text("A duration.", 40, pattern=f"^(?:{units.DURATION_FORM})$", examples=["30s"]),
        "allowedDomains": texts("Hosts, or *.host for all below one.", examples=[["api.example.com", "*.github.com"]]),
        "allowedPaths": texts("Folders and files, with all below them.", examples=[["/data"]]),
    },
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["runtime", "recipe", "modelReferences", "skillGraph"],
    "properties": {
        "runtime": {"enum": list(_MEMBERS), "description": "What runs it."},
        "entry": text(
            "The file it starts with, inside of its runtime layer (runtime js).", 1024, examples=["index.js"]
        ),
        "wasmFile": text("The title of the layer with its module (runtime wasm).", 1024, examples=["agent.wasm"]),
        "image": text("Its image (runtime container).", 512, examples=["gati.dev/users/alice/agent@sha256:…"]),
        "recipe": text("The title of the layer with its recipe.", 1024, examples=["recipe.yaml"]),
        "modelReferences": texts("References of the models that it uses.", 200, examples=[["@alice/sentiment@1.0.0"]]),
        "skillGraph": skill_graph.SCHEMA,
        "executionAdapters": texts("Names of adapters that it is run with.", 50, examples=[["gati-runtime"]]),
        "capabilities": CAPABILITIES,
        "resolved": RESOLVED,
    },
}


def _wants(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    named = config["config"]["modelReferences"]
    return pinned(config, named, "/config/modelReferences", "model", type="model")


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    _check_runtime(submission, inner)
    _check_recipe(submission, inner)
    skill_graph.check(inner["skillGraph"], "/config/skillGraph")
    _check_permissions(submission.config.get("permissions", {}))
    stray = min(set(inner.get("resolved", {})) - set(inner["modelReferences"]), default=None)
    if stray is not None:
        _refuse(
            "/config" + pointer("resolved", stray),
            stray,
            "config.resolved pins what modelReferences does not name.",
            "Add it to modelReferences, or leave it out.",
        )


def _check_runtime(submission: Submission, inner: Mapping[str, Any]) -> None:
    """Exactly the member of its runtime, and the layer that it names."""
    runtime, own = inner["runtime"], _MEMBERS[inner["runtime"]]
    for member in _MEMBERS.values():
        if (member in inner) is not (member == own):
            hint = f'Add "{own}".' if member == own else f"Leave it out, or write another runtime than {runtime}."
            what = "lacks" if member == own else "must not have"
            _refuse(f"/config/{member}", inner.get(member), f"An agent in {runtime} {what} config.{member}.", hint)
    for layer in submission.layers:
        if layer.media_type in _LAYERS.values() and layer.media_type != _LAYERS.get(runtime):
            _refuse_layer(layer, f"An agent in {runtime} has no layer of the type {layer.media_type}.")
    if own == "image":
        images.check(inner["image"], "/config/image")
    elif own == "entry":
        node_files.check_path(submission)
    found = [layer for layer in submission.layers if layer.media_type == _LAYERS.get(runtime)]
    if own != "image" and not found:
        _refuse(f"/config/{own}", inner[own], "The agent has no layer to run.", f"Push one of type {_LAYERS[runtime]}.")
    if own == "wasmFile" and inner[own] not in {layer.title for layer in found}:
        _refuse("/config/wasmFile", inner[own], "No layer of WebAssembly has this title.", "Write the title of one.")


def _refuse_layer(layer: Layer, message: str) -> None:
    raise MalformedManifest(
        message,
        pointer=f"{layer.pointer}/mediaType",
        value=layer.media_type,
        document="manifest",
        suggestion="Leave the layer out, or write its runtime.",
    )


def _check_recipe(submission: Submission, inner: Mapping[str, Any]) -> None:
    layer = next(layer for layer in submission.layers if layer.media_type == RECIPE)
    if layer.title != inner["recipe"]:
        _refuse(
            "/config/recipe",
            inner["recipe"],
            "The member config.recipe is not the title of the layer with the recipe.",
            f"Write {layer.title!r}." if layer.title else "Give the layer a title, and write it there.",
        )
    recipe = recipes.read(layer.head, layer.pointer, layer.title)
    steps = recipe.get("steps")
    skills = inner["skillGraph"]["skills"]
    for step in steps if isinstance(steps, list) else ():
        skill = step.get("skill") if isinstance(step, dict) else None
        if isinstance(skill, str) and skill not in skills:
            raise MalformedManifest(
                f"A step of the recipe uses the skill {skill[:100]!r}, which the skill graph has not.",
                pointer=layer.pointer,
                document="layer",
                value=skill,
                path=layer.title,
                suggestion=f"Add it to config.skillGraph.skills, or use one of: {', '.join(skills)[:300]}.",
            )


def _check_recipe_size(_: Submission, layer: Layer) -> None:
    if layer.size > recipes.LONGEST:
        recipes.read(bytes(recipes.LONGEST + 1), layer.pointer, layer.title)


def _check_graph(submission: Submission, layer: Layer) -> None:
    """The layer, where there is one, says the same as the Gati manifest."""
    try:
        graph = strict_json.parse(layer.head) if layer.is_whole else None
    except strict_json.Ambiguous:
        graph = None
    validate_part("skill graph of an agent", skill_graph.SCHEMA, graph, document="layer", base="")
    skill_graph.check(graph or {}, "", document="layer")
    if graph != submission.config["config"]["skillGraph"]:
        raise MalformedManifest(
            "The layer with the skill graph and config.skillGraph are not the same.",
            pointer=layer.pointer,
            document="layer",
            suggestion="Leave the layer out, or write the same in both.",
        )


def _check_permissions(held: Mapping[str, Any]) -> None:
    for index, domain in enumerate(held.get("allowedDomains", ())):
        if hostnames.rule(domain) is None:
            _refuse(
                f"/permissions/allowedDomains/{index}",
                domain,
                f"{domain[:100]!r} is no host and no pattern of hosts.",
                "Write api.example.com, *.example.com for all below it, an IP address, or one of these with :port.",
            )
    for index, path in enumerate(held.get("allowedPaths", ())):
        if normal_path(path) is None or ".." in path.split("/"):
            _refuse(
                f"/permissions/allowedPaths/{index}",
                path,
                f"{path[:100]!r} is no path of a folder or file.",
                "Write /data or data/in, without ..",
            )


def _refuse(place: str, value: object, message: str, suggestion: str) -> None:
    raise MalformedManifest(message, pointer=place, value=value, suggestion=suggestion)


def _check_archive(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    if submission.config["config"]["runtime"] == "js":
        node_files.check_entry(submission, layer, file)
    else:
        archive.check(layer, file)


_EXAMPLE_RECIPE: Final = b"""name: greeter
steps:
  - skill: read
  - skill: greet
"""

KIND: Final = Kind(
    name="agent",
    artifact_type="application/vnd.gati.agent.v1",
    config_type="application/vnd.gati.agent.config.v1+json",
    layers=(
        LayerRule(RECIPE, "recipe", 1, 1, ends=_check_recipe_size),
        LayerRule(SKILL_GRAPH, "skillgraph", most=1, ends=_check_graph),
        LayerRule(WASM, "runtime", most=16, ends=wasm_files.check_ends, whole=wasm_files.check_whole),
        LayerRule(RUNTIME, "runtime", most=1, whole=_check_archive),
        GTYPES_RULE,
        README_RULE,
    ),
    schema=_SCHEMA,
    top={"properties": {"permissions": PERMISSIONS}, "required": ["capabilities"]},
    summary="A recipe and what it runs on, the skills and models that it works with, and what it may reach.",
    example={
        "name": "greeter",
        "version": "1.0.0",
        "description": "Greets whoever is named.",
        "capabilities": ["log:write"],
        "permissions": {"maxMemory": "64MB", "maxCpu": "1cores", "maxDuration": "10s", "allowedDomains": []},
        "config": {
            "runtime": "wasm",
            "wasmFile": "agent.wasm",
            "recipe": "recipe.yaml",
            "modelReferences": [],
            "skillGraph": {"skills": ["read", "greet"], "dependencies": {"greet": ["read"]}},
        },
    },
    example_layers=(("recipe.yaml", RECIPE, _EXAMPLE_RECIPE), ("agent.wasm", WASM, examples.ADDER)),
    check=_check,
    refused=(
        (
            "`config` has not exactly the member of its runtime: `entry` for `js`, `wasmFile` for `wasm`, `image` "
            "for `container`; or the layer of another runtime is there."
        ),
        (
            "`config.recipe` is not the title of the layer with the recipe, or the recipe is no safe YAML of at "
            "most 1 MiB."
        ),
        (
            "The skill graph names a skill that it has not, or has a cycle (`CIRCULAR_DEPENDENCY`, 422); a step "
            "of the recipe uses a skill that is not in it."
        ),
        "A model of `modelReferences` does not exist, or is not pinned in `config.resolved`.",
        "`permissions` hold what is no size, number of processors, host or path.",
    ),
    wants=_wants,
)
