"""What is installed together fits together, is the same for the same question, and comes after what it needs."""

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from registry.cli.conflicts import Claim
from registry.cli.graph import Release, Want
from registry.cli.problems import Clash, Missing, Problem
from registry.cli.resolving import Fetch, Question, Resolution, admits, resolve

VERSIONS = ("1.0.0", "1.1.0", "1.1.4", "2.0.0", "2.3.0", "3.0.0")
RANGES = ("^1.0.0", "^1.1.0", "^2.0.0", "~1.1.0", "~2.3.0", ">=1.1.0", ">=2.0.0", "=1.1.0", "=2.0.0", "*", "<2.0.0")
Graph = Mapping[str, Sequence[Release]]
T = TypeVar("T")


def name(number: int) -> str:
    return f"users/alice/n{number:02}"


@st.composite
def dep_graphs(draw: st.DrawFn, nodes: int, versions: int, *, circular: bool = False) -> dict[str, tuple[Release, ...]]:
    """A graph of at most so many artifacts of so many versions; without `circular` only later ones are wanted."""
    count = draw(st.integers(1, nodes))
    graph = {}
    for number in range(count):
        others = [other for other in range(count) if other > number or (circular and other != number)]
        wants = st.builds(
            Want,
            st.sampled_from(others).map(name),
            st.sampled_from(RANGES),
            relation=st.sampled_from(["dependency", "dependency", "dependency", "peer", "module", "dev"]),
            is_optional=st.sampled_from([False, False, False, True]),
        )
        some = st.lists(wants, max_size=2, unique=True).map(tuple) if others else st.just(())
        chosen = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=versions, unique=True))
        graph[name(number)] = tuple(
            Release(name(number), version, f"sha256:{number}-{version}", "module-node", draw(some))
            for version in chosen
        )
    return graph


def roots_of(graph: Graph) -> st.SearchStrategy[tuple[Want, ...]]:
    wants = st.builds(
        Want,
        st.sampled_from(sorted(graph)),
        st.sampled_from(RANGES),
        relation=st.sampled_from(["dependency", "dependency", "dev"]),
    )
    return st.lists(wants, min_size=1, max_size=3, unique_by=lambda want: want.target).map(tuple)


def fetch(graph: Graph) -> Fetch:
    return lambda names: {one: graph[one] for one in names if one in graph}


def hard(release: Release) -> list[Want]:
    return [want for want in release.wants if not want.is_optional and want.relation != "dev"]


def closed(roots: Sequence[Want], picked: Mapping[str, Release]) -> bool:
    """Whether all that must be there is, in its range."""
    waiting, seen = list(roots), set[str]()
    while waiting:
        want = waiting.pop()
        release = picked.get(want.target)
        if release is None or not admits(want, release):
            return False
        if want.target not in seen:
            seen.add(want.target)
            waiting += hard(release)
    return True


def is_possible(graph: Graph, roots: Sequence[Want]) -> bool:
    """Whether one version of each artifact does: all of them are tried."""
    names = sorted(graph)
    return any(
        closed(roots, dict(zip(names, picks, strict=True))) for picks in itertools.product(*(graph[n] for n in names))
    )


def shuffled(graph: Graph, roots: Sequence[Want], seed: int) -> tuple[Graph, tuple[Want, ...]]:
    """The same, written in another order."""
    dice = random.Random(seed)  # noqa: S311 - an order, not a secret

    def mixed(items: Iterable[T]) -> list[T]:
        found = list(items)
        dice.shuffle(found)
        return found

    again = {
        node: tuple(replace(one, wants=tuple(mixed(one.wants))) for one in mixed(graph[node])) for node in mixed(graph)
    }
    return again, tuple(mixed(roots))


def attempt(graph: Graph, roots: Sequence[Want], locked: Mapping[str, str] | None = None) -> Resolution | Problem:
    try:
        return resolve(Question(tuple(roots), locked or {}), fetch(graph))
    except Problem as problem:
        return problem


def check(found: Resolution, roots: Sequence[Want]) -> None:
    """All that the roots need is there once, in its range, and after what it depends on."""
    releases = found.graph.releases
    assert closed(roots, releases)
    assert sorted(found.order) == sorted(releases)
    place = {one: index for index, one in enumerate(found.order)}
    for release in releases.values():
        for want in hard(release):
            assert want.relation == "peer" or place[want.target] < place[release.repository]
    assert found.graph.reached(want.target for want in roots) == set(releases), "nothing is there that nobody wants"
    lasting = found.graph.reached(want.target for want in roots if want.relation != "dev")
    assert found.dev == set(releases) - lasting
    for claim in found.left_out:
        have = releases.get(claim.want.target)
        assert claim.want.is_optional
        assert have is None or not admits(claim.want, have)


# Feature: gati-registry, Property 4: Dependency resolution completeness
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_versions_are_found_wherever_there_are_some_that_fit(data: st.DataObject) -> None:
    graph = data.draw(dep_graphs(7, 3))
    roots = data.draw(roots_of(graph))
    found = attempt(graph, roots)
    assert isinstance(found, Resolution) == is_possible(graph, roots)
    if isinstance(found, Resolution):
        check(found, roots)
    else:
        assert isinstance(found, Clash | Missing)
        assert any(one in found.message for one in graph)


# Feature: gati-registry, Property 4: Dependency resolution completeness
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_order_in_which_things_are_written_changes_nothing(data: st.DataObject) -> None:
    graph = data.draw(dep_graphs(30, 3))
    roots = data.draw(roots_of(graph))
    first, second = attempt(graph, roots), attempt(*shuffled(graph, roots, data.draw(st.integers(0, 1 << 32))))
    if isinstance(first, Resolution) and isinstance(second, Resolution):
        check(first, roots)
        assert {name: one.digest for name, one in first.graph.releases.items()} == {
            name: one.digest for name, one in second.graph.releases.items()
        }
        assert (first.order, first.dev, first.graph.edges, first.warnings) == (
            second.order,
            second.dev,
            second.graph.edges,
            second.warnings,
        )
    else:
        assert isinstance(first, Problem)
        assert isinstance(second, Problem)
        assert first.document() == second.document()


# Feature: gati-registry, Property 4: Dependency resolution completeness
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_locked_stays_as_long_as_it_fits(data: st.DataObject) -> None:
    graph = data.draw(dep_graphs(12, 3))
    roots = data.draw(roots_of(graph))
    first = attempt(graph, roots)
    assume(isinstance(first, Resolution))
    assert isinstance(first, Resolution)
    locked = {one: release.digest for one, release in first.graph.releases.items()}
    newer = {
        one: (
            *graph[one],
            Release(one, "1.9.9", f"sha256:{one}", "module-node"),
            Release(one, "9.0.0", f"sha256:9{one}"),
        )
        for one in graph
    }
    again = attempt(newer, roots, locked)
    assert isinstance(again, Resolution)
    kept = {one: release.digest for one, release in again.graph.releases.items()}
    assert {one: kept[one] for one in locked} == locked


# Feature: gati-registry, Property 4: Dependency resolution completeness
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_artifacts_that_want_each_other_are_named_and_not_installed(data: st.DataObject) -> None:
    graph = data.draw(dep_graphs(6, 2, circular=True))
    roots = data.draw(roots_of(graph))
    found = attempt(graph, roots)
    if isinstance(found, Resolution):
        check(found, roots)
    elif found.code == "CIRCULAR_DEPENDENCY":
        members = found.message.rpartition(": ")[2].removesuffix(".").split(" → ")
        assert members[0] == members[-1]
        releases = {str(one): one for some in graph.values() for one in some}
        for here, there in itertools.pairwise(members):
            assert any(admits(want, releases[there]) for want in hard(releases[here]) if want.target in there)
    else:
        assert not is_possible(graph, roots)


def test_a_circle_of_two_is_told_with_both() -> None:
    one, two = name(1), name(2)
    graph = {
        one: (Release(one, "1.0.0", "sha256:1", wants=(Want(two),)),),
        two: (Release(two, "2.0.0", "sha256:2", wants=(Want(one),)),),
    }
    with pytest.raises(Clash, match=f"circle.*: {one} 1.0.0 → {two} 2.0.0 → {one} 1.0.0"):
        resolve(Question((Want(one),)), fetch(graph))


def test_a_claim_reads_as_a_clause() -> None:
    assert (
        str(Claim(Want("users/a/b", "^1"), Release("users/a/c", "1.0.0", ""))) == "users/a/c 1.0.0 wants users/a/b ^1"
    )
