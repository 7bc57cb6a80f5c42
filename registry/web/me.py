"""/v1/me: the caller's own account."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from registry.auth import accounts, keys, password_changes
from registry.auth.sql_accounts import Account
from registry.core.errors import Unprocessable
from registry.namespaces import invitations, removal, spaces
from registry.namespaces.entry import Level
from registry.web.accounts import Address, DisplayName, Password, Publisher, fields, mail_code
from registry.web.bodies import Answer, Body, Listing
from registry.web.paging import id_of, own, version_of
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_PAGE: Final = 100
_ABSENT: Final = "There is no such invitation."


class OwnAccount(Publisher, frozen=True, kw_only=True):
    """The caller's account."""

    is_administrator: bool
    must_change_password: bool


class OwnCredential(Answer, frozen=True, kw_only=True):
    """What the request came with: `kind` password, session or key; `scope` null: as the account."""

    id: int
    kind: str
    scope: str | None
    expires_at: datetime | None


class Membership(Answer, frozen=True, kw_only=True):
    """A namespace that the account is a member of."""

    namespace: str
    role: str


class Me(Answer, frozen=True, kw_only=True):
    """Who the caller is, by what, and where it belongs."""

    account: OwnAccount
    credential: OwnCredential | None
    memberships: list[Membership]


class MeBody(Body, frozen=True, kw_only=True):
    """What is to change; another e-mail address needs the password."""

    display_name: DisplayName | None = None
    email: Address | None = None
    password: Annotated[Password, Meta(description="The present password, for another e-mail address.")] | None = None


class PasswordBody(Body, frozen=True, kw_only=True):
    """The present password, and the next."""

    current: Password
    password: Password


class DeleteBody(Body, frozen=True, kw_only=True):
    """The password, which is checked when it is given."""

    password: Password | None = None


class InvitationAnswer(Answer, frozen=True, kw_only=True):
    """A namespace asks the caller to become a member."""

    id: int
    namespace: str
    role: str
    created_at: datetime
    expires_at: datetime


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, needs = _Me(site), Level.SIGNED_IN
    asked = "/v1/me/invitations"
    return (
        Row("GET", "/v1/me", show, needs, "Show the caller", answer=Me),
        Row("PATCH", "/v1/me", on.change, needs, "Change the caller's account", MeBody, answer=Me),
        Row("DELETE", "/v1/me", on.delete, needs, "Delete the caller's account", DeleteBody, status=204, codes=(409,)),
        Row(
            "POST", "/v1/me/password", on.password, needs, "Change the password", PasswordBody, status=204, codes=(409,)
        ),
        Row("GET", asked, list_invitations, needs, "List invitations", answer=Listing[InvitationAnswer]),
        Row("POST", f"{asked}/{{id}}/accept", accept, needs, "Accept an invitation", status=204, codes=(409,)),
        Row("DELETE", f"{asked}/{{id}}", decline, needs, "Decline an invitation", status=204),
    )


async def show(call: Call) -> Reply:
    """Who the caller is, by which credential, and its memberships."""
    found = await _me(call)
    return Reply(found, version=version_of(found))


class _Me:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def change(self, call: Call) -> Reply:
        """Change how the account is shown, or its e-mail address: a code goes there, and a note to the former one."""
        body, realm, account = call.body, call.realm, own(call)
        call.require_match(version_of(await _me(call)))
        if body.email is not None:
            await self._change_email(call, account, body)
        if body.display_name is not None:
            await accounts.change_display_name(realm, call.by, account, body.display_name)
        found = await _me(call)
        return Reply(found, version=version_of(found))

    async def _change_email(self, call: Call, account: int, body: MeBody) -> None:
        email, password = body.email, body.password
        if email is None or password is None:
            raise Unprocessable(
                "Another e-mail address needs the password of the account.",
                detail={"pointer": "/password", "expected": "the present password"},
            )
        if body.display_name is not None:
            accounts.check_display_name(body.display_name)
        by, realm = call.by, call.realm
        await self._site.attempts().attempt(
            by.address, by.name, lambda: accounts.change_email(realm, by, account, password, email)
        )
        mail_code(realm, by, await accounts.find(realm, account))

    async def password(self, call: Call) -> Reply:
        """Change the password. Other logins and refresh tokens end; API keys stay good."""
        by, body, initial = call.by, call.body, self._site.initial_password
        account = own(call)
        await self._site.attempts().attempt(
            by.address,
            by.name,
            lambda: password_changes.change_password(call.realm, by, account, body.current, body.password, initial),
        )
        return Reply()

    async def delete(self, call: Call) -> Reply:
        """Delete the account with its namespace and all that is in it; nobody can ever have its name again.

        409 for the last administrator, and for the last owner of another namespace.
        """
        by, realm, account, password = call.by, call.realm, own(call), call.body.password
        if password is not None:
            await self._site.attempts().attempt(
                by.address, by.name, lambda: accounts.check_password(realm, account, password)
            )
        await removal.delete_user(realm, by, account, self._site.remove_repository)
        return Reply()


async def list_invitations(call: Call) -> Reply:
    """List what the caller is asked into."""
    found = await invitations.list_mine(call.realm, own(call))
    items = [
        InvitationAnswer(
            id=asked.id,
            namespace=namespace.name,
            role=asked.role,
            created_at=asked.created_at,
            expires_at=asked.expires_at,
        )
        for asked, namespace in found
    ]
    return Reply(Listing(items=items))


async def accept(call: Call) -> Reply:
    """Become a member. 409 when the invitation is void by now."""
    await invitations.accept(call.realm, call.by, id_of(call, _ABSENT))
    return Reply()


async def decline(call: Call) -> Reply:
    """Do not become a member."""
    await invitations.decline(call.realm, call.by, id_of(call, _ABSENT))
    return Reply()


async def _me(call: Call) -> Me:
    account = await accounts.find(call.realm, own(call))
    return Me(
        account=await _own_account(call, account),
        credential=await _credential(call, account.id),
        memberships=await _memberships(call, account.id),
    )


async def _own_account(call: Call, account: Account) -> OwnAccount:
    more: dict[str, object] = {"mustChangePassword": account.must_change_password}
    if account.kind == "robot":
        more["namespace"] = (await spaces.find(call.realm, account.namespace)).name
    return msgspec.convert(fields(account) | more, OwnAccount)


async def _credential(call: Call, account: int) -> OwnCredential | None:
    if call.by.credential is None:
        return None
    found = await keys.find(call.realm, account, call.by.credential)
    return OwnCredential(id=found.id, kind=found.kind, scope=found.limits.scope, expires_at=found.expires_at)


async def _memberships(call: Call, account: int) -> list[Membership]:
    found: list[Membership] = []
    after = 0
    while page := await spaces.list_of(call.realm, account, after, _PAGE):
        found += [Membership(namespace=namespace.name, role=role) for namespace, role in page]
        after = page[-1][0].id
    return found
