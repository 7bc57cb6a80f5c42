"""…/invitations: who is asked to become a member of a namespace."""

from datetime import datetime
from typing import Final

import msgspec

from registry.namespaces import invitations
from registry.namespaces.access import Right
from registry.namespaces.invitations import Listed
from registry.web.bodies import Answer, Listing, Page
from registry.web.namespaces import Role
from registry.web.paging import id_of, paged, start
from registry.web.places import home, standing
from registry.web.rest import Call, Reply, Row

_INVITATIONS: Final = "/v1/namespaces/{ns}/invitations"


class AskedAnswer(Answer, frozen=True, kw_only=True):
    """An account is asked by another; the invitation is void after `expiresAt`."""

    id: int
    account: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


async def list_invitations(call: Call) -> Reply:
    """List who is asked and has not answered."""
    query: Page = call.query
    found = await invitations.list_of(call.realm, home(call), start(query), query.limit + 1)
    return paged(found, query, lambda one: one.invitation.id, _shown)


async def withdraw(call: Call) -> Reply:
    """Ask somebody no more; an invitation to own needs the right `own`."""
    number = id_of(call, invitations.ABSENT)
    await invitations.withdraw(call.realm, call.by, home(call), number, standing(call))
    return Reply()


ROWS: Final = (
    Row(
        "GET",
        _INVITATIONS,
        list_invitations,
        Right.MANAGE,
        "List invitations",
        query=Page,
        answer=Listing[AskedAnswer],
    ),
    Row("DELETE", f"{_INVITATIONS}/{{id}}", withdraw, Right.MANAGE, "Take an invitation back", status=204),
)


def _shown(one: Listed) -> AskedAnswer:
    fields = {
        "id": one.invitation.id,
        "account": one.person.name,
        "role": one.invitation.role,
        "invitedBy": one.inviter.name,
        "createdAt": one.invitation.created_at,
        "expiresAt": one.invitation.expires_at,
    }
    return msgspec.convert(fields, AskedAnswer)
