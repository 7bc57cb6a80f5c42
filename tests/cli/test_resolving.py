"""What is said of artifacts that do not fit together, and which of several that fit are taken."""

from collections.abc import Sequence

import pytest

from registry.cli import resolving
from registry.cli.graph import Release, Want
from registry.cli.problems import Clash, Missing
from registry.cli.resolving import Question, Resolution, resolve

A, B, C, D = "users/x/a", "users/x/b", "users/x/c", "users/x/d"


def release(name: str, version: str, *wants: Want, deprecation: str | None = None) -> Release:
    return Release(name, version, f"sha256:{name}-{version}", "module-node", wants, deprecation=deprecation)


def solve(shelf: Sequence[Release], *roots: Want, **locked: str) -> Resolution:
    def fetch(names: list[str]) -> dict[str, list[Release]]:
        return {name: [one for one in shelf if one.repository == name] for name in names}

    kept = {f"users/x/{name}": f"sha256:users/x/{name}-{version}" for name, version in locked.items()}
    return resolve(Question(roots, kept), fetch)


def versions(found: Resolution) -> dict[str, str]:
    return {name: one.version for name, one in found.graph.releases.items()}


def test_two_who_want_different_versions_are_both_named() -> None:
    shelf = [
        release(A, "1.2.0", Want(B, "^2.0.0")),
        release(C, "3.1.0", Want(B, "^1.0.0")),
        release(B, "1.0.0"),
        release(B, "2.0.0"),
    ]
    with pytest.raises(Clash) as told:
        solve(shelf, Want(A), Want(C))
    assert told.value.message == (
        f"{A} 1.2.0 wants {B} ^2.0.0 and {C} 3.1.0 wants {B} ^1.0.0: "
        f"no version of {B} is both (published: 2.0.0, 1.0.0)."
    )
    assert any(f"gati module remove {C}" in text for text in told.value.suggestions)


def test_a_range_without_a_version_is_told_with_the_newest() -> None:
    with pytest.raises(Clash) as told:
        solve([release(A, "1.0.0")], Want(A, "^2"))
    assert told.value.message.startswith(f"The project wants {A} ^2: no version of {A}")
    assert f"gati module install {A}@^1.0.0" in told.value.suggestions[0]


def test_an_artifact_that_is_not_there_is_told_with_who_wants_it() -> None:
    with pytest.raises(Missing, match=f"{A} 1.0.0 wants {B} \\*, but the registry has no release of {B}"):
        solve([release(A, "1.0.0", Want(B))], Want(A))


def test_an_older_version_is_taken_where_the_newest_does_not_fit() -> None:
    shelf = [release(A, "1.0.0", Want(B, "^1")), release(A, "1.1.0", Want(B, "^2")), release(B, "1.0.0")]
    assert versions(solve(shelf, Want(A))) == {A: "1.0.0", B: "1.0.0"}


def test_a_pre_release_comes_only_where_it_is_named() -> None:
    shelf = [release(A, "1.0.0"), release(A, "2.0.0-rc.1"), release(A, "2.0.0-rc.2")]
    assert versions(solve(shelf, Want(A))) == {A: "1.0.0"}
    assert versions(solve(shelf, Want(A, "^2.0.0-rc.1"))) == {A: "2.0.0-rc.2"}


def test_a_deprecated_one_comes_only_where_nothing_else_fits() -> None:
    shelf = [release(A, "1.0.0"), release(A, "1.1.0", deprecation="It leaks.")]
    assert versions(solve(shelf, Want(A))) == {A: "1.0.0"}
    found = solve(shelf, Want(A, "^1.1.0"))
    assert found.warnings == (f"{A} 1.1.0 is deprecated: It leaks.",)


def test_what_is_locked_is_kept_even_if_it_is_old_or_deprecated() -> None:
    shelf = [release(A, "1.0.0", deprecation="Old."), release(A, "1.1.0")]
    assert versions(solve(shelf, Want(A), a="1.0.0")) == {A: "1.0.0"}
    assert versions(solve(shelf, Want(A, "^1.1.0"), a="1.0.0")) == {A: "1.1.0"}


def test_an_optional_one_comes_where_it_fits_and_stays_away_where_not() -> None:
    shelf = [
        release(A, "1.0.0", Want(B, "^1", is_optional=True), Want(C, "^1"), Want(D, is_optional=True)),
        release(B, "1.0.0", Want(C, "^2")),
        release(C, "1.0.0"),
        release(C, "2.0.0"),
    ]
    found = solve(shelf, Want(A))
    assert versions(found) == {A: "1.0.0", C: "1.0.0"}
    assert len(found.warnings) == 2
    better = [*shelf, release(D, "1.0.0", Want(C)), release(B, "1.0.1", Want(D))]
    assert versions(solve(better, Want(A))) == {A: "1.0.0", B: "1.0.1", C: "1.0.0", D: "1.0.0"}


def test_an_optional_want_makes_no_circle() -> None:
    shelf = [release(A, "1.0.0", Want(B)), release(B, "1.0.0", Want(A, is_optional=True))]
    assert solve(shelf, Want(A)).order == (B, A)


def test_a_plugin_and_its_host_may_name_each_other() -> None:
    shelf = [release(A, "1.0.0", Want(B)), release(B, "1.0.0", Want(A, "^1", relation="peer"))]
    assert solve(shelf, Want(A)).order == (B, A)
    with pytest.raises(Clash, match=f"{B} 1.0.0 needs beside it {A} \\^1"):
        solve([release(A, "2.0.0", Want(B)), shelf[1]], Want(A))


def test_what_others_need_for_their_development_stays_away() -> None:
    shelf = [release(A, "1.0.0", Want(B, relation="dev"), Want(C, relation="transforms"))]
    assert versions(solve(shelf, Want(A))) == {A: "1.0.0"}


def test_what_is_pinned_without_a_range_is_that_release() -> None:
    pinned = Want(B, "*", "module", digest=f"sha256:{B}-1.0.0")
    shelf = [release(A, "1.0.0", pinned), release(B, "1.0.0"), release(B, "2.0.0")]
    assert versions(solve(shelf, Want(A))) == {A: "1.0.0", B: "1.0.0"}


def test_what_is_pinned_with_a_range_is_preferred_in_it() -> None:
    pinned = Want(B, "^1", "module", digest=f"sha256:{B}-1.0.0")
    shelf = [release(A, "1.0.0", pinned), release(B, "1.0.0"), release(B, "1.1.0"), release(B, "1.2.0")]
    assert versions(solve(shelf, Want(A)))[B] == "1.0.0"
    assert versions(solve(shelf, Want(A), Want(B, "^1.1.0")))[B] == "1.2.0"
    assert versions(solve(shelf, Want(A), b="1.1.0"))[B] == "1.1.0"


def test_what_only_development_needs_is_marked() -> None:
    shelf = [
        release(A, "1.0.0", Want(C)),
        release(B, "1.0.0", Want(C), Want(D)),
        release(C, "1.0.0"),
        release(D, "1.0.0"),
    ]
    assert solve(shelf, Want(A), Want(B, relation="dev")).dev == {B, D}


def test_a_search_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "STEPS", 2)
    shelf = [
        release(A, "1.1.0", Want(B, "^2")),
        release(A, "1.0.0", Want(B)),
        release(B, "1.0.0", Want(C)),
        release(C, "1.0.0"),
    ]
    with pytest.raises(Clash, match="within 2 steps"):
        solve(shelf, Want(A))
