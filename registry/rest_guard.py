"""Who may do what at the REST door: the needs of a row, held against what the caller may do in the place it names."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from registry.audit.denials import Denials
from registry.auth.admission import Caller
from registry.auth.model import ANYBODY, Actor
from registry.core.errors import ArtifactUnknown, Denied, NotFound, Unauthorized
from registry.guard import Guard
from registry.namespaces.access import Right
from registry.namespaces.admission import Look
from registry.namespaces.entry import Admitted, Entry, Level, shown
from registry.namespaces.rights import administers

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="gati-registry"'}
_FIRST: Final = frozenset({"/v1/me", "/v1/me/password", "/v1/auth/logout"})
_KEYS: Final = "/v1/api-keys"


class RestGuard:
    """Decides for every request of the REST door."""

    def __init__(self, guard: Guard, denials: Denials) -> None:
        self._guard = guard
        self._denials = denials

    async def admit_rest(self, scope: MutableMapping[str, Any], entry: Entry) -> Admitted:
        """The caller, allowed what the entry needs.

        Raises:
            Denied: it may see the place, but not do this.
            NotFound: it is known, and may not see the place.
            TooManyRequests: its budget is used up.
            Unauthorized: it is not known, or its credential is not good, or its first password must be changed.
        """
        try:
            caller = await self._guard.guest(scope)
        except Unauthorized as error:
            raise type(error)(error.message, detail=error.detail, headers=_CHALLENGE) from error
        actor = caller.actor
        if actor.must_change_password and entry.route not in _FIRST and entry.needs is not Level.ANYONE:
            message = f"{actor.name} has a first password, which must be changed: gati account password."
            raise Unauthorized(message, headers=_CHALLENGE)
        if entry.is_open and actor is ANYBODY:
            return await self._admit_anybody(caller, entry.params)
        if entry.needs is Level.ANYONE:
            return Admitted(actor, caller.by)
        if isinstance(entry.needs, Right) and entry.needs is not Right.ADMINISTER:
            return await self._admit_to_place(caller, entry, entry.needs, scope)
        if actor.account is None:
            raise _stranger(actor)
        reason = (
            _refusal_of_registry(actor) if entry.needs is Right.ADMINISTER else _refusal_of_key(actor, entry, scope)
        )
        if reason is not None:
            self._denials.note(caller.by, scope["method"], entry.route)
            raise Denied(reason)
        return Admitted(actor, caller.by)

    async def _admit_anybody(self, caller: Caller, params: Mapping[str, str]) -> Admitted:
        """Everybody, with every right: the registry is open."""
        name = await self._guard.open_name(params["ns"], params.get("name", "")) if "ns" in params else ""
        return Admitted(caller.actor, caller.by, name=name, held=frozenset(Right))

    async def _admit_to_place(
        self, caller: Caller, entry: Entry, needed: Right, scope: MutableMapping[str, Any]
    ) -> Admitted:
        actor, params, named = caller.actor, entry.params, shown(entry.params)
        of_repository = "repo" in params or "name" in params
        home = params["repo"] if "repo" in params else await self._guard.namespace_named(params["ns"])
        name = f"{home}/{params['name']}" if "name" in params else home
        look = await self._guard.look(caller, name, of_repository=of_repository)
        if needed in look.held and look.place.namespace is not None:
            if entry.is_upload:
                await self._guard.charge_upload(scope, caller)
            return _admitted(caller, look)
        if actor.account is None:
            raise _stranger(actor)
        self._denials.note(caller.by, needed.value, name, look.place.namespace)
        if Right.VIEW not in look.held or look.place.namespace is None:
            kind = ArtifactUnknown if "name" in params else NotFound
            raise kind(f"{named} does not exist, or {actor.name} may not see it.", detail={"name": named})
        raise Denied(
            f"{actor.name} may see {named}, but this needs the right {needed} there.", detail={"needed": needed}
        )


def _admitted(caller: Caller, look: Look) -> Admitted:
    place = look.place
    return Admitted(
        caller.actor, caller.by, place.namespace, place.repository, place.name, look.held, place.role, place.policies
    )


def _stranger(actor: Actor) -> Unauthorized:
    if actor.kind == "anybody":
        return Unauthorized("This registry is open and has no accounts: gati account create makes the first.")
    return Unauthorized("It does not exist, or needs a login: gati login.", headers=_CHALLENGE)


def _refusal_of_registry(actor: Actor) -> str | None:
    """Why the caller may not administer the registry."""
    if not administers(actor):
        return f"{actor.name} is no administrator of this registry."
    limits = actor.limits
    if limits.scope not in {None, "admin"} or limits.namespaces is not None or limits.repositories is not None:
        return "The key in use is not for the whole registry: log in, or use a key of the scope admin without limits."
    return None


def _refusal_of_key(actor: Actor, entry: Entry, scope: MutableMapping[str, Any]) -> str | None:
    """Why a key may not change what is its account's own."""
    limits = actor.limits
    if scope["method"] in {"GET", "HEAD"} or entry.route == "/v1/auth/logout":
        return None
    if limits.scope not in {None, "admin"}:
        return f"The key in use is {limits.scope}: log in, or use a key of the scope admin."
    is_narrow = limits.namespaces is not None or limits.repositories is not None
    if is_narrow and not entry.route.startswith(_KEYS):
        return "The key in use is for some namespaces alone: log in, or use a key without limits."
    return None
