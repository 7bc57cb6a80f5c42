from typing import Any

import pytest

from registry.artifacts import checking, globs, templating
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import Submission
from registry.artifacts.types.examples import archive
from registry.artifacts.types.template import LAYER
from registry.core.errors import MalformedManifest, Unprocessable
from tests.artifacts.making import submit

TEMPLATE = BY_NAME["template"]


def template(files: dict[str, bytes] | None = None, top: dict[str, Any] | None = None, **config: Any) -> Submission:
    """The example with other files and other members."""
    document = {**TEMPLATE.example, "config": {**TEMPLATE.example["config"], **config}, **(top or {})}
    return submit(TEMPLATE, document, None if files is None else [("t.tgz", LAYER, archive(files))])


def refused_at(submission: Submission) -> str:
    """Where it is refused."""
    with pytest.raises(MalformedManifest) as refused:
        checking.check(submission)
    return str(refused.value.detail["pointer"])


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ([{"name": "a"}, {"name": "a"}], "/config/variables/1/name"),
        ([{"name": "not-a-name"}], "/config/variables/0/name"),
        ([{"name": "a", "pattern": "("}], "/config/variables/0/pattern"),
        ([{"name": "a", "pattern": ")|("}], "/config/variables/0/pattern"),
        ([{"name": "a", "pattern": "(?=x)y"}], "/config/variables/0/pattern"),
        ([{"name": "a", "pattern": "((x{1,500}){1,500}){1,500}"}], "/config/variables/0/pattern"),
        ([{"name": "a", "options": ["x"], "default": "y"}], "/config/variables/0/default"),
        ([{"name": "a", "pattern": "[a-z]+", "default": "Y"}], "/config/variables/0/default"),
        ([{"name": "a", "pattern": "[a-z]+", "options": ["ok", "NO"]}], "/config/variables/0/options/1"),
        ([{"name": "a", "when": "b"}, {"name": "b"}], "/config/variables/0/when"),
        ([{"name": "a", "options": []}], "/config/variables/0/options"),
    ],
)
def test_variables_that_cannot_be_asked_for_are_refused(variables: list[dict[str, Any]], place: str) -> None:
    assert refused_at(template(variables=variables, conditions=[])) == place


@pytest.mark.parametrize(
    ("conditions", "place"),
    [
        ([{"files": "src/db/**", "when": "other"}], "/config/conditions/0/when"),
        ([{"files": "src/db/**", "when": "useDatabase =="}], "/config/conditions/0/when"),
        ([{"files": "../x", "when": "useDatabase"}], "/config/conditions/0"),
        ([{"files": "nothing/**", "when": "useDatabase"}], "/config/conditions/0/files"),
    ],
)
def test_conditions_on_nothing_are_refused(conditions: list[dict[str, Any]], place: str) -> None:
    assert refused_at(template(conditions=conditions)).startswith(place)


@pytest.mark.parametrize(
    ("patterns", "place"),
    [
        (["README.md", "src/**", "docs/**"], "/files/2"),
        (["src/**"], "/files"),
        (["*.md"], "/files"),
        (["/etc/**"], "/files/0"),
        (["../**"], "/files/0"),
        (["a/../**"], "/files/0"),
        ([""], "/files/0"),
        (["a**b"], "/files/0"),
    ],
)
def test_every_pattern_means_a_file_and_every_file_is_meant(patterns: list[str], place: str) -> None:
    assert refused_at(template(top={"files": patterns})) == place


def test_references_to_what_is_not_declared_are_left_alone() -> None:
    files = {"README.md": b"{{ unknown }} {{ projectName }}", "src/a": b"${{ github.actor }}", "src/db/x": b""}
    checking.check(template(files))
    assert templating.references("{{ a }} \\{{ b }} {{c}}") == {"a", "c"}
    assert templating.expand("{{ unknown }} {{ a }}", {"a": "1"}) == "{{ unknown }} 1"


def test_modules_that_a_template_includes_are_named() -> None:
    wants = checking.check(template(includesModules=["@gati-official/database@^1.0.0"])).extract.wants
    assert [(one.relation, one.wanted, one.type, one.must_pin) for one in wants] == [
        ("template-module", "^1.0.0", "module", False)
    ]


@pytest.mark.parametrize(
    ("when", "values", "holds"),
    [
        ("a", {"a": "true"}, True),
        ("a", {"a": "false"}, False),
        ("a", {"a": ""}, False),
        ("!a", {"a": "false"}, True),
        ("a == x", {"a": "x"}, True),
        ("a == 'x y'", {"a": "x y"}, True),
        ("a != x", {"a": "y"}, True),
        ("a==x", {"a": "y"}, False),
    ],
)
def test_a_condition_asks_for_a_value(when: str, values: dict[str, str], holds: bool) -> None:
    assert templating.holds(when, values) is holds


def test_files_without_their_condition_are_left_out() -> None:
    conditions = [{"files": "src/db/**", "when": "db"}, {"files": "*.lock", "when": "!db"}]
    paths = ["a.lock", "src/db/x", "src/y"]
    assert templating.kept(paths, conditions, {"db": "true"}) == ["src/db/x", "src/y"]
    assert templating.kept(paths, conditions, {"db": "false"}) == ["a.lock", "src/y"]


def test_a_variable_that_is_not_asked_for_needs_no_value() -> None:
    variables = [{"name": "db", "default": False}, {"name": "url", "required": True, "when": "db"}]
    assert templating.check_values(variables, {}) == {"db": "false", "url": ""}
    with pytest.raises(Unprocessable, match="needs a value"):
        templating.check_values(variables, {"db": "yes"})


def test_the_value_of_a_secret_is_not_repeated_in_an_error() -> None:
    with pytest.raises(Unprocessable) as refused:
        templating.check_values([{"name": "key", "secret": True, "pattern": "[0-9]+"}], {"key": "hunter2"})
    assert "hunter2" not in refused.value.message


def test_two_files_that_become_one_are_refused() -> None:
    with pytest.raises(Unprocessable, match="both become"):
        templating.expand_paths(["{{ a }}.js", "MAIN.js"], {"a": "main"})


def test_patterns_and_values_that_would_backtrack_are_matched_at_once() -> None:
    assert not templating.matches("(a+)+", "a" * 9000 + "b")
    assert not globs.matches("*a*a*a*a*a*a*a*a*a*b", "a" * 5000)
    assert not globs.matches("/".join(["**"] * 16 + ["b"]), "/".join(["a"] * 500))


@pytest.mark.parametrize(
    ("glob", "path", "is_meant"),
    [
        ("src", "src/a/b", True),
        ("*.js", "src/a.js", False),
        ("**/*.js", "a.js", True),
        ("**/*.js", "x/y/a.js", True),
        ("src/**", "src", False),
        ("src/", "src/a", True),
        ("src/", "srcx/a", False),
        ("a/**/b", "a/b", True),
        ("a?c", "abc", True),
        ("pages/[id].ts", "pages/[id].ts", True),
    ],
)
def test_a_pattern_means_paths_part_by_part(glob: str, path: str, is_meant: bool) -> None:
    assert globs.matches(glob, path) is is_meant
