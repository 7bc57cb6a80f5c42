"""What a model says of itself: its card and its benchmarks, as JSON Schemas (2020-12). Pure."""

from typing import Any, Final

from registry.artifacts import units
from registry.artifacts.common_schema import text, texts

CARD: Final = "application/vnd.gati.model.card.v1"
BENCHMARK: Final = "application/vnd.gati.model.benchmark.v1"
_DATE: Final = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?(Z|[+-][0-2][0-9]:[0-5][0-9]))?$"
)
_USAGE: Final[dict[str, Any]] = {
    "type": ["string", "object"],
    "minLength": 1,
    "maxLength": 20_000,
    "description": "Code or text, or an object with title, language and code.",
    "properties": {
        "title": text("What it shows.", 200),
        "language": text("The language of the code.", 40),
        "code": text("The code.", 20_000),
    },
    "required": ["code"],
}


def _share(description: str) -> dict[str, Any]:
    return {"type": "number", "minimum": 0, "maximum": 1, "description": description, "examples": [0.92]}


card_schema: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What it was trained on, how good it is, how it is used.",
    "required": ["dataset", "trainingDate", "usageExamples"],
    "properties": {
        "dataset": text("What it was trained on.", 2000, examples=["ImageNet-1k"]),
        "accuracy": _share("Its share of right answers, from 0 to 1."),
        "f1Score": _share("Its F1 score, from 0 to 1."),
        "trainingDate": text("The day on which it was trained (RFC 3339).", 40, pattern=_DATE, examples=["2026-01-31"]),
        "usageExamples": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": _USAGE,
            "description": "How it is used: at least one example.",
            "examples": [["gati model pull @alice/sentiment"]],
        },
        "description": text("What it is for.", 20_000),
        "licenseOfData": text("The licence of what it was trained on.", 200, examples=["CC-BY-4.0"]),
        "limitations": {"type": ["string", "array"], "description": "What it cannot do."},
        "ethics": {"type": ["string", "array"], "description": "What to think of before it is used."},
    },
}
benchmark_schema: Final[dict[str, Any]] = {
    "type": "object",
    "description": "How fast it answers and how much memory it takes, as measured.",
    "required": ["inferenceTime", "memoryUsage"],
    "properties": {
        "inferenceTime": text("A duration.", 40, pattern=f"^(?:{units.DURATION_FORM})$", examples=["12ms"]),
        "memoryUsage": text("A size.", 40, pattern=f"^(?:{units.SIZE_FORM})$", examples=["256MB"]),
        "hardware": text("On what it was measured.", 500, examples=["1 x L4, 8 vCPU"]),
        "batchSize": {"type": "integer", "minimum": 1, "description": "Inputs at once.", "examples": [1]},
        "throughput": {"type": ["number", "string"], "description": "Inputs per second.", "examples": [83]},
        "measuredAt": text("When it was measured (RFC 3339).", 40, pattern=_DATE, examples=["2026-02-01"]),
    },
}
adapters: Final = texts("Names of adapters that can run it.", 50, examples=[["onnx-runtime"]])
