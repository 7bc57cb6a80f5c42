"""Snapshots that are shown to whoever has a link."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from registry.core.errors import Gone, InvalidCredentials, NotFound
from registry.namespaces.access import Right
from registry.namespaces.entry import Level
from registry.snapshots import shares
from registry.snapshots.plan import plan
from registry.snapshots.shares import LONGEST, USUAL, Place
from registry.snapshots.sql_shares import Share, Shown
from registry.web.artifact_places import VERSION, release, require_push
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import id_of, paged, start
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_SHARE: Final = f"{VERSION}/share"
_LINK: Final = "/s/{token}"
_NONE: Final = "There is no such link."


class ShareBody(Body, frozen=True, kw_only=True):
    """How long."""

    expires_in_seconds: Annotated[
        int,
        Meta(ge=60, le=int(LONGEST.total_seconds()), description="After how many seconds it is over."),
    ] = int(USUAL.total_seconds())


class ShareAnswer(Answer, frozen=True, kw_only=True):
    """A link; its secret was told once."""

    id: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | UnsetType = UNSET


class NewShareAnswer(ShareAnswer, frozen=True, kw_only=True):
    """A new link; `url` is told only now."""

    url: str


class SharedAnswer(Answer, frozen=True, kw_only=True):
    """The snapshot itself; what it names is not shared."""

    repository: str
    version: str
    digest: str
    snapshot: dict[str, Any]
    expires_at: datetime


class PlanAnswer(Answer, frozen=True, kw_only=True):
    """What has to be done to restore it: pulls in order, settings, and secrets that are put in by hand."""

    repository: str
    version: str
    digest: str
    pulls: list[Any]
    config: dict[str, Any]
    missing_secrets: list[str]


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, lists = _Links(site), Listing[ShareAnswer]
    one, push, pull = f"{_SHARE}/{{id}}", Right.PUSH, Right.PULL
    return (
        Row("POST", _SHARE, create, push, "Share", ShareBody, None, NewShareAnswer, 201, (409, 410), is_open=True),
        Row("GET", _SHARE, list_shares, pull, "List links", query=Page, answer=lists, codes=(410,), is_open=True),
        Row("DELETE", one, revoke, push, "Revoke a link", status=204, codes=(410,), is_open=True),
        Row("GET", _LINK, on.show, Level.ANYONE, "Show what is shared", answer=SharedAnswer, codes=(410,)),
        Row("GET", f"{_LINK}/restore", on.restore, Level.ANYONE, "Plan a restore", answer=PlanAnswer, codes=(410,)),
    )


async def create(call: Call) -> Reply:
    """Make a link that shows a published snapshot to whoever has it, without a login, for a while.

    It shows the document, not what that names. 422 for what is no snapshot.
    """
    place = await _place(call)
    life = timedelta(seconds=call.body.expires_in_seconds)
    made = await shares.create(call.realm.db, call.by, place, life)
    share = made.share
    url = _LINK.format(token=made.token)
    return Reply(NewShareAnswer(id=share.id, created_at=share.created_at, expires_at=share.expires_at, url=url))


async def list_shares(call: Call) -> Reply:
    """List the links of a snapshot, without their secrets, for those who may push there."""
    query: Page = call.query
    place = await _place(call)
    require_push(call)
    found = await shares.listed(call.realm.db, place.release, start(query), query.limit + 1)
    return paged(found, query, lambda one: one.id, _shown)


async def revoke(call: Call) -> Reply:
    """Revoke a link: it is over at once."""
    number = id_of(call, "There is no such share.")
    await shares.revoke(call.realm.db, call.by, await _place(call), number)
    return Reply()


async def _place(call: Call) -> Place:
    return Place(await release(call), call.admitted.namespace)


def _shown(found: Share) -> ShareAnswer:
    revoked = UNSET if found.revoked_at is None else found.revoked_at
    return ShareAnswer(id=found.id, created_at=found.created_at, expires_at=found.expires_at, revoked_at=revoked)


class _Links:
    """Handlers for those who have a link; guesses are counted as those of passwords."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, call: Call) -> Reply:
        """Show the snapshot that a link leads to. 410 once the link is over: only who has it learns that it was."""
        found = await self._follow(call)
        answer = SharedAnswer(
            repository=found.repository,
            version=found.version,
            digest=found.digest,
            snapshot=_document(found),
            expires_at=found.expires_at,
        )
        return Reply(answer)

    async def restore(self, call: Call) -> Reply:
        """Show what has to be done to restore the snapshot that a link leads to."""
        found = await self._follow(call)
        steps = plan(_document(found))
        answer = PlanAnswer(
            repository=found.repository,
            version=found.version,
            digest=found.digest,
            pulls=steps.pulls,
            config=steps.config,
            missing_secrets=steps.missing_secrets,
        )
        return Reply(answer)

    async def _follow(self, call: Call) -> Shown:
        token = call.params["token"]
        try:
            found = await self._site.attempts().attempt(
                call.by.address, "", lambda: shares.follow(call.realm.db, token)
            )
        except InvalidCredentials:
            raise NotFound(_NONE) from None
        if found.is_over:
            raise Gone("The link is over: ask whoever gave it to you for another one.", detail={"reason": "SHARE_OVER"})
        return found


def _document(found: Shown) -> dict[str, Any]:
    value = json.loads(found.config) if found.config else {}
    return value if isinstance(value, dict) else {}
