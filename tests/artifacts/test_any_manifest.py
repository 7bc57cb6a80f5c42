"""Whatever stands in a manifest or a layer, it is judged: accepted or refused with a place and a suggestion."""

import copy
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts import checking
from registry.artifacts.catalogue import KINDS
from registry.artifacts.model import Kind, Submission
from registry.artifacts.schemas import document_schema
from registry.core.errors import ArtifactInvalid
from tests.artifacts.making import submit

TEXTS = st.sampled_from(
    [
        "",
        "a",
        "../a",
        "@a/b",
        "users/alice/hello",
        "1.0.0",
        "*",
        "^1 || 2",
        "sha256:" + "a" * 64,
        "{{ x }}",
        "é",
        "a\n",
        "9" * 99,
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 70000), st.just(10**30), st.floats(0, 1), TEXTS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
EDITS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(["put", "drop", "copy"]), VALUES), min_size=1, max_size=4
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and item, as its holder and its key."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in [(value, key), *places(inner)]]
    if isinstance(value, list):
        return [found for key, inner in enumerate(value) for found in [(value, key), *places(inner)]]
    return []


def edited(document: dict[str, Any], edits: list[tuple[int, str, Any]], members: list[str]) -> dict[str, Any]:
    """The document with some of its members changed, and others of its schema filled with anything."""
    for number, how, value in edits:
        found = places(document)
        if number % 3 == 0 or not found:
            holder: Any = document if number % 2 else document.get("config")
            if isinstance(holder, dict):
                holder[members[number % len(members)]] = value
            continue
        holder, key = found[number % len(found)]
        if how == "put":
            holder[key] = value
        elif how == "drop":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
    return document


def must_judge(submission: Submission) -> None:
    try:
        checked = checking.check(submission)
        checking.needs_referrers(submission)
        for layer in checked.pending:
            checking.check_whole(submission, layer, io.BytesIO(layer.head))
    except ArtifactInvalid as error:
        detail = error.detail
        assert detail["document"] in {"config", "manifest", "layer"}
        assert detail["pointer"] == "" or detail["pointer"].startswith("/")
        assert detail["suggestion"]
        assert len(json.dumps(detail, allow_nan=False)) < 6000
    else:
        json.dumps([checked.extract.version, checked.extract.description, checked.extract.keywords])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(edits=EDITS)
@settings(max_examples=40, deadline=None)
def test_a_manifest_with_anything_in_it_is_accepted_or_refused(kind: Kind, edits: list[tuple[int, str, Any]]) -> None:
    properties = document_schema(kind)["properties"]
    members = [*properties, *properties["config"].get("properties", {})]
    document = edited(json.loads(json.dumps(kind.example)), edits, members)
    must_judge(submit(kind, document if isinstance(document, dict) else {}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(
    number=st.integers(0, 3),
    edits=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=3),
    cut=st.integers(0, 9),
)
@settings(max_examples=25, deadline=None)
def test_layers_with_anything_in_them_are_accepted_or_refused(
    kind: Kind, number: int, edits: list[tuple[int, int]], cut: int
) -> None:
    layers = list(kind.example_layers)
    title, media_type, content = layers[number % len(layers)]
    data = bytearray(content)
    for place, value in edits:
        if data:
            data[place % len(data)] = value
    changed = bytes(data[: len(data) * cut // 8] if cut < 8 else data)
    layers[number % len(layers)] = (title, media_type, changed)
    must_judge(submit(kind, layers=layers))
