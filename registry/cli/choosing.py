"""Which releases a project is to have: what the lock says where that is enough, else what is resolved anew."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.artifacts import references, versions
from registry.cli import catalog, lockfile
from registry.cli.application import Application, Root
from registry.cli.graph import Graph, Release, Want
from registry.cli.lockfile import Lock
from registry.cli.problems import Missing, Problem
from registry.cli.resolving import Fetch, Question, Shelf, resolve
from registry.cli.supply import Supply

_DEFAULT_HOST: Final = "gati.dev"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a project is to have; `order` has each after those that it depends on."""

    graph: Graph
    order: tuple[str, ...]
    dev: frozenset[str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted of a project.

    Attributes:
        keep: digests that are taken where they fit.
        anew: whether to resolve even if the lock would do.
    """

    application: Application
    keep: Mapping[str, str]
    anew: bool = False


def choose(aim: Aim, lock: Lock, supply: Supply, links: Mapping[str, Release]) -> Chosen:
    """The releases that a project gets.

    Raises:
        Problem: there are none that all agree on.
    """
    roots = aim.application.roots
    if not aim.anew and lock.registry in {None, supply.address.url}:
        found = locked(roots, lock, links)
        if found is not None:
            return found

    def fetch(names: list[str]) -> Mapping[str, Sequence[Release]]:
        published = dict(supply.releases([name for name in names if name not in links]))
        if supply.is_offline:
            published |= {
                name: (lock.artifacts[name].release,)
                for name in names
                if name in lock.artifacts and name not in published
            }
        return published | {name: (links[name],) for name in names if name in links}

    fetch([repository for root in roots if root.link is None for repository in root.repositories])
    wants = tuple(_want(root, fetch, links) for root in roots)
    result = resolve(Question(wants, aim.keep), fetch)
    return Chosen(result.graph, result.order, result.dev, result.warnings)


def _want(root: Root, fetch: Fetch, links: Mapping[str, Release]) -> Want:
    published = fetch(list(root.repositories))
    repository = next((one for one in root.repositories if published.get(one)), None)
    if repository is None:
        raise unknown(root.key)
    relation = "dev" if root.is_dev else "dependency"
    digest = links[repository].digest if repository in links else root.digest
    return Want(repository, "*" if digest else root.wanted, relation, digest=digest)


def unknown(name: str) -> Missing:
    """The problem that there is no such artifact."""
    return Missing(
        f"The registry has no published release of {name}, or none that you may see.",
        "See whether the name is right (gati search); if it is private, log in as somebody who may pull it.",
        code="ARTIFACT_NOT_FOUND",
    )


def locked(roots: Iterable[Root], lock: Lock, links: Mapping[str, Release]) -> Chosen | None:
    """What the lock says for these roots; None when it does not say enough."""
    own = lockfile.graph_of(lock)
    graph = Graph({**own.releases, **links}, {**own.edges, **{name: {} for name in links}}, own.after)
    lasting, dev = set[str](), set[str]()
    for root in roots:
        name = next((one for one in root.repositories if one in graph.releases), None)
        if name is None or not (name in links or _fits(root, graph.releases[name])):
            return None
        (dev if root.is_dev else lasting).add(name)
    names = graph.reached(lasting | dev)
    for name in names - set(links):
        if any(other not in graph.releases for other in lock.artifacts[name].dependencies):
            return None
    part = Graph({name: graph.releases[name] for name in names}, graph.edges, graph.after)
    ordered = part.order()
    rest = tuple(sorted(names - set(ordered)))
    return Chosen(part, ordered + rest, names - part.reached(lasting))


def _fits(root: Root, release: Release) -> bool:
    return root.digest == release.digest if root.digest else versions.satisfies(release.version, root.wanted)


@dataclass(frozen=True, slots=True)
class Asked:
    """Artifacts that a user names, as lines of `gati.modules.json`; `keep` are releases that are meant exactly."""

    roots: tuple[Root, ...]
    keep: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manner:
    """How the artifacts that a user names are taken.

    Attributes:
        home: the namespace in which bare names are looked for first.
        type: the type that they must be; empty for any.
    """

    is_dev: bool = False
    is_exact: bool = False
    home: str | None = None
    type: str = ""


def asked(texts: Sequence[str], manner: Manner, application: Application, supply: Supply) -> Asked:
    """What a user names: `hello`, `@alice/hello@^1`, `users/alice/hello@stable`, `…@sha256:…`.

    Raises:
        Missing: there is no such artifact, or no such version.
        Problem: it is no name, or one of another registry or type.
    """
    parsed = [catalog.parse(text) for text in texts]
    meant = [references.repositories(one, manner.home or references.OFFICIAL) for one in parsed]
    published = supply.releases([name for names in meant for name in names])
    roots: list[Root] = []
    keep: dict[str, str] = {}
    for text, reference, names in zip(texts, parsed, meant, strict=True):
        if reference.host not in {None, _DEFAULT_HOST, supply.address.host}:
            raise Problem(
                f"{text} is of another registry than {supply.address.url}.", f"Say --registry {reference.host}."
            )
        name = next((one for one in names if published.get(one)), None)
        if name is None:
            raise unknown(text)
        shelf = Shelf(supply.releases, {})
        _check_type(shelf.of(name)[0], manner.type)
        before = application.named(name)
        key = before.key if before is not None else f"@{name.partition('/')[2]}"
        wanted, digest = _range(reference, name, shelf, supply, exact=manner.is_exact)
        keep |= {name: digest} if digest else {}
        roots.append(Root(key, wanted, manner.is_dev))
    return Asked(tuple(roots), keep)


def _check_type(release: Release, wanted: str) -> None:
    if wanted not in {"", "module", release.type}:
        group = release.type.partition("-")[0]
        raise Problem(
            f"{release.repository} is of the type {release.type}, no {wanted}.",
            f"Run gati {group if group in {'plugin', 'agent', 'model'} else 'module'} install {release.repository}.",
        )


def _range(reference: references.Reference, name: str, shelf: Shelf, supply: Supply, *, exact: bool) -> tuple[str, str]:
    """The range that is kept for what a user wrote, and the digest that is meant now, empty where any in it will do."""
    releases = shelf.of(name)
    if reference.digest is not None:
        if all(one.digest != reference.digest for one in releases):
            raise unknown(f"{name}@{reference.digest}")
        return reference.digest, reference.digest
    text = reference.version
    if text is None:
        return around(releases[0].version, exact=exact), releases[0].digest
    if versions.is_range(text):
        fitting = next((one for one in releases if versions.satisfies(one.version, text)), None)
        if fitting is None:
            told = ", ".join(versions.newest_first(one.version for one in releases)[:6])
            raise Missing(f"No published version of {name} is in {text} (published: {told}).", code="VERSION_NOT_FOUND")
        return (fitting.version, fitting.digest) if exact else (text, "")
    release = supply.reach.catalog.release(name, text)
    return around(str(release.get("version")), exact=exact), str(release.get("digest"))


def around(version: str, *, exact: bool = False) -> str:
    """The range that is written for a version."""
    plain = version.partition("+")[0]
    return version if exact else f"^{plain}"
