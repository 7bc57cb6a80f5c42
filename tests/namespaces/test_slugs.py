"""Names: what they may be, and which are one name to the eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import Unprocessable
from registry.core.slugs import RESERVED, check_robot, check_slug, prefix, skeleton, split

SLUGS = st.from_regex(r"\A[a-z0-9]+(?:-+[a-z0-9]+)*\Z")
PAIRS = [("0", "o"), ("1", "l"), ("i", "l"), ("1", "i"), ("rn", "m"), ("vv", "w"), ("-", "--"), ("-", "_"), (".", "-")]


@given(SLUGS)
def test_the_look_of_a_look_is_itself(slug: str) -> None:
    assert skeleton(skeleton(slug)) == skeleton(slug)


@given(st.text("ab-rnmvw", max_size=4), st.sampled_from(PAIRS), st.text("abrnmvw", max_size=4))
def test_what_looks_alike_has_one_look_wherever_it_stands(before: str, pair: tuple[str, str], after: str) -> None:
    assert skeleton(before + pair[0] + after) == skeleton(before + pair[1] + after)


@given(SLUGS, SLUGS)
def test_looks_are_put_together_as_names_are(one: str, other: str) -> None:
    """So no order of folding can tell two spellings apart."""
    assert skeleton(one + other) == skeleton(skeleton(one) + skeleton(other))


@pytest.mark.parametrize(
    ("one", "other"), [("vw", "wv"), ("rrn", "rm"), ("vvv", "wv"), ("g00gle", "google"), ("1il", "lll")]
)
def test_spellings_that_differ_in_folded_letters_are_one(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("g-ati", "gati"), ("a-b", "ab"), ("nr", "m"), ("v", "w"), ("b", "8")])
def test_names_that_can_be_told_apart_are_two(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize("slug", ["a", "0", "a-b", "a--b", "a" * 50])
def test_a_legal_name_may_be_taken(slug: str) -> None:
    assert check_slug("user", slug) == check_slug("org", slug) == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "a_b", "a.b", "a/b", "a" * 51, "ä", "a b", "a+b", "٣", "a\n", "\ud800"]
)
def test_an_illegal_name_is_refused(slug: str) -> None:
    with pytest.raises(Unprocessable):
        check_slug("user", slug)


def test_upper_case_is_refused_with_the_spelling_to_use() -> None:
    with pytest.raises(Unprocessable, match="use alice-b"):
        check_slug("org", "Alice-B")


@pytest.mark.parametrize("slug", ["a.b", "a_b", "a__b", "a" * 100])
def test_a_plain_namespace_is_any_component_of_a_repository_name(slug: str) -> None:
    assert check_slug("plain", slug) == slug


@pytest.mark.parametrize("slug", ["a___b", "a" * 101, "a..b", "users", "orgs"])
def test_a_plain_namespace_is_nothing_else(slug: str) -> None:
    with pytest.raises(Unprocessable):
        check_slug("plain", slug, may_take_reserved=True)


@pytest.mark.parametrize("slug", ["admin", "adrnin", "r00t", "1ogin", "gat1", "vvww", "wwvv", "well--known", "library"])
def test_reserved_names_and_what_looks_like_them_are_for_operators(slug: str) -> None:
    with pytest.raises(Unprocessable, match="reserved"):
        check_slug("user", slug)
    assert check_slug("user", slug, may_take_reserved=True) == slug


def test_a_plain_namespace_of_common_images_may_be_made() -> None:
    assert check_slug("plain", "library") == "library"
    with pytest.raises(Unprocessable):
        check_slug("plain", "1ibrary")


def test_the_names_that_paths_begin_with_are_reserved() -> None:
    for name in (
        "users",
        "orgs",
        "v1",
        "v2",
        "token",
        "health",
        "ready",
        "metrics",
        "anonymous",
        "anybody",
        "registry",
    ):
        assert skeleton(name) in RESERVED


@pytest.mark.parametrize(
    ("kind", "slug", "name"), [("user", "a", "users/a"), ("org", "b", "orgs/b"), ("plain", "c", "c")]
)
def test_a_repository_name_begins_with_its_namespace(kind: str, slug: str, name: str) -> None:
    assert prefix(kind, slug) == name
    assert split(name) == split(f"{name}/x/y") == (kind, slug)


@pytest.mark.parametrize("name", ["", "a+b", "A", "-a", "a" * 51, "a..b"])
def test_a_robot_has_a_name_of_its_own_grammar(name: str) -> None:
    assert check_robot("ci-1.x_y") == "ci-1.x_y"
    with pytest.raises(Unprocessable):
        check_robot(name)
