import json
from typing import Any

import pytest

from registry.artifacts import checking, secrets
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import Submission
from registry.artifacts.types.snapshot import LOCK
from registry.core.errors import MalformedManifest
from tests.artifacts.making import submit

SNAPSHOT = BY_NAME["snapshot"]
DIGEST = "sha256:" + "5e" * 32
OTHER = "sha256:" + "00" * 32
ENTRY = {"reference": "users/alice/hello", "version": "1.0.0", "digest": DIGEST}
KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nabc"
TOKENS = [
    "gati_" + "pat_" + "A1b2" * 10,
    "ghp_" + "a1B2" * 9,
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "xoxb-" + "1234567890-abcdef",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxIn0.c2ln",
    "npm_" + "a1B2" * 9,
    "postgres://gati:" + "hunter2@db/gati",
    "Bearer " + "abcdef123456",
    "Server=db;Password=" + "hunter2;",
    KEY,
]


def snapshot(lock: Any = None, **config: Any) -> Submission:
    """The example with other members, and the lock that belongs to them."""
    inner = {**SNAPSHOT.example["config"], **config}
    artifacts = {one["reference"]: {"version": "1.0.0", "digest": DIGEST} for one in inner.get("modules", [])}
    raw = json.dumps({"lockfileVersion": 1, "artifacts": artifacts} if lock is None else lock).encode()
    return submit(SNAPSHOT, {**SNAPSHOT.example, "config": inner}, [("gati.lock", LOCK, raw)])


def refusal(submission: Submission) -> MalformedManifest:
    """Why it is refused."""
    with pytest.raises(MalformedManifest) as refused:
        checking.check(submission)
    return refused.value


def test_every_entry_is_wanted_at_its_digest() -> None:
    wants = checking.check(snapshot(modules=[ENTRY])).extract.wants
    assert [(one.reference, one.wanted, one.digest, one.must_pin, one.type) for one in wants] == [
        ("users/alice/hello", "1.0.0", DIGEST, True, "module")
    ]


def test_transformers_and_snapshots_are_pinned_like_all_that_is_installed() -> None:
    lock = {"lockfileVersion": 1, "artifacts": {ENTRY["reference"]: {"version": "1.0.0", "digest": DIGEST}}}
    wants = checking.check(snapshot(lock=lock, transformers=[ENTRY], snapshots=[])).extract.wants
    assert [(one.reference, one.must_pin, one.type) for one in wants] == [(ENTRY["reference"], True, "transformer")]
    assert refusal(snapshot(transformers=5)).pointer == "/config/transformers"
    assert refusal(snapshot(snapshots=[ENTRY])).pointer == "/config/snapshots/0"


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"digest": None}, "/config/modules/0/digest"),
        ({"digest": "sha256:12"}, "/config/modules/0/digest"),
        ({"version": "^1.0.0"}, "/config/modules/0/version"),
        ({"version": "latest"}, "/config/modules/0/version"),
        ({"reference": "No Name"}, "/config/modules/0/reference"),
        ({"reference": "users/alice/hello@2.0.0"}, "/config/modules/0/reference"),
        ({"reference": f"users/alice/hello@sha256:{'0' * 64}"}, "/config/modules/0/reference"),
    ],
)
def test_an_entry_that_is_not_pinned_is_refused(entry: dict[str, Any], place: str) -> None:
    given = {key: value for key, value in (ENTRY | entry).items() if value is not None}
    assert refusal(snapshot(lock={"lockfileVersion": 1, "artifacts": {}}, modules=[given])).pointer == place


@pytest.mark.parametrize(
    "lock",
    [
        {"lockfileVersion": 1, "artifacts": {}},
        {"lockfileVersion": 1, "artifacts": {"users/alice/hello": {"version": "2.0.0", "digest": DIGEST}}},
        {
            "lockfileVersion": 1,
            "artifacts": {"users/alice/hello": {"version": "1.0.0", "digest": "sha256:" + "0" * 64}},
        },
        {"lockfileVersion": 2, "artifacts": {}},
        {"artifacts": {}},
        [],
    ],
)
def test_the_lock_says_the_same_as_the_list(lock: Any) -> None:
    assert refusal(snapshot(lock=lock, modules=[ENTRY])).detail["suggestion"]


@pytest.mark.parametrize("member", ["cliVersion", "visibility", "models"])
def test_a_snapshot_says_what_it_was_taken_of(member: str) -> None:
    inner = {key: value for key, value in SNAPSHOT.example["config"].items() if key != member}
    assert refusal(submit(SNAPSHOT, {**SNAPSHOT.example, "config": inner})).pointer == f"/config/{member}"


@pytest.mark.parametrize("token", TOKENS)
def test_a_snapshot_with_a_secret_is_refused_and_does_not_repeat_it(token: str) -> None:
    refused = refusal(snapshot(config={"deep": [{"plain": f"see {token}" if "@" not in token else token}]}))
    assert refused.pointer == "/config/config/deep/0/plain"
    assert token[-12:] not in json.dumps(refused.detail) + refused.message


def test_a_lock_with_a_secret_is_refused() -> None:
    lock = {"lockfileVersion": 1, "artifacts": {}, "registry": "https://alice:" + "hunter2@registry.example"}
    assert refusal(snapshot(lock=lock)).detail["path"] == "/registry"


@pytest.mark.parametrize(
    "name",
    ["password", "dbPassword", "DB_PASSWORD", "api_key", "apiKey", "client-secret", "accessToken", "secrets", "cookie"],
)
def test_what_stands_under_the_name_of_a_secret_is_one(name: str) -> None:
    assert secrets.find({name: "hunter2"}) == [f"/{name}"]
    assert secrets.find({name: {"inner": ["hunter2"]}}) == [f"/{name}/inner/0"]
    for harmless in ("", "${DB_PASSWORD}", "$DB_PASSWORD", "{{ password }}", "<password>", "****", True, None):
        assert secrets.find({name: harmless}) == []


def test_what_only_looks_like_the_name_of_a_secret_is_none() -> None:
    plain = {
        "maxTokens": 4096,
        "tokenizer": "bpe",
        "passwordFile": "/run/db",
        "publicKey": "AAAAB3NzaC1yc2E" * 3,
        "secretName": "db",
        "tokenEndpoint": "https://a.example/token",
        "keyboard": "qwerty",
        "author": "Ada",
        "digest": DIGEST,
        "url": "https://a.example:8080/x@y",
        "key": "title",
        "primaryKey": "id",
    }
    assert secrets.find(plain) == []
    assert secrets.find({"secrets": [{"name": "API_KEY", "description": "of the shop", "required": True}]}) == []
    assert secrets.find({"secrets": ["API_KEY", "DB_PASSWORD"]}) == []


def test_secrets_give_way_to_names_and_nothing_else_changes() -> None:
    given = {"db": {"password": "hunter2", "host": "db"}, "list": [{"apiKey": "abc"}, TOKENS[1]], "n": 1}
    clean, names = secrets.replaced(given)
    assert clean["db"] == {"password": "${DB_PASSWORD}", "host": "db"}
    assert names == ["DB_PASSWORD", "LIST_0_APIKEY", "LIST_1"]
    assert clean["list"] == [{"apiKey": "${LIST_0_APIKEY}"}, "${LIST_1}"]
    assert secrets.find(clean) == []


def test_long_texts_are_searched_in_time_that_grows_with_their_length() -> None:
    for piece in ("a", "eyJ", "a:", "://", "-----BEGIN ", "Bearer ", "password=", "gati_", "${", "A"):
        assert isinstance(secrets.find({"text": piece * (300_000 // len(piece))}), list)
