"""…/robots: accounts for machines, which belong to a namespace, and their keys."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

from registry.auth.sql_people import Person
from registry.namespaces import accounts
from registry.namespaces.access import Right
from registry.namespaces.accounts import NewRobot
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.keys import KeyAnswer, KeyBody, NewKeyAnswer, RotateBody, created, listed, revoked, rotated
from registry.web.paging import paged
from registry.web.places import home, robot, standing
from registry.web.rest import Call, Reply, Row

_ROBOTS: Final = "/v1/namespaces/{ns}/robots"


class RobotBody(Body, frozen=True, kw_only=True):
    """A robot to be made: its whole name is the namespace's slug, a plus sign and this one."""

    name: Annotated[str, Meta(min_length=1, max_length=50, description="What stands after the plus sign.")]


class RobotAnswer(Answer, frozen=True, kw_only=True):
    """A robot by its whole name, which it logs in with."""

    id: int
    name: str
    created_at: datetime


async def list_robots(call: Call) -> Reply:
    """List the robots of a namespace by name."""
    query: Page = call.query
    found = await accounts.list_robots(call.realm, home(call))
    rest = [one for one in found if one.name > query.after]
    return paged(rest[: query.limit + 1], query, lambda one: one.name, _shown)


async def create(call: Call) -> Reply:
    """Make a robot. It may do nothing but what a role or a grant gives it, and has no password: make a key for it."""
    made = await accounts.create_robot(call.realm, call.by, NewRobot(home(call), call.body.name), standing(call))
    return Reply(_shown(made))


async def delete(call: Call) -> Reply:
    """Delete a robot with its keys, at once."""
    found = await robot(call)
    await accounts.delete_robot(call.realm, call.by, home(call), found.id, standing(call))
    return Reply()


async def list_keys(call: Call) -> Reply:
    """List the live keys of a robot, by id."""
    return await listed(call, (await robot(call)).id)


async def create_key(call: Call) -> Reply:
    """Make a key of a robot; one that is made with a key is no wider, and is revoked with it."""
    return await created(call, (await robot(call)).id)


async def rotate_key(call: Call) -> Reply:
    """Make a key like this one, which ends after the overlap."""
    return await rotated(call, (await robot(call)).id)


async def revoke_key(call: Call) -> Reply:
    """End a key of a robot at once, with all that was made with it."""
    return await revoked(call, (await robot(call)).id)


_MANAGE: Final = Right.MANAGE
_KEYS: Final = f"{_ROBOTS}/{{robot}}/keys"
ROWS: Final = (
    Row("GET", _ROBOTS, list_robots, _MANAGE, "List robots", query=Page, answer=Listing[RobotAnswer]),
    Row("POST", _ROBOTS, create, _MANAGE, "Make a robot", RobotBody, answer=RobotAnswer, status=201, codes=(409,)),
    Row("DELETE", f"{_ROBOTS}/{{robot}}", delete, _MANAGE, "Delete a robot", status=204),
    Row("GET", _KEYS, list_keys, _MANAGE, "List keys of a robot", query=Page, answer=Listing[KeyAnswer]),
    Row(
        "POST",
        _KEYS,
        create_key,
        _MANAGE,
        "Make a key of a robot",
        KeyBody,
        answer=NewKeyAnswer,
        status=201,
        codes=(409,),
    ),
    Row(
        "POST",
        f"{_KEYS}/{{id}}/rotate",
        rotate_key,
        _MANAGE,
        "Rotate a key of a robot",
        RotateBody,
        answer=NewKeyAnswer,
        status=201,
        codes=(409,),
    ),
    Row("DELETE", f"{_KEYS}/{{id}}", revoke_key, _MANAGE, "Revoke a key of a robot", status=204),
)


def _shown(one: Person) -> RobotAnswer:
    return RobotAnswer(id=one.id, name=one.name, created_at=one.created_at)
