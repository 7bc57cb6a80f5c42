"""/v1/users, codes in mail, /v1/auth/reset: how people come to have an account, and back into it.

A sign-up tells that a name is taken (409), but never whether anybody has the e-mail address: until it is proved,
several accounts may give the same, and only who reads its mail learns that another account has proved it.
"""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from registry.audit.model import By
from registry.auth import accounts, codes
from registry.auth.model import Actor
from registry.auth.realm import Realm
from registry.auth.sql_accounts import Account
from registry.core import slugs
from registry.core.errors import Denied, NotFound, TooManyRequests, Unprocessable
from registry.core.hosts import is_here
from registry.namespaces.accounts import NewAccount, create_user
from registry.namespaces.entry import Level
from registry.web.bodies import Answer, Body
from registry.web.paging import own
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

Username = Annotated[str, Meta(min_length=1, max_length=100, description="The name of the account.")]
Password = Annotated[str, Meta(min_length=1, max_length=4096, description="A password.")]
Address = Annotated[str, Meta(min_length=3, max_length=254, description="An e-mail address.")]
Code = Annotated[str, Meta(min_length=1, max_length=200, description="The code of the mail.")]
DisplayName = Annotated[str, Meta(max_length=100, description="How people see it.")]
_OPERATOR = "gati-registry admin account create NAME --email ADDRESS"


class SignUp(Body, frozen=True, kw_only=True):
    """An account to be made."""

    username: Username
    email: Address
    password: Password
    display_name: DisplayName | None = None


class Publisher(Answer, frozen=True, kw_only=True):
    """An account as its owner and administrators see it; `namespace` is its own, a robot's that which it belongs to."""

    id: int
    type: Literal["user", "robot"]
    username: str
    display_name: str
    email: str | None
    email_verified: bool
    namespace: str
    created_at: datetime


class Made(Publisher, frozen=True, kw_only=True):
    """A new account; `notice` says what else came with it."""

    is_administrator: bool
    notice: str | msgspec.UnsetType = msgspec.UNSET


class PublicAccount(Answer, frozen=True, kw_only=True):
    """An account as others see it."""

    id: int
    username: str
    display_name: str
    namespace: str
    created_at: datetime


class CodeBody(Body, frozen=True, kw_only=True):
    """A code of a mail."""

    token: Code


class ResetBody(Body, frozen=True, kw_only=True):
    """Whose password: one of the two."""

    username: Username | None = None
    email: Address | None = None


class ConfirmBody(Body, frozen=True, kw_only=True):
    """The code of the mail, and the new password."""

    token: Code
    password: Password


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on = _Accounts(site)
    return (*_of_accounts(on), *_of_passwords(on))


def _of_accounts(on: "_Accounts") -> tuple[Row, ...]:
    anyone, signed_in = Level.ANYONE, Level.SIGNED_IN
    return (
        Row(
            "POST",
            "/v1/users",
            on.sign_up,
            anyone,
            "Make an account",
            SignUp,
            answer=Made,
            status=201,
            codes=(403, 409),
        ),
        Row("GET", "/v1/users/{account}", show, signed_in, "Show an account", answer=PublicAccount),
        Row(
            "POST",
            "/v1/users/verify-email",
            on.verify,
            signed_in,
            "Confirm an address",
            CodeBody,
            status=204,
            codes=(409,),
        ),
        Row(
            "POST",
            "/v1/users/verify-email/resend",
            resend,
            signed_in,
            "Mail a code again",
            status=204,
            codes=(409, 503),
        ),
    )


def _of_passwords(on: "_Accounts") -> tuple[Row, ...]:
    anyone = Level.ANYONE
    return (
        Row("POST", "/v1/auth/reset", ask_reset, anyone, "Ask for a new password", ResetBody, status=202, codes=(409,)),
        Row(
            "POST",
            "/v1/auth/reset/confirm",
            on.reset,
            anyone,
            "Choose a new password",
            ConfirmBody,
            status=204,
            codes=(401,),
        ),
    )


class _Accounts:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def sign_up(self, call: Call) -> Reply:
        """Make an account with a namespace of its name.

        In an open registry, on its own machine alone: the account becomes its administrator, and the registry is open
        no more. In another one where sign-up is on; else by administrators. A name that is taken, or looks like one
        that is, is 409; whether somebody else has the e-mail address is not told. A code that confirms the address is
        mailed where mail can be sent.
        """
        actor, body = call.admitted.actor, call.body
        self._check_may(actor, call.by)
        is_first = actor.kind == "anybody"
        new = NewAccount(
            name=body.username,
            email=body.email,
            password=body.password,
            may_take_reserved=is_first or may_administer(actor),
            must_be_first=is_first,
        )
        made = await make(call, new, body.display_name)
        shown = msgspec.convert(fields(made), Made)
        if is_first:
            notice = (
                f"{made.name} administers this registry, which is not open any more: everybody logs in from now on."
            )
            shown = msgspec.structs.replace(shown, notice=notice)
        return Reply(shown)

    def _check_may(self, actor: Actor, by: By) -> None:
        """Nothing, when the caller may make an account.

        Raises:
            Denied: it may not; the sentence says who may.
        """
        if actor.kind == "anybody":
            if not is_here(by.address):
                raise Denied(
                    "The first account of an open registry, which ends that, is made on its own machine: "
                    f"{_OPERATOR} --administrator."
                )
        elif not self._site.takes_sign_ups and not may_administer(actor):
            raise Denied(
                f"Nobody makes an account here alone: ask an administrator, or the operator, who runs {_OPERATOR}."
            )

    async def verify(self, call: Call) -> Reply:
        """Take the caller's address for proved, with the code that was mailed there."""
        by = call.by
        await self._site.attempts().attempt(by.address, by.name, lambda: codes.verify(call.realm, by, call.body.token))
        return Reply()

    async def reset(self, call: Call) -> Reply:
        """Take the code of a mail in place of the password: a new one holds, and every login has ended."""
        by, body = call.by, call.body
        await self._site.attempts().attempt(
            by.address, "", lambda: codes.reset(call.realm, by, body.token, body.password)
        )
        return Reply()


async def show(call: Call) -> Reply:
    """What everybody with an account may know of another."""
    found = await accounts.find_named(call.realm, call.params["account"])
    if found.kind != "user":
        raise NotFound("There is no such account.")
    return Reply(
        PublicAccount(
            id=found.id,
            username=found.name,
            display_name=found.display_name,
            namespace=slugs.prefix("user", found.name),
            created_at=found.created_at,
        )
    )


async def resend(call: Call) -> Reply:
    """Mail the caller another code for an address that is still to be confirmed; five a day."""
    await codes.ask_verification(call.realm, call.by, own(call))
    return Reply()


async def ask_reset(call: Call) -> Reply:
    """Mail a code for a new password to the address of an account, if there is one; the answer never tells.

    409 where the registry sends no mail at all.
    """
    body: ResetBody = call.body
    whom = body.username if body.email is None else body.email
    if whom is None or (body.username is not None and body.email is not None):
        raise Unprocessable("Say whose password: either username or email.", detail={"pointer": ""})
    codes.ask_reset(call.realm, call.by, whom)
    return Reply()


def may_administer(actor: Actor) -> bool:
    """Whether an administrator came with all that it may do, not with a key for less."""
    limits = actor.limits
    is_whole = limits.scope in {None, "admin"} and limits.namespaces is None and limits.repositories is None
    return actor.is_administrator and is_whole and not actor.must_change_password


async def make(call: Call, new: NewAccount, display_name: str | None) -> Account:
    """A new account; a code for its address is on its way where mail can be sent."""
    realm = call.realm
    if display_name:
        accounts.check_display_name(display_name)
    made = await create_user(realm, call.by, new)
    if display_name:
        await accounts.change_display_name(realm, call.by, made, display_name)
    found = await accounts.find(realm, made)
    mail_code(realm, call.by, found)
    return found


def mail_code(realm: Realm, by: By, account: Account) -> None:
    """Mail a code for the address of an account later, where mail is sent and not too much of it waits."""
    if realm.mail is not None and account.email is not None:
        with suppress(TooManyRequests):
            realm.mail.later(lambda: codes.ask_verification(realm, by, account.id))


def fields(account: Account) -> dict[str, object]:
    """What a Publisher and what has more than it have of a person."""
    return {
        "id": account.id,
        "type": account.kind,
        "username": account.name,
        "displayName": account.display_name,
        "email": account.email,
        "emailVerified": account.email_verified_at is not None,
        "namespace": slugs.prefix("user", account.name),
        "createdAt": account.created_at,
        "isAdministrator": account.is_administrator,
    }
