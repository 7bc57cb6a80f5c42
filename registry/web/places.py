"""What handlers of a namespace do with the caller, with its place, and with the names of others."""

from registry.auth import people
from registry.auth.model import Actor
from registry.auth.sql_people import Person
from registry.core.errors import Denied, NameUnknown, NotFound
from registry.core.slugs import PATHS
from registry.namespaces import accounts, spaces
from registry.namespaces.access import Right
from registry.namespaces.model import Namespace, Standing
from registry.namespaces.rights import locate
from registry.web.rest import Call


def home(call: Call) -> int:
    """The namespace of the path.

    Raises:
        NameUnknown: there is none.
    """
    if call.admitted.namespace is None:
        raise NameUnknown("There is no such namespace.")
    return call.admitted.namespace


def standing(call: Call) -> Standing:
    """How the caller stands in the namespace, within what it came with."""
    admitted = call.admitted
    if Right.OWN in admitted.held:
        return Standing(admitted.role, is_administrator=admitted.actor.is_administrator)
    if Right.MANAGE in admitted.held:
        return Standing("admin")
    return Standing(None)


def require(call: Call, right: Right, name: str) -> None:
    """Nothing, when the caller has a right beyond that of the row.

    Raises:
        Denied: it has not.
    """
    if right not in call.admitted.held:
        raise Denied(
            f"{call.admitted.actor.name} may see {name}, but this needs the right {right} there.",
            detail={"needed": right},
        )


def is_whole(actor: Actor, namespace: int) -> bool:
    """Whether the caller came with all that its account may do in a namespace, not with a key for less."""
    limits = actor.limits
    is_inside = limits.namespaces is None or namespace in limits.namespaces
    return limits.scope in {None, "admin"} and limits.repositories is None and is_inside


async def account(call: Call, name: str) -> Person:
    """A person, or a robot of the namespace of the path.

    Raises:
        NotFound: there is no such account, or it is a robot of another namespace: the sentence is the same.
    """
    async with call.realm.db.connection() as connection:
        try:
            found = await people.find(connection, name)
        except NotFound:
            found = None
    if found is None or (found.kind == "robot" and found.namespace != call.admitted.namespace):
        raise NotFound("There is no such account.")
    return found


async def robot(call: Call) -> Person:
    """The robot of the path, of the namespace of the path.

    Raises:
        NotFound: it has none of this name.
    """
    name = call.params["robot"]
    whole = name if "+" in name else f"{call.admitted.name.rpartition('/')[2]}+{name}"
    return await accounts.find_robot(call.realm, home(call), whole)


async def repository(call: Call) -> int:
    """The repository of the path, in the namespace of the path.

    Raises:
        NameUnknown: there is none, or it is in another namespace: the sentence is that for one that is hidden.
    """
    admitted = call.admitted
    space = await spaces.find(call.realm, home(call))
    if admitted.repository is None or not _is_named(
        space, await spaces.aliases(call.realm, space.id), call.params["ns"]
    ):
        name = call.params["repo"]
        raise NameUnknown(f"{name} does not exist, or {admitted.actor.name} may not see it.", detail={"name": name})
    return admitted.repository


async def repository_named(call: Call, name: str) -> int:
    """A repository by its whole name, or a former one; whether it is of the namespace of the path is not looked at.

    Raises:
        NameUnknown: there is none of this name, in the words of actions that look for one in the namespace.
    """
    place = await locate(call.realm.db, name, call.admitted.actor.account)
    if place.repository is None:
        raise NameUnknown("There is no such repository.")
    return place.repository


def _is_named(space: Namespace, aliases: list[str], text: str) -> bool:
    """Whether a path that says this means the namespace."""
    path, tilde, slug = text.rpartition("~")
    return slug in {space.slug, *aliases} and (not tilde or PATHS.get(space.kind) == path)
