"""module-external: a module that runs somewhere else and is reached through an adapter. Pure."""

import re
from typing import Final

from registry.artifacts import references
from registry.artifacts.common_schema import text
from registry.artifacts.layers import EMPTY_RULE, GTYPES_RULE, README_RULE
from registry.artifacts.model import EMPTY, Kind, Submission
from registry.core.errors import MalformedManifest

_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "adapter", "protocol"],
    "properties": {
        "type": {"const": "external", "description": "Always external."},
        "adapter": text("The name of the module that speaks to it.", 512, examples=["@gati-official/http-adapter"]),
        "protocol": {"enum": ["http", "grpc"], "description": "How it is spoken to."},
        "endpoint": text(
            "An https address, or ${NAME} for a variable that holds one; the registry never asks it.",
            2000,
            examples=["https://api.example.com/v1", "${PAYMENTS_URL}"],
        ),
    },
}
_ENDPOINT: Final = re.compile(
    r"\$\{[A-Za-z_][A-Za-z0-9_]*\}(?:/[^\s\x00-\x1f\x7f]*)?"
    r"|https://(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\x00-\x1f\x7f]*)?"
)


def _check(submission: Submission) -> None:
    inner = submission.config["config"]
    references.parse(inner["adapter"], "/config/adapter")
    endpoint = inner.get("endpoint")
    if endpoint is not None and _ENDPOINT.fullmatch(endpoint) is None:
        raise MalformedManifest(
            "The endpoint is neither an https address nor a variable, or it has a user in it.",
            pointer="/config/endpoint",
            value=None if "@" in endpoint else endpoint,
            suggestion="Write https://api.example.com/v1, or ${PAYMENTS_URL} for what is known where it runs.",
        )


KIND: Final = Kind(
    name="module-external",
    artifact_type="application/vnd.gati.module.external.v1",
    config_type="application/vnd.gati.module.external.config.v1+json",
    layers=(GTYPES_RULE, README_RULE, EMPTY_RULE),
    schema=_SCHEMA,
    summary="A module that runs somewhere else: how it is reached, by which adapter, and what it takes and gives.",
    example={
        "name": "payments",
        "version": "1.0.0",
        "config": {
            "type": "external",
            "adapter": "@gati-official/http-adapter",
            "protocol": "http",
            "endpoint": "${PAYMENTS_URL}",
        },
        "capabilities": ["network:egress"],
    },
    example_layers=(("empty.json", EMPTY, b"{}"),),
    check=_check,
    refused=(
        "`config.adapter` is no reference.",
        "`config.endpoint` is neither an https address without a user in it nor `${NAME}`.",
    ),
)
