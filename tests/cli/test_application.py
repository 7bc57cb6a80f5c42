import json
from typing import Any

import pytest

from registry.cli import application, lockfile
from registry.cli.application import Application, Root
from registry.cli.lockfile import Lock, Locked, Piece
from registry.cli.problems import Problem

DIGEST = "sha256:" + "a" * 64
HELLO = "users/alice/hello"


def written(**members: Any) -> bytes:
    return json.dumps(members).encode()


def test_what_a_project_wants_is_read_and_written_sorted() -> None:
    raw = written(
        devDependencies={"@bob/tool": "*"},
        dependencies={"@bob/zoo": "^1.0.0", "@alice/hello": DIGEST, "orgs/acme/draft": "link:../draft"},
        more={"kept": True},
        gati="1.4.0",
    )
    text = application.render(application.parse(raw)).decode()
    assert json.loads(text) == json.loads(raw)
    assert list(json.loads(text)) == ["gati", "more", "dependencies", "devDependencies"]
    assert list(json.loads(text)["dependencies"]) == ["@alice/hello", "@bob/zoo", "orgs/acme/draft"]
    assert text.endswith("}\n")


def test_a_project_without_a_file_wants_nothing() -> None:
    assert application.parse(None) == Application()


def test_a_root_may_be_a_users_or_an_organisations() -> None:
    assert Root("@alice/hello", "*").repositories == (HELLO, "orgs/alice/hello")
    assert Root("orgs/acme/auth", "*").repositories == ("orgs/acme/auth",)
    assert Root("@a/b", "link:../b").link == "../b"
    assert Root("@a/b", DIGEST).digest == DIGEST


def test_a_new_line_takes_the_place_of_one_that_means_the_same() -> None:
    app = application.parse(written(dependencies={HELLO: "^1.0.0"}))
    assert app.with_roots([Root("@alice/hello", "^2.0.0")]).roots == (Root("@alice/hello", "^2.0.0"),)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON|nested"),
        (b'{"dependencies": {}, "dependencies": {}}', "'dependencies' twice"),
        (b'{"gati": NaN}', "NaN"),
        (b" " * (9 << 20), "larger than 8 MiB"),
        (written(dependencies=[]), "dependencies in gati.modules.json is no object"),
        (written(dependencies={"hello": "^1"}), "'hello' is not the name of an artifact with its namespace"),
        (written(dependencies={"../../etc": "^1"}), "names no artifact"),
        (written(dependencies={"@a/b@1": "^1"}), "is not the name"),
        (written(dependencies={"host.example/users/a/b": "^1"}), "is not the name"),
        (written(dependencies={"@a/b": "latest"}), "no range of versions"),
        (written(dependencies={"@a/b": 1}), "no range of versions"),
        (written(dependencies={"@a/b": "^1"}, devDependencies={"users/a/b": "^1"}), "one artifact twice"),
        (written(gati="^1"), "gati in gati.modules.json is no version"),
        (written(registry=1), "registry in gati.modules.json is no address"),
    ],
)
def test_a_file_that_means_nothing_is_refused_with_what_to_do(raw: bytes, words: str) -> None:
    with pytest.raises(Problem, match=words):
        application.parse(raw)


LOCK = Lock(
    "https://registry.example.org",
    {
        "users/bob/zoo": Locked("users/bob/zoo", "1.0.0", DIGEST, "plugin", capabilities=("db:read",), engines="^1"),
        HELLO: Locked(
            HELLO,
            "1.2.3+build",
            DIGEST,
            "module-node",
            {"users/bob/zoo": "^1.0.0"},
            dev=True,
            layers=(Piece(DIGEST, 3, "application/wasm", "a.wasm"), Piece(DIGEST, 0, "text/markdown")),
        ),
    },
)


def test_a_lock_is_read_as_it_was_written() -> None:
    raw = lockfile.render(LOCK)
    assert lockfile.parse(raw) == LOCK
    assert lockfile.render(lockfile.parse(raw)) == raw
    assert list(json.loads(raw)["artifacts"]) == [HELLO, "users/bob/zoo"]
    assert json.loads(raw)["artifacts"][HELLO]["signer"] is None


def test_a_project_without_a_lock_has_nothing() -> None:
    assert lockfile.parse(None) == Lock()


def changed(**members: Any) -> bytes:
    document = json.loads(lockfile.render(LOCK))
    document["artifacts"][HELLO] |= members
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (written(lockfileVersion=2), "is of the version 2, and this gati knows 1"),
        (written(lockfileVersion=1), "artifacts is no object"),
        (written(lockfileVersion=1, artifacts={"../../../x": {}}), "is no artifact"),
        (written(lockfileVersion=1, artifacts={HELLO: 1}), "is no artifact"),
        (changed(digest="sha256:../../x"), "has no version, digest or dependencies"),
        (changed(version="1"), "has no version, digest or dependencies"),
        (changed(dependencies={"x": 1}), "has no version, digest or dependencies"),
        (changed(type=None), "lacks something"),
        (changed(layers=[{"digest": "sha256:/etc/passwd", "size": 1, "mediaType": "x"}]), "a layer of"),
    ],
)
def test_a_lock_that_gati_did_not_write_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(Problem, match=words):
        lockfile.parse(raw)
