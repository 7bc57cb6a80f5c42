"""…/members: who is in a namespace, in which role."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from registry.auth.sql_people import Person
from registry.core.errors import NotFound, Unprocessable
from registry.namespaces import invitations, members
from registry.namespaces.access import Right
from registry.namespaces.invitations import Asked
from registry.namespaces.members import Change, Listed
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.namespaces import Role
from registry.web.paging import paged, start
from registry.web.places import account, home, is_whole, require, standing
from registry.web.rest import Call, Reply, Row

_MEMBERS: Final = "/v1/namespaces/{ns}/members"
_INVITED: Final = 202


class MemberBody(Body, frozen=True, kw_only=True):
    """The role of an account; `expiresAt` is when it ends by itself, never an owner's."""

    role: Role
    expires_at: Annotated[datetime, Meta(tz=True, description="When the membership ends.")] | None = None


class MemberAnswer(Answer, frozen=True, kw_only=True):
    """A member."""

    account: str
    kind: Literal["user", "robot"]
    display_name: str
    role: Role
    added_at: datetime
    expires_at: datetime | None


class Placed(Answer, frozen=True, kw_only=True):
    """A member; or, with `invitation`, an account that is asked to become one until `expiresAt`."""

    account: str
    role: Role
    expires_at: datetime | None
    invitation: int | msgspec.UnsetType = msgspec.UNSET


async def list_members(call: Call) -> Reply:
    """List members, robots too; what teams and grants give beside is not told here."""
    query: Page = call.query
    found = await members.list_members(call.realm, home(call), start(query), query.limit + 1)
    return paged(found, query, lambda one: one.member.account, _shown)


async def put(call: Call) -> Reply:
    """Set the role of a member, or of a robot of the namespace; ask somebody else to become a member.

    202 is an invitation, good for seven days: nobody becomes a member unasked, but by an administrator of the registry.
    Only owners make, change and unmake owners. 409 for the last one.
    """
    body: MemberBody = call.body
    person, caller = await account(call, call.params["account"]), standing(call)
    is_member = await members.find(call.realm, home(call), person.id) is not None
    if not is_member and person.kind == "user" and not caller.is_administrator:
        return await _invite(call, person)
    change = Change(home(call), person.id, body.role, body.expires_at)
    await members.set_role(call.realm, call.by, change, caller)
    return Reply(Placed(account=person.name, role=body.role, expires_at=body.expires_at))


async def remove(call: Call) -> Reply:
    """Take an account out of a namespace with its teams and grants; by its own name the caller leaves.

    Leaving needs no right. Removing others needs `manage`, and removing owners `own`. 409 for the last owner.
    """
    actor, name = call.admitted.actor, call.params["account"]
    if actor.account is None or name != actor.name or not is_whole(actor, home(call)):
        require(call, Right.MANAGE, call.params["ns"])
    try:
        person = await account(call, name)
    except NotFound as error:
        raise NotFound(f"The account is no member of {call.admitted.name}.") from error
    await members.remove(call.realm, call.by, home(call), person.id, standing(call))
    return Reply()


ROWS: Final = (
    Row("GET", _MEMBERS, list_members, Right.MANAGE, "List members", query=Page, answer=Listing[MemberAnswer]),
    Row(
        "PUT",
        f"{_MEMBERS}/{{account}}",
        put,
        Right.MANAGE,
        "Set a role, or invite",
        MemberBody,
        answer=Placed,
        also=(_INVITED,),
        codes=(409,),
    ),
    Row("DELETE", f"{_MEMBERS}/{{account}}", remove, Right.VIEW, "Remove a member, or leave", status=204, codes=(409,)),
)


async def _invite(call: Call, person: Person) -> Reply:
    body: MemberBody = call.body
    if body.expires_at is not None:
        raise Unprocessable(
            f"{person.name} is no member yet: invite without expiresAt, and set it once the invitation is accepted.",
            detail={"pointer": "/expiresAt"},
        )
    asked = Asked(home(call), person.id, body.role)
    made = await invitations.invite(call.realm, call.by, asked, standing(call))
    ends = call.realm.clock() + invitations.LIFE
    return Reply(Placed(account=person.name, role=body.role, expires_at=ends, invitation=made), status=_INVITED)


def _shown(one: Listed) -> MemberAnswer:
    member, person = one.member, one.person
    fields = {
        "account": person.name,
        "kind": person.kind,
        "displayName": person.display_name,
        "role": member.role,
        "addedAt": member.added_at,
        "expiresAt": member.expires_at,
    }
    return msgspec.convert(fields, MemberAnswer)
