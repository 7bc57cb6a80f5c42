"""/v1/api-keys: keys of the caller's own account. Robots' keys have the same bodies and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from registry.auth import keys
from registry.auth.admission import Caller
from registry.auth.keys import NewKey
from registry.auth.model import Limits
from registry.auth.sql_credentials import Credential
from registry.core.errors import Unprocessable
from registry.namespaces.entry import Level
from registry.namespaces.labels import Labels, labels, namespace_id, repository_id
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import id_of, own, paged, start
from registry.web.rest import Call, Reply, Row

ABSENT: Final = "The account has no such key."
Scope = Literal["read-only", "publish", "admin"]
_Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(min_length=1, max_length=100)]


class KeyBody(Body, frozen=True, kw_only=True):
    """A key to be made. Limits that are left out are none; a person's key ends after 90 days unless it says when."""

    name: Annotated[str, Meta(min_length=1, max_length=100, description="What it is for, such as laptop.")]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=1, description="What it may do: one scope.")]
    namespaces: (
        Annotated[_Names, Meta(description="Only in these: orgs/x, users/x, or the slug of a plain one.")] | None
    ) = None
    repositories: Annotated[_Names, Meta(description="Only in these, by their whole names.")] | None = None
    addresses: Annotated[_Names, Meta(description="Only from these networks, such as 192.0.2.0/24.")] | None = None
    expires_at: Annotated[datetime, Meta(tz=True, description="When it ends.")] | None = None
    expires_in_days: Annotated[int, Meta(ge=1, le=3652, description="In how many days it ends.")] | None = None


class RotateBody(Body, frozen=True, kw_only=True):
    """How long the old key stays good beside the new one."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 86400, description="For how long the old key stays good.")] = (
        3600
    )


class KeyAnswer(Answer, frozen=True, kw_only=True):
    """A key, without its secret; of its namespaces and repositories, those that the caller sees."""

    id: int
    name: str
    hint: str
    scopes: list[Scope]
    namespaces: list[str] | None
    repositories: list[str] | None
    addresses: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None
    replaced_by: int | None


class NewKeyAnswer(KeyAnswer, frozen=True, kw_only=True):
    """A new key; `key` is the secret, which is told only here."""

    key: str


async def list_keys(call: Call) -> Reply:
    """List the live keys of the caller's account, by id."""
    return await listed(call, own(call))


async def create(call: Call) -> Reply:
    """Make a key of the caller's account.

    One that is made with a key is no wider, and is revoked with it. A namespace or repository that the caller may not
    see is 404, as one that there is not.
    """
    return await created(call, own(call))


async def rotate(call: Call) -> Reply:
    """Make a key like this one, which ends after the overlap."""
    return await rotated(call, own(call))


async def revoke(call: Call) -> Reply:
    """End a key at once, everywhere, with all that was made with it."""
    return await revoked(call, own(call))


ROWS: Final = (
    Row("GET", "/v1/api-keys", list_keys, Level.SIGNED_IN, "List keys", query=Page, answer=Listing[KeyAnswer]),
    Row(
        "POST",
        "/v1/api-keys",
        create,
        Level.SIGNED_IN,
        "Make a key",
        KeyBody,
        answer=NewKeyAnswer,
        status=201,
        codes=(404, 409),
    ),
    Row(
        "POST",
        "/v1/api-keys/{id}/rotate",
        rotate,
        Level.SIGNED_IN,
        "Rotate a key",
        RotateBody,
        answer=NewKeyAnswer,
        status=201,
        codes=(409,),
    ),
    Row("DELETE", "/v1/api-keys/{id}", revoke, Level.SIGNED_IN, "Revoke a key", status=204),
)


async def listed(call: Call, account: int) -> Reply:
    """A page of the keys of an account that the caller may see."""
    query: Page = call.query
    found = await keys.page(call.realm, account, start(query), query.limit + 1, ("key",))
    show = _Shown(await _labels(call, found))
    return paged(found, query, lambda key: key.id, show.key)


async def created(call: Call, account: int) -> Reply:
    """A new key of an account for which the caller may make one."""
    body: KeyBody = call.body
    ends = _ends(body, call.realm.clock())
    new = NewKey(account, body.name, await _limits(call, body), ends)
    return await _told(call, *await keys.create(call.realm, call.by, new))


async def rotated(call: Call, account: int) -> Reply:
    """A new key in place of one of an account whose keys the caller may rotate."""
    overlap = timedelta(seconds=call.body.overlap_seconds)
    made = await keys.rotate(call.realm, call.by, account, id_of(call, ABSENT), overlap)
    return await _told(call, *made)


async def revoked(call: Call, account: int) -> Reply:
    """A key of an account whose keys the caller may revoke has ended."""
    await keys.revoke(call.realm, call.by, account, id_of(call, ABSENT))
    return Reply()


def caller_of(call: Call) -> Caller:
    """Who asks, as those see it who say what it may see."""
    return Caller(call.admitted.actor, call.by.address, call.by.request_id, None)


async def _limits(call: Call, body: KeyBody) -> Limits:
    realm, caller = call.realm, caller_of(call)
    spaces = None if body.namespaces is None else [await namespace_id(realm, caller, one) for one in body.namespaces]
    inner = (
        None if body.repositories is None else [await repository_id(realm, caller, one) for one in body.repositories]
    )
    return Limits(
        body.scopes[0],
        None if spaces is None else frozenset(spaces),
        None if inner is None else frozenset(inner),
        None if body.addresses is None else tuple(body.addresses),
    )


def _ends(body: KeyBody, now: datetime) -> datetime | None:
    if body.expires_in_days is None:
        return body.expires_at
    if body.expires_at is not None:
        raise Unprocessable("Say when the key ends once: expiresAt or expiresInDays.", detail={"pointer": "/expiresAt"})
    return now + timedelta(days=body.expires_in_days)


async def _labels(call: Call, found: Sequence[Credential]) -> Labels:
    spaces = {one for key in found for one in key.limits.namespaces or ()}
    inner = {one for key in found for one in key.limits.repositories or ()}
    return await labels(call.realm, caller_of(call), spaces, inner)


async def _told(call: Call, key: Credential, secret: str) -> Reply:
    show = _Shown(await _labels(call, [key]))
    return Reply(msgspec.convert(show.fields(key) | {"key": secret}, NewKeyAnswer))


@dataclass(frozen=True, slots=True)
class _Shown:
    """Keys as they are shown, with these names."""

    names: Labels

    def key(self, key: Credential) -> KeyAnswer:
        """A key."""
        return msgspec.convert(self.fields(key), KeyAnswer)

    def fields(self, key: Credential) -> dict[str, Any]:
        """What an answer has of it."""
        limits = key.limits
        return {
            "id": key.id,
            "name": key.name,
            "hint": key.hint,
            "scopes": [limits.scope or "admin"],
            "namespaces": _named(limits.namespaces, self.names.namespaces),
            "repositories": _named(limits.repositories, self.names.repositories),
            "addresses": None if limits.addresses is None else list(limits.addresses),
            "createdAt": key.created_at,
            "expiresAt": key.expires_at,
            "lastUsedAt": key.last_used_at,
            "lastUsedFrom": key.last_used_from,
            "replacedBy": key.replaced_by,
        }


def _named(ids: frozenset[int] | None, names: dict[int, str]) -> list[str] | None:
    return None if ids is None else sorted(names[one] for one in ids if one in names)
