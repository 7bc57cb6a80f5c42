"""/v1/namespaces, /v1/orgs: namespaces are made, found, described, named anew, given away and deleted."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from registry.content import holdings, repositories
from registry.namespaces import removal, renaming, spaces, transferring
from registry.namespaces import repositories as listed
from registry.namespaces.access import Right
from registry.namespaces.catalog import visible
from registry.namespaces.entry import Level
from registry.namespaces.model import Namespace
from registry.namespaces.spaces import Change, NewNamespace
from registry.namespaces.transferring import Transfer
from registry.web.accounts import may_administer
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.keys import caller_of
from registry.web.paging import own, paged, start
from registry.web.places import account, home
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

Role = Literal["read", "write", "admin", "owner"]
Visibility = Annotated[
    Literal["private", "internal", "public"],
    Meta(description="Who may pull: members, everybody with an account, or everybody."),
]
Slug = Annotated[str, Meta(min_length=1, max_length=100, description="The name, without orgs/ or users/.")]
_DisplayName = Annotated[str, Meta(max_length=100, description="How people see it.")]


class NewSpace(Body, frozen=True, kw_only=True):
    """A namespace to be made."""

    slug: Slug
    display_name: _DisplayName | None = None
    visibility: Visibility | None = None


class SpaceBody(Body, frozen=True, kw_only=True):
    """What is to change."""

    display_name: _DisplayName | None = None
    description: Annotated[str, Meta(max_length=4000, description="What it is for.")] | None = None
    visibility: Visibility | None = None


class RenameBody(Body, frozen=True, kw_only=True):
    """The new name."""

    slug: Slug


class TransferBody(Body, frozen=True, kw_only=True):
    """Who owns it from now on, and who else stays."""

    to: Annotated[str, Meta(min_length=1, max_length=100, description="The account of a person.")]
    former_owners: (
        Annotated[Literal["read", "write", "admin"], Meta(description="The role that owners until now keep.")] | None
    ) = None
    keep_members: Annotated[bool, Meta(description="Whether other members stay, in their roles.")] = False


class Usage(Answer, frozen=True, kw_only=True):
    """What a namespace holds: bytes of distinct content, and repositories."""

    bytes: int
    repositories: int


class NamespaceAnswer(Answer, frozen=True, kw_only=True):
    """A namespace; `role` is the caller's own in it, `usage` is for those who manage it."""

    id: int
    name: str
    kind: Literal["user", "org", "plain"]
    slug: str
    display_name: str
    description: str
    visibility: Visibility
    role: Role | None
    created_at: datetime
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class TransferAnswer(Answer, frozen=True, kw_only=True):
    """Who owns it now, who went, and the robots that stay with their keys: look through them."""

    name: str
    owner: str
    removed: list[str]
    robots: list[str]


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, one = _Namespaces(site), "/v1/namespaces/{ns}"
    answer, signed_in, lists = NamespaceAnswer, Level.SIGNED_IN, Listing[NamespaceAnswer]
    return (
        Row(
            "POST",
            "/v1/orgs",
            create_org,
            signed_in,
            "Make an organisation",
            NewSpace,
            answer=answer,
            status=201,
            codes=(409,),
        ),
        Row(
            "POST",
            "/v1/namespaces",
            create_plain,
            Right.ADMINISTER,
            "Make a plain namespace",
            NewSpace,
            answer=answer,
            status=201,
            codes=(409,),
        ),
        Row("GET", "/v1/namespaces", list_namespaces, signed_in, "List namespaces", query=Page, answer=lists),
        Row("GET", one, show, Right.VIEW, "Show a namespace", answer=answer),
        Row("PATCH", one, change, Right.MANAGE, "Change a namespace", SpaceBody, answer=answer),
        Row("POST", f"{one}/rename", rename, Right.OWN, "Rename", RenameBody, answer=answer, codes=(409,)),
        Row("POST", f"{one}/transfer", transfer, Right.OWN, "Give away", TransferBody, answer=TransferAnswer),
        Row("DELETE", one, on.delete, Right.OWN, "Delete a namespace", status=202, codes=(422,)),
    )


class _Namespaces:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def delete(self, call: Call) -> Reply:
        """Delete a namespace with all that is in it: it is gone at once, its bytes later; nobody gets its name.

        422 for a user's own, which goes with the account.
        """
        remove = partial(repositories.delete, self._site.shelf(), by=call.by)
        await removal.delete(call.realm, call.by, home(call), remove)
        return Reply()


async def create_org(call: Call) -> Reply:
    """Make an organisation, private unless it says otherwise, which the caller owns.

    409 when the name is, or was, somebody's, or looks like one that is.
    """
    body: NewSpace = call.body
    new = NewNamespace(body.slug, body.display_name or "", may_administer(call.admitted.actor))
    return await _made(call, await spaces.create_org(call.realm, call.by, new, own(call)))


async def create_plain(call: Call) -> Reply:
    """Make a namespace whose repositories begin with the bare slug, as `library/`; the caller owns it."""
    body: NewSpace = call.body
    new = NewNamespace(body.slug, body.display_name or "", may_take_reserved=True)
    return await _made(call, await spaces.create_plain(call.realm, call.by, new, own(call)))


async def list_namespaces(call: Call) -> Reply:
    """List the namespaces that the caller has a role in, by id; administrators of the registry see all."""
    query: Page = call.query
    seen = await visible(call.realm.db, caller_of(call))
    found = await spaces.list_seen(call.realm, own(call), seen, start(query), query.limit + 1)
    return paged(found, query, lambda one: one[0].id, lambda one: _shown(*one))


async def show(call: Call) -> Reply:
    """Show a namespace. Its ETag is for If-Match alone."""
    return await _answer(call)


async def change(call: Call) -> Reply:
    """Change what people read of a namespace, and who may see it."""
    found, body = await spaces.find(call.realm, home(call)), call.body
    call.require_match(str(found.version))
    version = found.version if "if-match" in call.headers else None
    new = Change(body.display_name, body.description, body.visibility)
    await spaces.change(call.realm, call.by, found.id, new, version)
    return await _answer(call)


async def rename(call: Call) -> Reply:
    """Give a namespace another name; the old one goes on leading to it, and nobody else can ever have it."""
    new = NewNamespace(call.body.slug, may_take_reserved=may_administer(call.admitted.actor))
    await renaming.rename(call.realm, call.by, home(call), new)
    return await _answer(call)


async def transfer(call: Call) -> Reply:
    """Make somebody else the only owner. Invitations are void, and so are registry tokens that were made before."""
    body: TransferBody = call.body
    to = await account(call, body.to)
    asked = Transfer(home(call), to.id, body.former_owners, body.keep_members)
    done = await transferring.transfer(call.realm, call.by, asked)
    return Reply(
        TransferAnswer(
            name=call.admitted.name,
            owner=to.name,
            removed=sorted(one.name for one in done.removed),
            robots=[one.name for one in done.robots],
        )
    )


async def _made(call: Call, made: Namespace) -> Reply:
    visibility = call.body.visibility
    if visibility not in {None, made.visibility}:
        await spaces.set_visibility(call.realm, call.by, made.id, visibility)
        made = await spaces.find(call.realm, made.id)
    return Reply(_shown(made, "owner"), headers=_match(made))


async def _answer(call: Call) -> Reply:
    found = await spaces.find(call.realm, home(call))
    usage = await _usage(call, found.id) if Right.MANAGE in call.admitted.held else msgspec.UNSET
    return Reply(_shown(found, call.admitted.role, usage), headers=_match(found))


async def _usage(call: Call, namespace: int) -> Usage:
    async with call.realm.db.connection() as connection:
        used = await holdings.used(connection, namespace)
    return Usage(bytes=used, repositories=await listed.count(call.realm, namespace))


def _match(found: Namespace) -> dict[str, str]:
    """The version, for If-Match alone: what is answered has the caller's role and the usage, which no version tells."""
    return {"ETag": f'"{found.version}"'}


def _shown(found: Namespace, role: str | None, usage: Usage | msgspec.UnsetType = msgspec.UNSET) -> NamespaceAnswer:
    fields = {
        "id": found.id,
        "name": found.name,
        "kind": found.kind,
        "slug": found.slug,
        "displayName": found.display_name,
        "description": found.description,
        "visibility": found.visibility,
        "role": role,
        "createdAt": found.created_at,
    }
    return msgspec.structs.replace(msgspec.convert(fields, NamespaceAnswer), usage=usage)
