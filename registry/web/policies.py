"""…/policies and …/retention: what holds in a namespace beyond roles, and what its retention would take."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from registry.content import retention
from registry.content.retention import Leaving
from registry.core.errors import Denied, Unprocessable
from registry.namespaces import spaces
from registry.namespaces.access import Right
from registry.namespaces.model import Namespace, Policies
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import paged, start
from registry.web.places import home
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_POLICIES: Final = "/v1/namespaces/{ns}/policies"
_Patterns = Annotated[list[str], Meta(max_length=100, description="Patterns of tags, as v*, that never move.")]
_Networks = Annotated[list[str], Meta(max_length=100, description="From where alone it is reached, as 192.0.2.0/24.")]
_Days = Annotated[int, Meta(ge=0, le=3650)]
_Amount = Annotated[int, Meta(ge=0)]


class KeepRule(Body, frozen=True, kw_only=True):
    """Of the tags that the pattern fits, so many stay: those that moved last."""

    pattern: str
    keep: Annotated[int, Meta(ge=0, le=10_000)]


class RetentionRules(Body, frozen=True, kw_only=True):
    """What goes by itself; null: nothing does for this reason."""

    rules: Annotated[list[KeepRule], Meta(max_length=100)] | None = None
    untagged_days: _Days | None = None
    pulled_days: _Days | None = None


class PoliciesBody(Body, frozen=True, kw_only=True):
    """All policies of a namespace: what is left out, or null, has its default."""

    immutable_tags: _Patterns | None = None
    delete: (
        Annotated[Literal["write", "admin", "owner", "nobody"], Meta(description="The least role that may delete.")]
        | None
    ) = None
    addresses: _Networks | None = None
    token_seconds: Annotated[int, Meta(ge=60, le=300, description="How long tokens live at most.")] | None = None
    key_days: Annotated[int, Meta(ge=1, le=3650, description="How old keys are at most.")] | None = None
    bytes: Annotated[_Amount, Meta(description="Of distinct content, at most.")] | None = None
    repositories: Annotated[_Amount, Meta(description="So many, at most.")] | None = None
    retention: RetentionRules | None = None


class LeavingAnswer(Answer, frozen=True, kw_only=True):
    """A tag that would go or, `tag` null, a manifest; `since` is when it was tagged, or pushed."""

    repository: str
    tag: str | None
    digest: str
    since: datetime
    reason: str


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, preview, answer = _Policies(site), "/v1/namespaces/{ns}/retention/preview", Listing[LeavingAnswer]
    return (
        Row("GET", _POLICIES, show, Right.MANAGE, "Show policies", answer=PoliciesBody),
        Row("PUT", _POLICIES, put, Right.MANAGE, "Set policies", PoliciesBody, answer=PoliciesBody, is_versioned=True),
        Row("GET", preview, on.preview, Right.MANAGE, "Preview retention", query=Page, answer=answer),
    )


class _Policies:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def preview(self, call: Call) -> Reply:
        """What the retention that holds would take now; manifests that lose their last tag by it come next time."""
        query: Page = call.query
        found = list(enumerate(await retention.dry_run(self._site.shelf(), home(call)), 1))
        return paged(found[start(query) :], query, lambda one: one[0], lambda one: _leaving(one[1]))


async def show(call: Call) -> Reply:
    """Show what holds in a namespace."""
    return _answer(await spaces.find(call.realm, home(call)))


async def put(call: Call) -> Reply:
    """Let other policies hold from now on: all of them are set."""
    given = {name: value for name, value in msgspec.to_builtins(call.body).items() if value is not None}
    policies = Policies.read(given)
    found = await spaces.find(call.realm, home(call))
    call.require_match(str(found.version))
    _check(call, found.policies, policies)
    version = found.version if "if-match" in call.headers else None
    await spaces.set_policies(call.realm, call.by, found.id, policies, version)
    return _answer(await spaces.find(call.realm, found.id))


def _check(call: Call, now: Policies, then: Policies) -> None:
    """Quotas are set by administrators of the registry, and nobody else shuts the own address out."""
    actor = call.admitted.actor
    if actor.is_administrator:
        return
    if (now.bytes, now.repositories) != (then.bytes, then.repositories):
        raise Denied("bytes and repositories are set by administrators of the registry: leave them as they are.")
    if not then.admits(call.by.address):
        raise Unprocessable(
            f"Your own address {call.by.address} is in none of these networks: you would shut yourself out.",
            detail={"pointer": "/addresses"},
        )


def _answer(found: Namespace) -> Reply:
    policies = found.policies
    shown: dict[str, Any] = {
        "immutableTags": list(policies.immutable_tags),
        "delete": policies.delete,
        "addresses": list(policies.addresses),
    }
    return Reply(msgspec.convert(shown | policies.to_json(), PoliciesBody), version=str(found.version))


def _leaving(one: Leaving) -> LeavingAnswer:
    expiry = one.expiry
    return LeavingAnswer(
        repository=one.name, tag=expiry.tag, digest=expiry.digest, since=expiry.since, reason=expiry.why
    )
