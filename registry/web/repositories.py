"""…/repositories: what a namespace has, who may see it, other names, the end."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from registry.content import repositories as content
from registry.core.errors import Denied
from registry.namespaces import renaming, repositories
from registry.namespaces.access import Right
from registry.namespaces.catalog import visible
from registry.namespaces.sql_grants import Repository
from registry.web.bodies import Answer, Body, Listing, Page
from registry.web.keys import caller_of
from registry.web.namespaces import Visibility
from registry.web.paging import paged, version_of
from registry.web.places import home, repository
from registry.web.rest import Call, Reply, Row
from registry.web.site import Site

_REPOSITORIES: Final = "/v1/namespaces/{ns}/repositories"


class RepositoryBody(Body, frozen=True, kw_only=True):
    """What is to change; `visibility` null: as its namespace."""

    visibility: Visibility | msgspec.UnsetType | None = msgspec.UNSET
    name: (
        Annotated[str, Meta(min_length=1, max_length=255, description="Its whole new name, in the same namespace.")]
        | None
    ) = None


class RepositoryAnswer(Answer, frozen=True, kw_only=True):
    """A repository; `visibility` null: as its namespace."""

    name: str
    visibility: Visibility | None
    created_at: datetime


def rows(site: Site) -> tuple[Row, ...]:
    """The endpoints of this file."""
    on, one, answer = _Repositories(site), f"{_REPOSITORIES}/{{repo}}", RepositoryAnswer
    lists = Listing[RepositoryAnswer]
    return (
        Row("GET", _REPOSITORIES, list_repositories, Right.VIEW, "List repositories", query=Page, answer=lists),
        Row("GET", one, show, Right.VIEW, "Show a repository", answer=answer),
        Row("PATCH", one, change, Right.MANAGE, "Change a repository", RepositoryBody, answer=answer, codes=(409,)),
        Row("DELETE", one, on.delete, Right.MANAGE, "Delete a repository", status=202),
    )


class _Repositories:
    """Handlers that need more than the realm."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def delete(self, call: Call) -> Reply:
        """Delete a repository with all that is in it: it is gone at once, its bytes later.

        403 for those whom the policy `delete` of the namespace does not let.
        """
        await repository(call)
        name = call.admitted.name
        if Right.DELETE not in call.admitted.held:
            raise Denied(f"The policy of its namespace does not let {call.by.name} delete in {name}.")
        await content.delete(self._site.shelf(), name, call.by)
        return Reply()


async def list_repositories(call: Call) -> Reply:
    """List the repositories of a namespace that the caller may see, by name."""
    query: Page = call.query
    seen = await visible(call.realm.db, caller_of(call))
    found = await repositories.list_seen(call.realm, home(call), query.after, query.limit + 1, seen)
    return paged(found, query, lambda one: one.name, _shown)


async def show(call: Call) -> Reply:
    """Show a repository."""
    return await _answer(call, await repository(call))


async def change(call: Call) -> Reply:
    """Change who may see a repository, and its name; the old name goes on leading to it."""
    number, body = await repository(call), call.body
    call.require_match(version_of(_shown(await repositories.find(call.realm, home(call), number))))
    if body.name is not None:
        await renaming.rename_repository(call.realm, call.by, home(call), number, body.name)
    if body.visibility is not msgspec.UNSET:
        await repositories.set_visibility(call.realm, call.by, home(call), number, body.visibility)
    return await _answer(call, number)


async def _answer(call: Call, number: int) -> Reply:
    shown = _shown(await repositories.find(call.realm, home(call), number))
    return Reply(shown, version=version_of(shown))


def _shown(found: Repository) -> RepositoryAnswer:
    fields = {"name": found.name, "visibility": found.visibility, "createdAt": found.created_at}
    return msgspec.convert(fields, RepositoryAnswer)
