"""The pages of the types of artifacts: `make artifact-pages` writes `docs/artifacts`, a test holds them."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from registry.artifacts.catalogue import KINDS
from registry.artifacts.common_schema import PROPERTIES, REQUIRED
from registry.artifacts.formats import archive
from registry.artifacts.model import LAYERS, Kind, LayerRule

_ORIGIN: Final = "Generated from `registry/artifacts` by `make artifact-pages`."


def pages() -> dict[str, str]:
    """All pages, in Markdown, by the name of their file."""
    return {f"{kind.name}.md": page(kind) for kind in KINDS} | {"members.md": members_page()}


def page(kind: Kind) -> str:
    """The page of one type."""
    return "\n".join([*_head(kind), *_layers(kind), *_config(kind), *_refused(kind), *_example(kind), *_schema(kind)])


def members_page() -> str:
    """The page of the members that the Gati manifests of all types have."""
    schema = {"properties": PROPERTIES, "required": list(REQUIRED)}
    lines = [
        "# Members of a Gati manifest",
        "",
        _ORIGIN,
        "",
        "These all types have; `config` is particular to each. Members that are not listed are kept and ignored.",
        "",
        *_table(schema),
        "",
        "```json",
        json.dumps({"type": "object", **schema}, indent=2, ensure_ascii=False),
        "```",
        "",
    ]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _head(kind: Kind) -> list[str]:
    shape = "a manifest, or an index with a manifest for each platform" if kind.takes_index else "a manifest"
    config = f"`{kind.config_type}`" + (": that of an image" if kind.config_in_referrer else ": the Gati manifest")
    lines = [f"# {kind.name}", "", _ORIGIN, "", kind.summary, "", _row(["what", "value"]), _row(["---", "---"])]
    lines += [
        _row(["artifactType", f"`{kind.artifact_type}`"]),
        _row(["config", config]),
        _row(["pushed as", shape]),
    ]
    referrers = [f"`{artifact_type}` instead of `{one.member}`" for artifact_type, one in kind.referrers.items()]
    if kind.config_in_referrer:
        referrers.insert(0, "`application/vnd.gati.manifest.v1`, its layer the Gati manifest")
    if referrers:
        lines.append(_row(["referrers", "; ".join(referrers)]))
    return [*lines, ""]


def _layers(kind: Kind) -> list[str]:
    if not kind.layers:
        return ["## Layers", "", "Those of an image that container engines unpack, at least one.", ""]
    head = [_row(["media type", "role", "how many", "read in the push", "read whole"]), _row(["---"] * 5)]
    return ["## Layers", "", *head, *(_layer(rule) for rule in kind.layers), ""]


def _layer(rule: LayerRule) -> str:
    most = "any number" if rule.most >= LAYERS else str(rule.most)
    count = str(rule.least) if rule.least == rule.most else f"{rule.least} to {most}"
    ends, whole = ("yes" if check else "no" for check in (rule.ends, rule.whole))
    return _row([f"`{rule.media_type}`", f"`{rule.role}`", count, ends, whole])


def _config(kind: Kind) -> list[str]:
    lines = ["## The member `config`", "", *_table(kind.schema), ""]
    top = {"properties": kind.top.get("properties", {}), "required": kind.top.get("required", [])}
    top["properties"] = {name: PROPERTIES.get(name, {}) for name in top["required"]} | dict(top["properties"])
    if top["properties"]:
        lines += ["Beside it, of the [members of all types](members.md):", "", *_table(top), ""]
    return lines


def _refused(kind: Kind) -> list[str]:
    common = "It breaks its schema, or one of the [rules of all types](README.md#what-is-refused)."
    return ["## What is refused", "", *(f"- {sentence}" for sentence in (common, *kind.refused)), ""]


def _example(kind: Kind) -> list[str]:
    layers = [_row(["title", "media type", "what it holds"]), _row(["---"] * 3)]
    layers += [
        _row([f"`{title}`" if title else "none", f"`{media_type}`", _content(media_type, data)])
        for title, media_type, data in kind.example_layers
    ]
    document = json.dumps(kind.example, indent=2, ensure_ascii=False)
    return ["## A minimal example", "", "```json", document, "```", "", "Its layers:", "", *layers, ""]


def _content(media_type: str, data: bytes) -> str:
    """The paths in an archive, whose size is that of whoever compressed it; of others the size."""
    if not media_type.endswith("gzip"):
        return f"{len(data)} bytes"
    return ", ".join(f"`{entry.path}`" for entry in archive.entries(io.BytesIO(data), gzipped=True))


def _schema(kind: Kind) -> list[str]:
    schema = {"config": kind.schema} | ({"beside it": kind.top} if kind.top else {})
    return ["## JSON Schema", "", "```json", json.dumps(schema, indent=2, ensure_ascii=False), "```", ""]


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    yield _row(["member", "type", "required", "what it is", "example"])
    yield _row(["---"] * 5)
    for name, inner in schema.get("properties", {}).items():
        example = (inner.get("examples") or [None])[0]
        shown = "" if example is None else f"`{json.dumps(example, ensure_ascii=False)}`"
        needed = "yes" if name in required else "no"
        yield _row([f"`{name}`", _type(inner), needed, str(inner.get("description", "")), shown])


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    names = schema.get("type", "any")
    text = names if isinstance(names, str) else " or ".join(names)
    return f"list of {_type(schema['items'])}" if text == "array" and "items" in schema else text


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
