"""What was done is written with the change that it is, and never with a secret."""

import json
from typing import Any

import pytest

from registry.audit.model import By, Event
from registry.audit.record import record
from registry.infra.db.pool import Database

ALICE = By(7, "alice", 9, "192.0.2.1", "req_1")


async def rows(db: Database) -> list[dict[str, Any]]:
    async with db.connection() as connection:
        return [dict(row) for row in await connection.fetch("SELECT * FROM audit_events ORDER BY id")]


async def test_a_row_says_who_did_what_from_where(db: Database) -> None:
    async with db.transaction() as connection:
        await record(connection, ALICE, Event("member.added", "bob", 3, {"role": "read", "was": None}))
    (row,) = await rows(db)
    detail = json.loads(row.pop("detail"))
    assert detail == {"role": "read", "was": None}
    assert row.pop("at").tzinfo is not None
    assert row == {
        "id": 1,
        "actor": 7,
        "actor_name": "alice",
        "credential": 9,
        "address": "192.0.2.1",
        "request_id": "req_1",
        "action": "member.added",
        "target": "bob",
        "namespace": 3,
        "outcome": "done",
        "times": 1,
        "number": None,
    }


async def test_a_change_that_is_rolled_back_leaves_no_row(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction() as connection:
            await record(connection, ALICE, Event("key.created", "1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await rows(db) == []


@pytest.mark.parametrize(
    "key",
    ["password", "newPassword", "old_password", "secret", "clientSecret", "token", "refresh-token", "HASH", "hash"],
)
async def test_a_detail_that_names_a_secret_is_refused(db: Database, key: str) -> None:
    async with db.transaction() as connection:
        with pytest.raises(ValueError, match="never holds secrets"):
            await record(connection, ALICE, Event("key.created", "1", None, {"changes": [{key: "x"}]}))


async def test_words_that_only_resemble_those_of_secrets_are_kept(db: Database) -> None:
    detail = {"tokenLifetime": 300, "hashing": "argon2id", "kind": "password"}
    async with db.transaction() as connection:
        await record(connection, ALICE, Event("policies.changed", "acme", 3, detail))
    assert json.loads((await rows(db))[0]["detail"]) == detail


async def test_text_that_the_database_cannot_keep_does_not_fail_the_change(db: Database) -> None:
    by = By(None, "a\0b", None, "\ud800", "\0")
    async with db.transaction() as connection:
        await record(connection, by, Event("x", "c\0d", None, {"k\0": ["\udfff"]}))
    (row,) = await rows(db)
    assert (row["actor_name"], row["address"], row["target"]) == ("a\ufffdb", "\ufffd", "c\ufffdd")
    assert json.loads(row["detail"]) == {"k\ufffd": ["\ufffd"]}


@pytest.mark.parametrize("value", [1.5, float("nan"), {1}, b"x"])
async def test_a_detail_is_of_values_that_read_back_as_they_were(db: Database, value: Any) -> None:
    async with db.transaction() as connection:
        with pytest.raises(ValueError, match="whole numbers"):
            await record(connection, ALICE, Event("x", "y", None, {"value": value}))
