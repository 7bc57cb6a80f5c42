"""What a platform needs to run a release, and what it says when that failed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.infra.db.pool import Database

_FAILED: Final = "deployment.failed"
_RUNTIME: Final = ("type", "runtime", "entry", "entrypoint", "nodeVersion", "wasmFile", "wasi", "image", "platforms")
_VARIABLE: Final = ("name", "description", "required", "default")
_SECRET: Final = ("name", "description", "required")


@dataclass(frozen=True, slots=True)
class Failure:
    """An artifact that a deployment failed with: in which phase, with which code."""

    reference: str
    phase: str
    code: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What a release declares that runs it: lists are empty where it declares nothing; secrets have no values."""

    runtime: dict[str, Any]
    env: list[dict[str, Any]]
    secrets: list[dict[str, Any]]
    resources: dict[str, Any]
    ports: list[Any]
    network: dict[str, Any]


def needs(config: Mapping[str, Any]) -> Needs:
    """What the Gati manifest declares. Whoever declares no network gets none."""
    inner = _object(config.get("config"))
    return Needs(
        runtime={key: inner[key] for key in _RUNTIME if key in inner},
        env=_named(config.get("env"), _VARIABLE),
        secrets=_named(config.get("secrets"), _SECRET),
        resources=_object(config.get("resources")),
        ports=_list(inner.get("ports")),
        network=_object(config.get("networkAccess")) or {"egress": False},
    )


def _named(given: Any, members: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: one[key] for key in members if key in one} for one in _list(given) if isinstance(one, dict)]


def _object(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


async def report(db: Database, by: By, failures: Iterable[Failure]) -> None:
    """Keep that a deployment failed, and with which artifacts, in the audit log."""
    listed = [{"reference": one.reference, "phase": one.phase, "code": one.code} for one in failures]
    async with db.transaction() as connection:
        await record(connection, by, Event(_FAILED, listed[0]["reference"], detail={"artifacts": listed}))
