"""The table of the OCI door, and how a path finds its row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from registry.content.shelf import Shelf
from registry.core.errors import NameInvalid, RouteUnknown, Unsupported
from registry.core.names import check_name
from registry.infra.http.answers import Answer
from registry.infra.http.counters import CATALOG, slot
from registry.infra.http.lane import Ask, Label, Lane, Right
from registry.infra.telemetry import metrics
from registry.namespaces.admission import Asked, Gate
from registry.oci import blobs, lists, manifests, uploads
from registry.oci.door import Call

Handler = Callable[[Call], Awaitable[Answer]]
_PULL, _PUSH, _DELETE = "pull", "pull,push", "pull,push,delete"

ROUTES: Final[dict[str, dict[str, tuple[Handler, str]]]] = {
    "version": {"GET": (lists.version, _PULL), "HEAD": (lists.version, _PULL)},
    "catalog": {"GET": (lists.repositories, _PULL), "HEAD": (lists.repositories, _PULL)},
    "tags": {"GET": (lists.tags, _PULL), "HEAD": (lists.tags, _PULL)},
    "referrers": {"GET": (lists.referrers, _PULL), "HEAD": (lists.referrers, _PULL)},
    "manifests": {
        "GET": (manifests.read, _PULL),
        "HEAD": (manifests.read, _PULL),
        "PUT": (manifests.write, _PUSH),
        "DELETE": (manifests.delete, _DELETE),
    },
    "blobs": {"GET": (blobs.read, _PULL), "HEAD": (blobs.read, _PULL), "DELETE": (blobs.delete, _DELETE)},
    "uploads": {"POST": (uploads.start, _PUSH)},
    "session": {
        "GET": (uploads.show, _PUSH),
        "PATCH": (uploads.append, _PUSH),
        "PUT": (uploads.finish, _PUSH),
        "DELETE": (uploads.cancel, _PUSH),
    },
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path means: a row of the table, a repository, the last segment."""

    route: str
    name: str
    reference: str


def resolve(raw_path: bytes) -> Target:
    """The target of an undecoded path below /v2.

    Raises:
        NameInvalid: a segment is not UTF-8.
        RouteUnknown: no endpoint has this form.
    """
    segments = [_segment(part) for part in raw_path.split(b"/")[2:]]
    match segments:
        case [] | [""]:
            return Target("version", "", "")
        case ["_catalog"]:
            return Target("catalog", "", "")
        case [*name, "tags", "list"] if name:
            return Target("tags", "/".join(name), "")
        case [*name, "blobs", "uploads"] | [*name, "blobs", "uploads", ""] if name:
            return Target("uploads", "/".join(name), "")
        case [*name, "blobs", "uploads", session] if name:
            return Target("session", "/".join(name), session)
        case [*name, "manifests" | "blobs" | "referrers" as route, reference] if name:
            return Target(route, "/".join(name), reference)
    raise RouteUnknown("No endpoint of the OCI Distribution API has this path.")


def _segment(part: bytes) -> str:
    """A decoded segment; a slash that was encoded becomes a NUL, which no grammar allows."""
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise NameInvalid("The path is not UTF-8.") from None
    return text.replace("/", "\0")


class OciDoor:
    """The ASGI application of /v2."""

    def __init__(self, shelf: Callable[[], Shelf], gate: Callable[[], Gate], body_timeout: float) -> None:
        self._shelf = shelf
        self._gate = gate
        self._body_timeout = body_timeout
        self.lane: Lane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the row, ask the guard, act."""
        request = Request(scope, receive)
        raw_path = scope.get("raw_path") or scope["path"].encode()
        target = resolve(raw_path.partition(b"?")[0])
        scope["route_name"] = target.route
        row = ROUTES[target.route].get(scope["method"])
        if row is None:
            allowed = ", ".join(ROUTES[target.route])
            raise Unsupported(f"{scope['method'][:20]} is not a method of {target.route}.", headers={"Allow": allowed})
        handler, actions = row
        name = check_name(target.name) if target.name else ""
        gate = self._gate()
        admission = await gate.admit(scope, Asked(target.route, name or None, actions))
        call = Call(self._shelf(), gate, admission, request, receive, name, target.reference, self._body_timeout)
        ask = self._ask(scope, target)
        answer = await handler(call)
        if call.is_alias:
            answer.headers.append((b"warning", _moved(name, call.name).encode()))
        elif ask is not None and self.lane is not None and answer.is_lasting and admission.stamp is not None:
            self.lane.keep(ask, answer, Right(admission.until, admission.stamp, admission.meter))
        await answer.send(scope, send, _sent)

    def _ask(self, scope: Scope, target: Target) -> Ask | None:
        """What can keep the answer in memory; taken before anything is read."""
        if self.lane is None or "lane" not in scope or target.route not in _LASTING:
            return None
        slots = (slot(target.name),) if target.name else _LASTING[target.route]
        return self.lane.ask(scope["lane"], Label(target.route, scope["method"], scope["path"]), target.name, slots)


def _moved(asked: str, name: str) -> str:
    return f'299 - "{asked} is now {name}"'


def _sent(size: int) -> None:
    metrics.BLOB_BYTES.labels("out").inc(size)


_LASTING: Final[dict[str, tuple[int, ...]]] = {
    "version": (),
    "catalog": (CATALOG,),
    "tags": (),
    "referrers": (),
    "manifests": (),
    "blobs": (),
}
