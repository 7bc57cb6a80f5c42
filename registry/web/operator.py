"""/v1/admin: what administrators of the registry do."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from registry.audit import export
from registry.audit.export import Filter
from registry.auth import accounts, signing
from registry.auth.sql_accounts import Account
from registry.core.errors import NotFound
from registry.namespaces import removal
from registry.namespaces.access import Right
from registry.namespaces.accounts import NewAccount
from registry.web.accounts import Made, Publisher, SignUp, fields, make
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import paged, start, version_of
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site


class UserAnswer(Publisher, frozen=True, kw_only=True):
    """A person's account as administrators see it."""

    state: Literal["active", "suspended"]
    is_administrator: bool
    must_change_password: bool


class NewUser(SignUp, frozen=True, kw_only=True):
    """An account to be made; its password must be changed first when `mustChangePassword` says so."""

    is_administrator: bool = False
    must_change_password: bool = False


class UserBody(Body, frozen=True, kw_only=True):
    """What is to change."""

    state: Annotated[Literal["active", "suspended"], Meta(description="Suspended: nothing of it is good.")] | None = (
        None
    )
    is_administrator: bool | None = None


class AuditQuery(Page, frozen=True, kw_only=True):
    """Which rows."""

    action: Annotated[str, Meta(max_length=100, description="Only this action, as key.created.")] | None = None
    actor: Annotated[str, Meta(max_length=200, description="Only what this account did.")] | None = None
    since: Annotated[datetime, Meta(tz=True, description="Only from this time on.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Only before this time.")] | None = None


class AuditActor(Answer, frozen=True, kw_only=True):
    """Who did it; `id` null: no account."""

    id: int | None
    name: str


class AuditRow(Answer, frozen=True, kw_only=True):
    """A sealed row of the audit log."""

    number: int
    id: int
    at: str
    actor: AuditActor
    credential: int | None
    action: str
    target: str
    namespace: int | None
    outcome: Literal["done", "denied"]
    times: int
    address: str
    request_id: str
    detail: dict[str, Any]


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, needs = _Operator(site), Right.ADMINISTER
    one = "/v1/admin/users/{account}"
    return (
        Row("GET", "/v1/admin/users", list_users, needs, "List accounts", query=Page, answer=Listing[UserAnswer]),
        Row(
            "POST", "/v1/admin/users", create, needs, "Make an account", NewUser, answer=Made, status=201, codes=(409,)
        ),
        Row(
            "PATCH", one, change, needs, "Suspend an account, or make it an administrator", UserBody, answer=UserAnswer
        ),
        Row("DELETE", one, on.delete, needs, "Delete an account", status=204, codes=(409,)),
        Row("POST", "/v1/admin/signing-keys/rotate", rotate, needs, "Replace the signing key", status=204),
        Row("GET", "/v1/admin/audit", audit, needs, "Read the audit log", query=AuditQuery, answer=Listing[AuditRow]),
    )


class _Operator:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def delete(self, call: Call) -> Reply:
        """Delete a person's account with its namespace and all that is in it.

        409 for the last administrator, and for the last owner of another namespace.
        """
        found = await _user(call)
        await removal.delete_user(call.realm, call.by, found.id, self._site.remove_repository)
        return Reply()


async def list_users(call: Call) -> Reply:
    """List the accounts of people, by id."""
    query: Page = call.query
    found = await accounts.page(call.realm, start(query), query.limit + 1, "user")
    return paged(found, query, lambda one: one.id, _shown)


async def create(call: Call) -> Reply:
    """Make an account for somebody, also of a reserved name."""
    body: NewUser = call.body
    new = NewAccount(
        name=body.username,
        email=body.email,
        password=body.password,
        is_administrator=body.is_administrator,
        must_change_password=body.must_change_password,
        may_take_reserved=True,
    )
    return Reply(msgspec.convert(fields(await make(call, new, body.display_name)), Made))


async def change(call: Call) -> Reply:
    """Suspend an account, resume it, or make it an administrator of the registry or none; 409 for the last one."""
    body, realm, by = call.body, call.realm, call.by
    found = await _user(call)
    call.require_match(version_of(_shown(found)))
    if body.is_administrator is not None and body.is_administrator != found.is_administrator:
        await accounts.set_administrator(realm, by, found.id, is_administrator=body.is_administrator)
    if body.state is not None and body.state != found.state:
        await (accounts.suspend if body.state == "suspended" else accounts.resume)(realm, by, found.id)
    shown = _shown(await accounts.find(realm, found.id))
    return Reply(shown, version=version_of(shown))


async def rotate(call: Call) -> Reply:
    """Let another key sign tokens in a minute; what the old one has signed stays good, and nobody is logged out."""
    await signing.rotate(call.realm, call.by)
    return Reply()


async def audit(call: Call) -> Reply:
    """Read sealed rows of the audit log, by number."""
    query: AuditQuery = call.query
    wanted = Filter(actor=query.actor, action=query.action, since=query.since, until=query.until, after=start(query))
    found = await export.page(call.realm.db, wanted, query.limit + 1)
    return paged(found, query, lambda line: line.number, lambda line: msgspec.Raw(line.text.encode()))


async def _user(call: Call) -> Account:
    found = await accounts.find_named(call.realm, call.params["account"])
    if found.kind != "user":
        raise NotFound("There is no such account.")
    return found


def _shown(account: Account) -> UserAnswer:
    more = {"state": account.state, "mustChangePassword": account.must_change_password}
    return msgspec.convert(fields(account) | more, UserAnswer)
