"""The card of a model as Markdown: what it was trained on, how good and how fast it is, how it is used. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

_FIGURES: Final = {"accuracy": "Accuracy", "f1Score": "F1 score"}
_DATA: Final = {"dataset": "Dataset", "trainingDate": "Trained", "licenseOfData": "Licence of the data"}
_BENCHMARKS: Final = {
    "inferenceTime": "Time of an inference",
    "memoryUsage": "Memory",
    "throughput": "Throughput",
    "batchSize": "Batch size",
    "hardware": "Hardware",
    "measuredAt": "Measured",
}
_CONFIG: Final = {
    "modelFormat": "Format",
    "modelKind": "Kind",
    "runtime": "Runtime",
    "inputShape": "Input",
    "outputShape": "Output",
    "modelFile": "File",
    "adapters": "Adapters",
}
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#])")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9+#-]{1,20}")


def markdown(release: Mapping[str, Any], card: Mapping[str, Any], benchmarks: Mapping[str, Any]) -> str:
    """The card of a release; what others wrote as one line stays one line, with its markup shown and not obeyed."""
    manifest = release.get("manifest")
    config = manifest.get("config") if isinstance(manifest, dict) else None
    parts = [
        f"# {_line(release.get('repository'))} {_line(release.get('version'))}",
        _line(card.get("description") or release.get("description")),
        _table("Model", config if isinstance(config, dict) else {}, _CONFIG),
        _table("Training", card, _DATA | _FIGURES),
        _table("Benchmarks", benchmarks, _BENCHMARKS),
        *_examples(card.get("usageExamples")),
        _section("Limitations", card.get("limitations")),
        _section("Ethics", card.get("ethics")),
        *_rest(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    rows = [f"| {label} | {_line(_shown(name, found[name]))} |" for name, label in names.items() if name in found]
    return "" if not rows else "\n".join([f"## {title}", "", "| | |", "|---|---|", *rows])


def _shown(name: str, value: Any) -> str:
    if name in _FIGURES and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.1%}"
    if isinstance(value, list):
        joint = " x " if all(isinstance(one, int) for one in value) else ", "
        return joint.join("any" if one == -1 else str(one) for one in value)
    return str(value)


def _examples(found: Any) -> list[str]:
    if not isinstance(found, list) or not found:
        return []
    return ["## Usage", *(_example(one) for one in found)]


def _example(one: Any) -> str:
    if isinstance(one, dict):
        code = one.get("code") or one.get("example") or ""
        told = _line(one.get("title") or one.get("description"))
        language = str(one.get("language") or "")
        fence = _fenced(str(code), language if _LANGUAGE.fullmatch(language) else "")
        return "\n\n".join(part for part in (told, fence if code else "") if part)
    return _fenced(str(one), "")


def _fenced(code: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def _section(title: str, value: Any) -> str:
    if not value:
        return ""
    lines = [f"- {_line(one)}" for one in value] if isinstance(value, list) else [_line(value)]
    return "\n".join([f"## {title}", "", *lines])


def _rest(card: Mapping[str, Any]) -> list[str]:
    known = {"description", "usageExamples", "limitations", "ethics", *_DATA, *_FIGURES}
    plain = {name: value for name, value in card.items() if name not in known and not isinstance(value, dict)}
    return [_table("More", plain, {name: _line(name) for name in sorted(plain)})]


def _line(value: Any) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(str(value if value is not None else "").split()))
