"""…/teams and …/grants: members who are granted something together, and what is granted beside roles of members."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from registry.auth.sql_people import Person
from registry.core.errors import NotFound, Unprocessable
from registry.namespaces import grants, teams
from registry.namespaces.access import Right
from registry.namespaces.grants import Target
from registry.namespaces.sql_grants import Given
from registry.namespaces.sql_teams import Team
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.paging import id_of, paged, start
from registry.web.places import account, home, repository_named, standing
from registry.web.rest import Call, Reply, Row

_TEAMS: Final = "/v1/namespaces/{ns}/teams"
_GRANTS: Final = "/v1/namespaces/{ns}/grants"
Granted = Literal["read", "write", "admin"]
_Name = Annotated[str, Meta(min_length=1, max_length=100, description="A name.")]


class TeamBody(Body, frozen=True, kw_only=True):
    """A team to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=50, description="What it is called in its namespace.")]
    description: Annotated[str, Meta(max_length=500, description="What it is for.")] | None = None


class TeamAnswer(Answer, frozen=True, kw_only=True):
    """A team, with how many are in it."""

    id: int
    name: str
    description: str
    members: int
    created_at: datetime


class TeamMember(Answer, frozen=True, kw_only=True):
    """Who is in a team."""

    account: str
    kind: Literal["user", "robot"]
    display_name: str


class GrantBody(Body, frozen=True, kw_only=True):
    """A role for a team, or for an account, in one repository; a team's also in the whole namespace."""

    role: Granted
    team: _Name | None = None
    account: _Name | None = None
    repository: (
        Annotated[str, Meta(min_length=1, max_length=255, description="By its whole name; null: all of them.")] | None
    ) = None


class GrantAnswer(Answer, frozen=True, kw_only=True):
    """A grant: of a team or of an account, in a repository or in the whole namespace."""

    id: int
    role: Granted
    team: str | None
    account: str | None
    repository: str | None
    added_at: datetime


async def list_teams(call: Call) -> Reply:
    """List teams by name."""
    query: Page = call.query
    found = await teams.list_teams(call.realm, home(call), query.after, query.limit + 1)
    return paged(found, query, lambda team: team.name, _team)


async def create(call: Call) -> Reply:
    """Make a team without anybody in it. A user's own namespace has none."""
    body: TeamBody = call.body
    await teams.create(call.realm, call.by, home(call), body.name, body.description or "")
    return Reply(_team(await teams.show(call.realm, home(call), body.name)))


async def delete(call: Call) -> Reply:
    """Delete a team with what it was granted."""
    await teams.delete(call.realm, call.by, home(call), call.params["team"])
    return Reply()


async def list_in(call: Call) -> Reply:
    """List who is in a team, by account."""
    query: Page = call.query
    after = start(query)
    found = await teams.list_members(call.realm, home(call), call.params["team"])
    rest = [person for person in found if person.id > after]
    return paged(rest[: query.limit + 1], query, lambda person: person.id, _member)


async def put_in(call: Call) -> Reply:
    """Put a member of the namespace into a team."""
    person = await account(call, call.params["account"])
    await teams.add(call.realm, call.by, home(call), call.params["team"], person.id)
    return Reply()


async def take_out(call: Call) -> Reply:
    """Take an account out of a team."""
    await teams.show(call.realm, home(call), call.params["team"])
    try:
        person = await account(call, call.params["account"])
    except NotFound as error:
        raise NotFound(f"The account is not in the team {call.params['team']}.") from error
    await teams.remove(call.realm, call.by, home(call), call.params["team"], person.id)
    return Reply()


async def list_grants(call: Call) -> Reply:
    """List all grants of a namespace and its repositories, by id; roles of members are not repeated."""
    query: Page = call.query
    found = await grants.page(call.realm, home(call), start(query), query.limit + 1)
    return paged(found, query, lambda one: one.id, _grant)


async def put_grant(call: Call) -> Reply:
    """Grant a role, or another one than before."""
    body: GrantBody = call.body
    if (body.team is None) == (body.account is None):
        raise Unprocessable("A grant is for a team or for an account: name one of them.", detail={"pointer": ""})
    repository = None if body.repository is None else await repository_named(call, body.repository)
    person = None if body.account is None else (await account(call, body.account)).id
    target = Target(home(call), repository, body.team, person)
    made = await grants.give(call.realm, call.by, target, body.role, standing(call))
    return Reply(_grant(await grants.find(call.realm, home(call), made)))


async def take_grant(call: Call) -> Reply:
    """Take a grant away."""
    target = await grants.target_of(call.realm, home(call), id_of(call, grants.ABSENT))
    await grants.take(call.realm, call.by, target, standing(call))
    return Reply()


_MANAGE: Final = Right.MANAGE
_ONE: Final = f"{_TEAMS}/{{team}}"
ROWS: Final = (
    Row("GET", _TEAMS, list_teams, _MANAGE, "List teams", query=Page, answer=Listing[TeamAnswer]),
    Row("POST", _TEAMS, create, _MANAGE, "Make a team", TeamBody, answer=TeamAnswer, status=201, codes=(409,)),
    Row("DELETE", _ONE, delete, _MANAGE, "Delete a team", status=204, codes=(409,)),
    Row("GET", f"{_ONE}/members", list_in, _MANAGE, "List a team", query=Page, answer=Listing[TeamMember]),
    Row("PUT", f"{_ONE}/members/{{account}}", put_in, _MANAGE, "Put somebody into a team", status=204, codes=(422,)),
    Row("DELETE", f"{_ONE}/members/{{account}}", take_out, _MANAGE, "Take somebody out of a team", status=204),
    Row("GET", _GRANTS, list_grants, _MANAGE, "List grants", query=Page, answer=Listing[GrantAnswer]),
    Row("PUT", _GRANTS, put_grant, _MANAGE, "Grant a role", GrantBody, answer=GrantAnswer, codes=(409,)),
    Row("DELETE", f"{_GRANTS}/{{id}}", take_grant, _MANAGE, "Take a grant away", status=204, codes=(409,)),
)


def _team(team: Team) -> TeamAnswer:
    return TeamAnswer(
        id=team.id,
        name=team.name,
        description=team.description,
        members=team.members,
        created_at=team.created_at,
    )


def _member(person: Person) -> TeamMember:
    fields = {"account": person.name, "kind": person.kind, "displayName": person.display_name}
    return msgspec.convert(fields, TeamMember)


def _grant(one: Given) -> GrantAnswer:
    fields = {
        "id": one.id,
        "role": one.role,
        "team": one.team,
        "account": one.account,
        "repository": one.repository,
        "addedAt": one.added_at,
    }
    return msgspec.convert(fields, GrantAnswer)
