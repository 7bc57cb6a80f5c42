"""What the references of an artifact lead to, for the one who publishes it."""

import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NoReturn

from registry.artifacts import references, sql_resolving
from registry.artifacts.model import Wanted
from registry.artifacts.references import OFFICIAL, Reference
from registry.artifacts.sql_releases import Dependency
from registry.artifacts.sql_resolving import Found
from registry.artifacts.versions import best, is_range, is_version, satisfies
from registry.content.shelf import Shelf
from registry.core.errors import AmbiguousReference, MalformedManifest, ModuleDependencyMissing

MayPull = Callable[[str], Awaitable[bool]]
"""Whether the publisher may pull from a repository."""

MOST: Final = 1000
_NEAREST: Final = 3
_LOOKED_AT: Final = 500
_MODULES: Final = "module"


async def resolve(shelf: Shelf, home: str, wants: tuple[Wanted, ...], may_pull: MayPull) -> list[Dependency]:
    """What the references of an artifact in the namespace `home` (`users/alice`) lead to now.

    Only published releases that the publisher may pull are there for it.

    Raises:
        ModuleDependencyMissing: one leads nowhere, or not to what it must be; `suggestion` names what is near.
        AmbiguousReference: a bare name leads nowhere, neither in the namespace nor among the official artifacts.
        MalformedManifest: there are too many, or one must be pinned and is not.
    """
    if len(wants) > MOST:
        raise MalformedManifest(
            f"It names {len(wants)} other artifacts; {MOST} is the limit.",
            pointer="",
            value=len(wants),
            suggestion="Leave out what its dependencies bring along.",
        )
    parsed = [(want, references.parse(want.reference, want.pointer)) for want in wants]
    places = {want: references.repositories(reference, home) for want, reference in parsed}
    released = await _released(shelf, {name for names in places.values() for name in names}, may_pull)
    return [await _one(shelf, home, (want, reference), released, may_pull) for want, reference in parsed]


async def _released(shelf: Shelf, names: Iterable[str], may_pull: MayPull) -> dict[str, list[Found]]:
    """The published releases by the names that were asked for, of repositories that the publisher may pull from.

    The right is asked for before anything is looked up: what is hidden costs what is absent costs.
    """
    allowed = [name for name in sorted(names) if await may_pull(name)]
    async with shelf.db.connection() as connection:
        rows = await sql_resolving.published(connection, allowed)
    found: dict[str, list[Found]] = {}
    for row in rows:
        found.setdefault(row.asked, []).append(row)
    return found


async def _one(
    shelf: Shelf,
    home: str,
    named: tuple[Wanted, Reference],
    released: Mapping[str, list[Found]],
    may_pull: MayPull,
) -> Dependency:
    want, reference = named
    if want.must_pin and want.digest is None and reference.digest is None:
        raise MalformedManifest(
            f"{want.reference} is not pinned.",
            pointer=want.pointer,
            value=want.reference,
            suggestion="Write its digest, as sha256:…, under config.resolved: gati does so when it publishes.",
        )
    places = references.repositories(reference, home)
    place = next((name for name in places if released.get(name)), None)
    if place is None:
        if want.is_optional:
            return _dependency(want, places[0], None)
        await _refuse_absent(shelf, home, want, reference, may_pull)
    chosen = _choose(want, reference, released[place])
    if chosen is None and not want.is_optional:
        _refuse_version(want, place, released[place])
    if chosen is not None and want.type is not None and not _is_of(want.type, chosen.type):
        _refuse(want, f"{place} is a {chosen.type}.", f"Name a {want.type}.")
    return _dependency(want, released[place][0].name, chosen)


def _dependency(want: Wanted, target: str, chosen: Found | None) -> Dependency:
    digest = want.digest or references.parse(want.reference, want.pointer).digest
    release = None if chosen is None else chosen.release
    return Dependency(want.reference, target, want.wanted, want.relation, want.is_optional, digest, release)


def _choose(want: Wanted, reference: Reference, found: list[Found]) -> Found | None:
    """The release that all of the reference, its pin and its range admit; the highest of several."""
    pinned, version = want.digest or reference.digest, reference.version
    if pinned is not None:
        found = [one for one in found if one.digest == pinned]
    if version is not None and is_version(version):
        found = [one for one in found if one.version == version]
    elif version is not None and not is_range(version) and pinned is None:
        found = [one for one in found if version in one.tags]
    elif version is not None and is_range(version):
        found = [one for one in found if satisfies(one.version, version)]
    if want.wanted == "*":
        admitted = [one.version for one in found]
        highest = best(admitted, "*") or max(admitted, default=None)
    else:
        highest = best([one.version for one in found], want.wanted)
    return next((one for one in found if one.version == highest), None)


def _is_of(wanted: str, kind: str) -> bool:
    return kind.startswith(f"{_MODULES}-") if wanted == _MODULES else kind == wanted


async def _refuse_absent(shelf: Shelf, home: str, want: Wanted, reference: Reference, may_pull: MayPull) -> NoReturn:
    homes = {home, OFFICIAL} | {name.rpartition("/")[0] for name in references.repositories(reference, home)}
    async with shelf.db.connection() as connection:
        names = await sql_resolving.names(connection, sorted(homes), _LOOKED_AT)
    by_name = {name.rpartition("/")[2]: name for name in sorted(names)}
    near = difflib.get_close_matches(reference.name, list(by_name), _NEAREST, 0.5)
    asked = [by_name[name] for name in near] + [home] * (_NEAREST - len(near))  # as many, whatever is hidden
    shown = [name for name in asked if await may_pull(name) and name != home]
    suggestion = f"Did you mean {', '.join(shown)}?" if shown else "Publish it first, or write another name."
    if reference.slug is None:
        raise AmbiguousReference(
            f"{reference.name} is neither in {home} nor in {OFFICIAL}, where names without a namespace are looked for.",
            pointer=want.pointer,
            value=want.reference,
            suggestion=f"Write @slug/{reference.name}. {suggestion}",
        )
    _refuse(want, f"{want.reference} does not exist, has nothing published, or you may not pull it.", suggestion)


def _refuse_version(want: Wanted, place: str, found: list[Found]) -> NoReturn:
    near = sorted({one.version for one in found})
    shown = ", ".join(near[-_NEAREST:])
    if want.digest is not None:
        _refuse(want, f"{place} has no published version of the digest {want.digest}.", f"Published are {shown}.")
    _refuse(want, f"{place} has no published version that {want.reference} {want.wanted} admits.", f"There is {shown}.")


def _refuse(want: Wanted, message: str, suggestion: str) -> NoReturn:
    raise ModuleDependencyMissing(message, pointer=want.pointer, value=want.reference, suggestion=suggestion)
