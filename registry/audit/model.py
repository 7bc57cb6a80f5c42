"""Who did something, and what an audit row says. Pure."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class By:
    """Whose action it is: `account` and `credential` are ids, None for the operator's commands and the anonymous."""

    account: int | None
    name: str
    credential: int | None = None
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """What was done (`namespace.renamed`, `key.created` …) to what. `detail` is JSON, without secrets and fractions."""

    action: str
    target: str
    namespace: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
