import json
from typing import Any

import pytest

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import Submission
from registry.artifacts.types.examples import archive
from registry.artifacts.types.transformer import CODE, RULES
from registry.core.errors import MalformedManifest
from tests.artifacts.making import submit

TRANSFORMER = BY_NAME["transformer"]
CODE_LAYER = ("code.tgz", CODE, archive({"index.js": b"1"}))


def transformer(layers: Any = None, **config: Any) -> Submission:
    """The example with other members of `config`."""
    return submit(TRANSFORMER, {**TRANSFORMER.example, "config": {**TRANSFORMER.example["config"], **config}}, layers)


def refused_at(submission: Submission) -> str:
    """Where it is refused."""
    with pytest.raises(MalformedManifest) as refused:
        checking.check(submission)
    assert refused.value.detail["suggestion"]
    return str(refused.value.detail["pointer"])


def step(kind: str, **details: Any) -> dict[str, Any]:
    """A step at a path."""
    return {"type": kind, "path": "items[].price", "details": details}


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "User", "changes": {"renamed": {"user.mail": "user.email"}}},
        {"type": "User", "changes": {"removed": [{"name": "fax", "default": None}]}},
        step("rename", to="items[].cents"),
        step("add", default=0),
        step("transform", op="toString"),
        step("transform", op="scale", by=100, decimals=0),
        step("transform", op="split", on=" ", into=["first", "last"]),
        step("transform", op="join", **{"with": " ", "from": ["first", "last"]}),
        step("transform", op="map", table={"a": "b"}),
    ],
)
def test_each_rule_of_the_closed_set_is_taken(rule: dict[str, Any]) -> None:
    checking.check(transformer(transformations=[rule]))


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"type": "User"}, ""),
        ({"type": "User", "path": "a", "changes": {}}, ""),
        ({"type": "User", "changes": {}}, "/changes"),
        ({"type": "User", "changes": {"added": ["phone"]}}, "/changes/added/0"),
        ({"type": "User", "changes": {"removed": [{"name": "fax"}]}}, "/changes/removed/0"),
        ({"type": "User", "changes": {"renamed": {"a": "b", "c": "b"}}}, "/changes/renamed/c"),
        ({"type": "User", "changes": {"renamed": {"a": "b c"}}}, "/changes/renamed/a"),
        ({"type": "User", "changes": {"renamed": {"../a": "b"}}}, "/changes/renamed/..~1a"),
        (
            {"type": "User", "changes": {"added": [{"name": "b", "default": 1}], "renamed": {"a": "b"}}},
            "/changes/renamed/a",
        ),
        (step("rename"), "/details/to"),
        (step("rename", to="items[].price"), "/details/to"),
        (step("add"), "/details/default"),
        (step("explode"), "/type"),
        (step("transform", op="eval"), "/details/op"),
        (step("transform", op=["toString"]), "/details/op"),
        (step("transform", op="scale", by=0), "/details/by"),
        (step("transform", op="scale", by="100"), "/details/by"),
        (step("transform", op="split", on="", into=["a", "b"]), "/details/on"),
        (step("transform", op="split", on=" ", into=["a"]), "/details/into"),
        ({"type": "transform", "path": "a..b", "details": {"op": "wrap"}}, "/path"),
    ],
)
def test_a_rule_that_cannot_be_done_is_refused_where_it_stands(rule: dict[str, Any], place: str) -> None:
    assert refused_at(transformer(transformations=[rule])) == f"/config/transformations/0{place}"


def test_what_loses_something_or_has_code_needs_no_defaults() -> None:
    rule = [{"type": "User", "changes": {"added": ["phone"], "removed": ["fax"]}}]
    rules = ("rules.json", RULES, json.dumps({"transformations": rule}).encode())
    checking.check(transformer([rules], transformations=rule, lossy=True))
    checking.check(transformer([CODE_LAYER], transformations=rule))


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.x", "2.x"), ("1.4.0", "2.0.0"), ("^1.0.0", "^2.0.0"), ("2.x", "1.x"), ("<2.0.0", ">=2.0.0")],
)
def test_two_sides_of_a_breaking_change_are_taken(older: str, newer: str) -> None:
    wants = checking.check(transformer(fromVersion=older, toVersion=newer)).extract.wants
    assert [(one.reference, one.wanted, one.relation) for one in wants] == [("@alice/hello", older, "transforms")]


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.x", "1.x"), ("1.0.0", "1.0.0"), ("*", "2.x"), (">=1.0.0", "2.x"), ("1.x", "1.2.0"), ("<=2.0.0", ">=2.0.0")],
)
def test_sides_that_share_a_version_are_refused(older: str, newer: str) -> None:
    assert refused_at(transformer(fromVersion=older, toVersion=newer)) == "/config/toVersion"


def test_no_version_and_no_name_is_refused() -> None:
    assert refused_at(transformer(fromVersion="one")) == "/config/fromVersion"
    assert refused_at(transformer(fromArtifact="@alice/hello@1.0.0")) == "/config/fromArtifact"
    assert refused_at(transformer(fromArtifact="Hello!")) == "/config/fromArtifact"
    assert refused_at(transformer(transformations=[])) == "/config/transformations"


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"{}", b'{"transformations": []}', b'{"transformations": [{"type": "User"}]}', b"[" * 90_000]
)
def test_rules_in_a_layer_are_held_to_the_same(raw: bytes) -> None:
    with pytest.raises(MalformedManifest) as refused:
        checking.check(transformer([("rules.json", RULES, raw)]))
    assert refused.value.document == "layer"


def test_a_transformer_has_rules_or_code() -> None:
    assert refused_at(transformer([])) == "/layers"
