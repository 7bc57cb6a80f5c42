"""Whole submissions: what of them is refused, where, and what is kept."""

import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME, KINDS
from registry.artifacts.model import GTYPES, README, Kind
from registry.core.errors import ArtifactInvalid, CircularDependency, MalformedManifest
from tests.artifacts.making import changed, entry, submit, tgz

NODE = BY_NAME["module-node"]
EXTERNAL = BY_NAME["module-external"]
CODE = NODE.layers[0].media_type
BASE = submit(NODE)


def detail(error: pytest.ExceptionInfo[ArtifactInvalid]) -> dict[str, Any]:
    found = error.value.detail
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_example_of_each_type_is_valid_and_nothing_of_it_is_left_to_read(kind: Kind) -> None:
    checked = checking.check(submit(kind))
    assert checked.extract.version == kind.example["version"]
    assert checked.pending == ()


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": "Hello"}, "/name"),
        ({"name": "other"}, "/name"),
        ({"version": "1.0"}, "/version"),
        ({"version": "v1.0.0"}, "/version"),
        ({"version": 1}, "/version"),
        ({"config": None}, "/config"),
        ({"config": {"type": "node"}}, "/config/entry"),
        ({"config": {"type": "wasm", "entry": "dist/index.js"}}, "/config/type"),
        ({"config": {"type": "node", "entry": "../index.js"}}, "/config/entry"),
        ({"config": {"type": "node", "entry": "dist/index.mjs"}}, "/config/entry"),
        ({"config": {"type": "node", "entry": "dist/index.js", "nodeVersion": "newest!"}}, "/config/nodeVersion"),
        ({"namespace": "gati.dev/users/bob"}, "/namespace"),
        ({"namespace": "alice"}, "/namespace"),
        ({"type": "module-wasm"}, "/type"),
        ({"description": "x" * 2001}, "/description"),
        ({"keywords": ["x"] * 51}, "/keywords"),
        ({"keywords": ["ok", "x" * 41]}, "/keywords/1"),
        ({"license": "Apache 2.0"}, "/license"),
        ({"license": "(MIT"}, "/license"),
        ({"capabilities": ["db:read", "Everything!"]}, "/capabilities/1"),
        ({"capabilities": [{"name": "a:b:c:d"}]}, "/capabilities/0/name"),
        ({"engines": {"gati": "newest"}}, "/engines/gati"),
        ({"homepage": "javascript:alert(1)"}, "/homepage"),
        ({"dependencies": [{"name": "@gati-official/db"}]}, "/dependencies/0/version"),
        ({"dependencies": [{"name": "Not A Name", "version": "1"}]}, "/dependencies/0/name"),
        ({"dependencies": [{"name": "@a/b@1.0.0", "version": "1"}]}, "/dependencies/0/name"),
        ({"dependencies": [{"name": "@a/b", "version": "one"}]}, "/dependencies/0/version"),
        ({"dependencies": [{"name": "@a/b", "version": "1", "kind": "runtim"}]}, "/dependencies/0/kind"),
        (
            {"dependencies": [{"name": "@a/b", "version": "1"}, {"name": "@a/b", "version": "2"}]},
            "/dependencies/1/name",
        ),
        ({"dependencies": [{"name": "@a/b", "version": "*"}] * 1001}, "/dependencies"),
        ({"dependencies": [{"name": "hello", "version": "*"}]}, "/dependencies/0/name"),
        ({"gtypes": [{"fields": {}}]}, "/gtypes/0/name"),
        ({"gtypes": [{"name": "A", "fields": {"a": "strin"}}]}, "/gtypes/0/fields/a"),
        ({"gtypes": [{"name": "A", "schema": {"kind": "symbol"}}]}, "/gtypes/0/schema/kind"),
        ({"gtypes": [{"name": "A", "schema": {"kind": "ref", "refId": "B"}}]}, "/gtypes/0/schema/refId"),
        ({"gtypes": [{"name": "A", "fields": {}}], "exports": {"go": {"inputRef": "B"}}}, "/exports/go/inputRef"),
    ],
    ids=str,
)
def test_a_manifest_that_breaks_a_rule_is_refused_where_it_breaks_it(members: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ArtifactInvalid) as error:
        checking.check(changed(BASE, **members))
    assert (detail(error)["document"], detail(error)["pointer"]) == ("config", pointer)
    assert detail(error)["suggestion"]
    assert error.value.message.endswith(".")


def test_a_word_that_is_nearly_right_is_met_with_the_right_one() -> None:
    with pytest.raises(MalformedManifest) as error:
        checking.check(changed(BASE, dependencies=[{"name": "@a/b", "version": "1", "kind": "runtim"}]))
    assert "Did you mean runtime?" in detail(error)["suggestion"]
    with pytest.raises(MalformedManifest) as error:
        checking.check(changed(BASE, config={"type": "node", "entry": "dist/index.mjs"}))
    assert "dist/index.js" in detail(error)["suggestion"]


def test_what_needs_itself_is_a_circle() -> None:
    with pytest.raises(CircularDependency):
        checking.check(changed(BASE, dependencies=[{"name": "users/alice/hello", "version": "*"}]))


@pytest.mark.parametrize("tag", ["2.0.0", "v2.0.0", "1.0.0_build"])
def test_a_tag_that_is_another_version_is_refused(tag: str) -> None:
    with pytest.raises(MalformedManifest) as error:
        checking.check(replace(BASE, tags=("1.0.0", "beta", tag)))
    assert detail(error)["pointer"] == "/version"


def test_the_annotated_version_must_be_that_of_the_manifest() -> None:
    annotated = {**BASE.manifest, "annotations": {"org.opencontainers.image.version": "2.0.0"}}
    with pytest.raises(MalformedManifest) as error:
        checking.check(replace(BASE, manifest=annotated))
    assert detail(error)["document"] == "manifest"


def test_build_metadata_is_the_underscore_of_the_tag() -> None:
    checked = checking.check(replace(changed(BASE, version="1.0.0+linux"), tags=("1.0.0_linux", "latest")))
    assert checked.extract.version == "1.0.0+linux"


def test_layers_that_the_type_has_not_are_refused_with_those_that_it_has() -> None:
    data = tgz(entry("dist/index.js", b"1"))
    with pytest.raises(MalformedManifest) as error:
        checking.check(submit(NODE, layers=[("a.tgz", "application/vnd.gati.module.node.layer.v1.tar", data)]))
    assert detail(error)["pointer"] == "/layers/0/mediaType"
    assert f"Did you mean {CODE}?" in detail(error)["suggestion"]


@pytest.mark.parametrize(
    ("layers", "pointer"),
    [
        ([], "/layers"),
        ([("a.tgz", CODE, b""), ("b.tgz", CODE, b"")], "/layers"),
        ([("a", CODE, b"x"), ("A", README, b"# x")], "/layers/1/annotations/org.opencontainers.image.title"),
        ([("../a", CODE, b"x")], "/layers/0/annotations/org.opencontainers.image.title"),
        ([("con.txt", CODE, b"x")], "/layers/0/annotations/org.opencontainers.image.title"),
        ([("a", CODE, b"x"), ("b", README, b"\xff")], "/layers/1"),
        ([("a", CODE, b"x"), ("b", README, b"a\0b")], "/layers/1"),
        ([("A/b/c", CODE, b"x"), ("a/b", README, b"")], "/layers/0/annotations/org.opencontainers.image.title"),
        ([("a", CODE, b"x"), ("b", README, b"x" * (513 << 10))], "/layers/1/size"),
        ([("a", CODE, b"x"), ("b", GTYPES, b" " * 500_001)], "/layers/1/size"),
        ([("a", CODE, b"x"), ("b", GTYPES, b'{"definitions":{"A":{"kind":"bigint"}}}')], "/layers/1"),
        ([("a", CODE, b"no gzip")], "/layers/0"),
    ],
    ids=range(12),
)
def test_layers_that_break_a_rule_are_refused_by_their_place(
    layers: list[tuple[str, str, bytes]], pointer: str
) -> None:
    with pytest.raises(MalformedManifest) as error:
        checking.check(submit(NODE, layers=layers))
    assert detail(error)["pointer"] == pointer


def test_what_is_kept_for_lists_and_search() -> None:
    code = tgz(entry("dist/index.js", b"1"))
    types = b'{"version":"1.0","definitions":{"A":{"kind":"string"}}}'
    given = submit(NODE, layers=[("a.tgz", CODE, code), ("README.md", README, b"# Hi"), ("t.json", GTYPES, types)])
    given = changed(
        given,
        keywords=["x", "y", "x"],
        capabilities=["database.read", {"name": "network"}],
        engines={"gati": ">=1"},
        language="typescript",
        dependencies=[
            {"name": "@a/b", "version": "^1.0.0", "optional": True},
            {"name": "c", "version": "*", "kind": "dev"},
        ],
    )
    found = checking.check(given).extract
    assert found.keywords == ("x", "y")
    assert found.capabilities == ("db:read", "network:egress")
    assert (found.readme, found.engines, found.language, found.license) == ("# Hi", ">=1", "typescript", "Apache-2.0")
    assert [(one.reference, one.wanted, one.relation, one.is_optional) for one in found.wants] == [
        ("@a/b", "^1.0.0", "dependency", True),
        ("c", "*", "dev", False),
    ]
    assert found.gtype_hash is not None
    assert found.gtype_hash.startswith("sha256:")


def test_a_large_layer_is_left_for_later_and_then_read_whole() -> None:
    noise = b"".join(hashlib.sha256(bytes([a, b])).digest() for a in range(64) for b in range(64))
    code = tgz(entry("data.bin", noise), entry("dist/main.js", b"1"))
    given = submit(NODE, layers=[("a.tgz", CODE, code)])
    assert checking.check(given).pending == given.layers
    with pytest.raises(MalformedManifest) as error:
        checking.check_whole(given, given.layers[0], io.BytesIO(code))
    assert "dist/main.js" in detail(error)["suggestion"]


def test_a_small_layer_that_expands_far_is_left_for_later() -> None:
    block = b"".join(hashlib.sha256(bytes([a, b])).digest() for a in range(20) for b in range(20))
    code = tgz(entry("dist/index.js", b"1"), entry("data.bin", block * 100))
    given = submit(NODE, layers=[("a.tgz", CODE, code)])
    assert len(code) < 1 << 16
    assert checking.check(given).pending == given.layers
    checking.check_whole(given, given.layers[0], io.BytesIO(code))
