"""Which releases a project gets: all ranges hold, one version of each artifact, the same answer to the same question.

What the lock has is kept where it fits. Else the highest published version is taken: one that nobody deprecated before
one that somebody has, a stable one before a pre-release. A peer is a dependency that need not be installed first. An
optional one comes along where it fits what is chosen without it. Nothing here reads or writes but `Shelf`, by the
function that it is given.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver
from resolvelib.structs import RequirementInformation

from registry.artifacts import versions
from registry.cli import conflicts
from registry.cli.conflicts import Claim
from registry.cli.graph import FOLLOWED, Graph, Release, Want
from registry.cli.problems import Clash, Missing

STEPS: Final = 20_000
_satisfies: Final = lru_cache(1 << 14)(versions.satisfies)
Fetch = Callable[[list[str]], Mapping[str, Sequence[Release]]]


def admits(want: Want, release: Release) -> bool:
    """Whether a release is what somebody wants."""
    if want.is_exact:
        return release.digest == want.digest
    return _satisfies(release.version, want.wanted)


def followed(release: Release) -> Iterator[Want]:
    """Whom it brings along."""
    return (want for want in release.wants if want.relation in FOLLOWED)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be resolved.

    Attributes:
        roots: what the project wants; those of relation `dev` for its development alone.
        locked: digests that are kept where they fit, by repository.
    """

    roots: tuple[Want, ...]
    locked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a project gets.

    Attributes:
        order: repositories, each after those that it depends on.
        dev: those that only development wants.
        left_out: optional wants that did not fit.
        warnings: sentences.
    """

    graph: Graph
    order: tuple[str, ...]
    dev: frozenset[str]
    left_out: tuple[Claim, ...]
    warnings: tuple[str, ...]


class Shelf:
    """The releases of artifacts, asked for once and for many at a time."""

    def __init__(self, fetch: Fetch, locked: Mapping[str, str]) -> None:
        self._fetch = fetch
        self._locked = locked
        self._preferred: dict[str, tuple[Release, ...]] = {}

    def of(self, repository: str) -> tuple[Release, ...]:
        """All releases of an artifact, the one to be preferred first."""
        self._learn([repository])
        return self._preferred[repository]

    def _learn(self, repositories: Iterable[str]) -> None:
        new = sorted(set(repositories) - set(self._preferred))
        if not new:
            return
        found = self._fetch(new)
        for name in new:
            highest = {version: rank for rank, version in enumerate(versions.newest_first(_named(found.get(name, ()))))}
            self._preferred[name] = tuple(
                sorted(
                    found.get(name, ()),
                    key=lambda one: (
                        one.digest != self._locked.get(one.repository),
                        one.deprecation is not None,
                        not versions.is_stable(one.version),
                        highest[one.version],
                        one.digest,
                    ),
                )
            )

    def is_locked(self, release: Release) -> bool:
        """Whether the project has it already."""
        return self._locked.get(release.repository) == release.digest

    def gather(self, roots: Iterable[Want]) -> None:
        """Ask for what will most likely be needed, one request for each level of the graph."""
        level, seen = set(roots), set[Want]()
        while level:
            seen |= level
            self._learn(want.target for want in level)
            liked = (next((one for one in self.of(want.target) if admits(want, one)), None) for want in level)
            level = {want for one in liked if one is not None for want in followed(one)} - seen


def _named(releases: Sequence[Release]) -> set[str]:
    return {release.version for release in releases}


class _Provider(AbstractProvider[Want, Release, str]):
    """What resolvelib asks. `fixed` is chosen already, with all that it wants."""

    def __init__(self, shelf: Shelf, fixed: Mapping[str, Release]) -> None:
        self._shelf = shelf
        self._fixed = fixed

    def identify(self, requirement_or_candidate: Want | Release) -> str:
        if isinstance(requirement_or_candidate, Want):
            return requirement_or_candidate.target
        return requirement_or_candidate.repository

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Release],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[str, Iterator[Release]],  # noqa: ARG002 - as above
        information: Mapping[str, Iterator[RequirementInformation[Want, Release]]],  # noqa: ARG002 - as above
        backtrack_causes: Sequence[RequirementInformation[Want, Release]],
    ) -> tuple[bool, str]:
        return all(cause.requirement.target != identifier for cause in backtrack_causes), identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Want]],
        incompatibilities: Mapping[str, Iterator[Release]],
    ) -> list[Release]:
        without = {one.digest for one in incompatibilities[identifier]}
        return [one for one in self.matches(identifier, list(requirements[identifier])) if one.digest not in without]

    def matches(self, name: str, wants: Sequence[Want]) -> list[Release]:
        """The releases of an artifact that all of these admit, the best first."""
        fixed = self._fixed.get(name)
        liked = {want.digest for want in wants if want.digest}
        found = [
            one
            for one in (self._shelf.of(name) if fixed is None else (fixed,))
            if all(admits(want, one) for want in wants)
        ]
        # A release that somebody was published with comes before a higher one, unless the lock has another.
        return sorted(found, key=lambda one: one.digest not in liked) if liked and not self._keeps(found) else found

    def _keeps(self, found: Sequence[Release]) -> bool:
        return bool(found) and self._shelf.is_locked(found[0])

    def is_satisfied_by(self, requirement: Want, candidate: Release) -> bool:
        return admits(requirement, candidate)

    def get_dependencies(self, candidate: Release) -> list[Want]:
        if candidate.repository in self._fixed:
            return []
        return sorted(want for want in followed(candidate) if not want.is_optional)


def _search(shelf: Shelf, roots: Iterable[Want], fixed: Mapping[str, Release]) -> dict[str, Release]:
    provider = _Provider(shelf, fixed)
    found = _at_once(provider, roots)
    if found is not None:
        return found
    resolver: Resolver[Want, Release, str] = Resolver(provider, BaseReporter[Want, Release, str]())
    try:
        return dict(resolver.resolve(sorted(set(roots)), max_rounds=STEPS).mapping)
    except ResolutionImpossible as error:
        claims = [Claim(cause.requirement, cause.parent) for cause in error.causes]
        published = {claim.want.target: shelf.of(claim.want.target) for claim in claims}
        raise conflicts.unsatisfiable(claims, published) from error
    except ResolutionTooDeep as error:
        raise conflicts.too_deep(STEPS) from error


def _at_once(provider: _Provider, roots: Iterable[Want]) -> dict[str, Release] | None:
    """The best release of each, where nobody minds any other's: in time that grows as the graph does; else None."""
    wants: dict[str, list[Want]] = {}
    chosen: dict[str, Release] = {}
    waiting = deque(sorted(set(roots)))
    while waiting:
        want = waiting.popleft()
        wants.setdefault(want.target, []).append(want)
        if want.target not in chosen:
            best = provider.matches(want.target, [want])
            if not best:
                return None
            chosen[want.target] = best[0]
            waiting.extend(provider.get_dependencies(best[0]))
    fits = all(provider.matches(name, wants[name])[:1] == [release] for name, release in chosen.items())
    return chosen if fits else None


def resolve(question: Question, fetch: Fetch) -> Resolution:
    """The releases that a project gets.

    Raises:
        Problem: there are none that all agree on, or they want each other in a circle.
    """
    shelf = Shelf(fetch, question.locked)
    roots = sorted(set(question.roots))
    shelf.gather(roots)
    chosen = _search(shelf, roots, {})
    _refuse_circles(chosen)
    left_out = _with_optional(shelf, chosen)
    graph = graph_of(chosen)
    lasting = graph.reached(want.target for want in roots if want.relation != "dev")
    return Resolution(graph, graph.order(), frozenset(chosen) - lasting, left_out, _warnings(graph, left_out))


def _with_optional(shelf: Shelf, chosen: dict[str, Release]) -> tuple[Claim, ...]:
    """Add to `chosen` what is optional and fits; the claims that do not."""
    left_out: list[Claim] = []
    waiting = deque(_optional(chosen.values()))
    while waiting:
        claim = waiting.popleft()
        want = claim.want
        if want.target in chosen:
            left_out += [claim] * (not admits(want, chosen[want.target]))
            continue
        try:
            more = {} if want.relation == "peer" else _search(shelf, [want], chosen)
        except (Clash, Missing):
            left_out.append(claim)
            continue
        new = {name: release for name, release in more.items() if name not in chosen}
        if graph_of(chosen | new).circle():
            left_out.append(claim)
            continue
        chosen |= new
        waiting.extend(_optional(new.values()))
    return tuple(left_out)


def _optional(releases: Iterable[Release]) -> list[Claim]:
    claims = [Claim(want, release) for release in releases for want in followed(release) if want.is_optional]
    return sorted(claims, key=lambda claim: (str(claim.by), claim.want))


def graph_of(chosen: Mapping[str, Release]) -> Graph:
    """The graph of these releases: what is optional, or a peer, puts nobody behind another in a circle."""
    edges: dict[str, dict[str, str]] = {name: {} for name in chosen}
    after: dict[str, set[str]] = {name: set() for name in chosen}
    soft: list[tuple[str, str]] = []
    for name, release in sorted(chosen.items()):
        for want in sorted(followed(release)):
            if want.target not in chosen or not admits(want, chosen[want.target]):
                continue
            edges[name].setdefault(want.target, want.wanted)
            if want.is_optional or want.relation == "peer":
                soft.append((name, want.target))
            else:
                after[name].add(want.target)
    for name, other in soft:
        if not _reaches(after, other, name):
            after[name].add(other)
    return Graph(chosen, edges, {name: frozenset(others) for name, others in after.items()})


def _reaches(after: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        waiting += after[here] - seen
        seen |= after[here]
    return False


def _refuse_circles(chosen: Mapping[str, Release]) -> None:
    graph = graph_of(chosen)
    circle = graph.circle()
    if circle:
        raise conflicts.circular(graph, circle)


def _warnings(graph: Graph, left_out: Sequence[Claim]) -> tuple[str, ...]:
    old = [one for _, one in sorted(graph.releases.items()) if one.deprecation is not None]
    told = [f"{one} is deprecated: {one.deprecation}" for one in old]
    for claim in left_out:
        have = graph.releases.get(claim.want.target)
        reason = "is left out" if have is None else f"does not get it, because {have.version} is installed"
        told.append(f"{claim}, which is optional; it {reason}.")
    return tuple(told)
