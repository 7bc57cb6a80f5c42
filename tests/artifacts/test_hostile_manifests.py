"""Gati manifests that mean two things, or serve only to cost memory or time."""

import json
from typing import Any

import pytest

from registry.artifacts import checking, units, versions
from registry.artifacts.capabilities import covers, normalise
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.licenses import is_expression
from registry.artifacts.model import CONFIG_LIMIT
from registry.core.errors import MalformedManifest
from registry.core.pointers import pointer
from tests.artifacts.making import changed, submit

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"name":"a","name":"b"}',
        b'{"config":{"a":1,"a":2}}',
        b"\xef\xbb\xbf{}",
        b'{"name":"\xff"}',
        json.dumps({"name": "a"}).encode("utf-16"),
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"\\u0000":1}',
        b'{"a":"\\\\\\u0000"}',
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b"[" * MEBIBYTE,
        b'{"a":[' + b"1," * 60_000 + b"1]}",
        b'{"a":"' + b"x" * CONFIG_LIMIT + b'"}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":"\t"}',
    ],
    ids=range(27),
)
def test_bytes_that_are_no_json_object_with_one_reading_are_no_manifest(raw: bytes) -> None:
    with pytest.raises(MalformedManifest) as error:
        checking.read_config(raw)
    assert error.value.document == "config"
    assert error.value.message.startswith("The Gati manifest ")
    assert error.value.suggestion


def test_text_that_only_looks_like_an_escape_is_kept() -> None:
    assert checking.read_config(b'{"a":"\\\\u0000","b":"\\u00e9\\ud83d\\ude00"}') == {"a": "\\u0000", "b": "é😀"}


@pytest.mark.parametrize(
    "members",
    [
        {"name": ["hello"]},
        {"config": []},
        {"config": None},
        {"dependencies": {"a": "1"}},
        {"dependencies": ["a"]},
        {"dependencies": [{"name": 1, "version": 2}]},
        {"dependencies": [{"name": "a", "version": "1 " * 60}]},
        {"gtypes": [[]]},
        {"gtypes": [{"name": "A", "schema": []}]},
        {"gtypes": [{"name": "A", "schema": {"kind": []}}]},
        {"gtypes": [{"name": "A", "schema": {"kind": "object", "properties": []}}]},
        {"gtypes": [{"name": "A", "schema": {"kind": "union", "types": []}}]},
        {"gtypes": [{"name": "A", "schema": {"kind": "enum", "values": []}}]},
        {"gtypes": [{"name": "A", "schema": {"kind": "literal"}}]},
        {"gtypes": [{"name": "A", "fields": {"x": "string" + "[]" * 60}}]},
        {"gtypes": [{"name": "A", "fields": {"x": "|".join(["string"] * 280)}}] * 2},
        {"gtypes": [{"name": f"A{n}", "fields": {"x": "|".join(["null"] * 400)}} for n in range(60)]},
        {"gtypes": [{"name": "A" * 190 + str(n), "fields": {"x": "A" * 195}} for n in range(900)]},
        {"capabilities": [{}]},
        {"capabilities": [[]]},
        {"capabilities": ["a"] * 201},
        {"capabilities": ["a:" * 60]},
        {"config": {"type": "node", "entry": "dist/index.js", "capabilities": ["x"] * 50_000}},
        {"config": {"type": "node", "entry": "\u202e"}},
        {"config": {"type": "node", "entry": "a/" * 500}},
        {"config": {"type": "node", "entry": "/etc/passwd"}},
        {"engines": {"gati": "1||" * 40}},
        {"exports": {"a": {"inputRef": 1}}},
        {"license": "(" * 100},
        {"license": "MIT AND"},
        {"keywords": ["x" * 1000]},
        {"description": "x" * MEBIBYTE},
        {"env": [{"name": "A=B"}]},
        {"networkAccess": {"allowedPorts": [0]}},
        {"resources": {"mem": "lots"}},
        {"description": "\x1b[2Jgone"},
        {"author": "a\u202eb"},
        {"keywords": ["\x07"]},
        {"tags": ["a\x9b1m"]},
        {"homepage": 'https://example.com/"><script>'},
    ],
    ids=lambda members: str(members)[:60],
)
def test_members_of_a_wrong_form_or_size_are_refused_and_never_fail(members: dict[str, Any]) -> None:
    given = submit(BY_NAME["module-node"])
    with pytest.raises(MalformedManifest) as error:
        checking.check(changed(given, **members) if None not in members.values() else changed(given, config=None))
    assert error.value.pointer.split("/")[1] in members
    assert len(json.dumps(error.value.detail)) < 3000


@pytest.mark.parametrize("value", [10**400, -(10**30), 1.5, True, None, "", "\u2028", [[]], {"a": {"b": []}}])
def test_members_that_nobody_knows_are_kept_whatever_they_are(value: Any) -> None:
    checking.check(changed(submit(BY_NAME["module-node"]), **{"x-ours": value}))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, -(2**63)])
def test_numbers_that_json_readers_do_not_share_are_shown_as_text(value: float) -> None:
    shown = MalformedManifest("It is refused.", pointer="", suggestion="Write another.", value=value).detail["value"]
    assert isinstance(shown, str)
    assert len(shown) <= 200


def test_pointers_are_escaped() -> None:
    assert pointer("a/b", "c~d", 0, "") == "/a~1b/c~0d/0/"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("db", "db"),
        ("database", "db"),
        ("database.read", "db:read"),
        ("database:write", "db:write"),
        ("db:postgres", "db:postgres"),
        ("network", "network:egress"),
        ("network:outbound", "network:egress"),
        ("network:outbound:api.example.com", "network:egress:api.example.com"),
        ("network:ingress", "network:ingress"),
        ("storage", "filesystem:write"),
        ("log", "log:write"),
        ("logging:write", "log:write"),
        ("crypto", "crypto"),
        ("payment.process", "payment:process"),
        ("filesystem:read:/data/*", "filesystem:read:/data/*"),
    ],
)
def test_spellings_of_one_capability_are_one(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "text", ["", "DB", "db:", ":read", "db read", "db:read:x:y", "1db", "db\n", "db:read:", "x" * 129]
)
def test_what_is_no_capability_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no capability"):
        normalise(text)


def test_a_capability_covers_itself_and_what_is_inside_of_it_alone() -> None:
    assert covers(["db"], "db:read:users")
    assert covers(["db:read"], "db:read:users")
    assert not covers(["db:read"], "db")
    assert not covers(["db:read"], "db:reader")
    assert not covers(["db:read"], "db:write")
    assert not covers([], "db")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("MIT", True),
        ("Apache-2.0 OR MIT", True),
        ("(MIT OR GPL-2.0+) AND BSD-3-Clause", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("LicenseRef-Proprietary", True),
        ("DocumentRef-a:LicenseRef-b", True),
        ("Apache 2.0", False),
        ("MIT OR", False),
        ("WITH MIT", False),
        ("MIT WITH (x)", False),
        ("()", False),
        ("MIT)", False),
        ("MIT/BSD", False),
        ("", False),
    ],
)
def test_licences_have_the_form_of_spdx(text: str, is_one: bool) -> None:
    assert is_expression(text) is is_one


def test_units_are_read_as_they_are_written() -> None:
    assert [units.size(text) for text in ("0", "12B", "1KB", "256MB", "1.5GB", "512Mi", "1Gi", "2KiB")] == [
        0,
        12,
        1000,
        256_000_000,
        1_500_000_000,
        536_870_912,
        1_073_741_824,
        2048,
    ]
    assert [units.duration(text) for text in ("12ms", "30s", "5m", "1h", "1.5s")] == [0.012, 30.0, 300.0, 3600.0, 1.5]
    assert [units.cpu(text) for text in ("500m", "2cores", "1core", "2", "0.5 cores")] == [500, 2000, 1000, 2000, 500]


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1 PB", "1e3", "1" * 13, "1mb", "1MBx", "\u0661MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        units.size(text)
    with pytest.raises(ValueError, match="is no duration"):
        units.duration(text)


def test_ranges_of_many_parts_are_none() -> None:
    assert versions.is_range("1 || 2 || 3 || 4 || 5 || 6")
    assert not versions.is_range("1||2||3||4||5||6||7")
    assert not versions.is_range("1 " * 60)
    assert not versions.is_range("||" * 60)


@pytest.mark.parametrize("text", ["^1.2.3", ">=1 <3", "1.x", "*", "1.0.0 - 2.0.0", "~1.2 || 3"])
def test_ranges_of_dependencies_are_those_of_npm(text: str) -> None:
    given = changed(submit(BY_NAME["module-node"]), dependencies=[{"name": "@a/b", "version": text}])
    assert checking.check(given).extract.wants[0].wanted == text
    assert versions.is_range(text)
