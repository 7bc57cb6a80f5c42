"""What known callers were refused is written down, without letting them fill the disk."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from registry.audit import denials as room
from registry.audit import sql
from registry.audit.denials import OTHERS, Denials
from registry.audit.jobs import writing
from registry.audit.model import By
from registry.core.errors import Unavailable
from registry.infra.db.pool import Database

ALICE = By(7, "alice", 9, "192.0.2.1", "req_1")
BOB = By(8, "bob")


class Clock:
    """A time that tests set."""

    now = 600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def denials(clock: Clock) -> Denials:
    return Denials(clock)


async def rows(db: Database) -> list[tuple[Any, ...]]:
    async with db.connection() as connection:
        found = await connection.fetch(
            "SELECT actor_name, action, target, times, outcome FROM audit_events ORDER BY id"
        )
        return [tuple(row) for row in found]


async def test_a_refusal_is_written_with_all_that_is_known(db: Database, denials: Denials) -> None:
    denials.note(ALICE, "push", "acme/app", 3)
    await denials.flush(db)
    async with db.connection() as connection:
        row = dict(await connection.fetchrow("SELECT * FROM audit_events"))
    del row["id"], row["at"]
    assert row == {
        "actor": 7,
        "actor_name": "alice",
        "credential": 9,
        "address": "192.0.2.1",
        "request_id": "req_1",
        "action": "push",
        "target": "acme/app",
        "namespace": 3,
        "outcome": "denied",
        "times": 1,
        "detail": "{}",
        "number": None,
    }


async def test_a_minute_of_the_same_refusal_makes_two_rows(db: Database, denials: Denials, clock: Clock) -> None:
    for _ in range(50):
        denials.note(ALICE, "push", "acme/app", 3)
        await denials.flush(db)
        clock.now += 1
    assert [row[3] for row in await rows(db)] == [1]
    clock.now += 60
    await denials.flush(db)
    await denials.flush(db)
    assert [row[3] for row in await rows(db)] == [1, 49]


async def test_actors_actions_and_targets_are_told_apart(db: Database, denials: Denials) -> None:
    denials.note(ALICE, "push", "a")
    denials.note(BOB, "push", "a")
    denials.note(ALICE, "pull", "a")
    denials.note(ALICE, "push", "b")
    await denials.flush(db)
    assert len(await rows(db)) == 4


async def test_who_tries_every_name_gets_one_row_for_the_rest(db: Database, denials: Denials) -> None:
    for at in range(1000):
        denials.note(ALICE, "pull", f"name{at}")
    denials.note(BOB, "pull", "x")
    await denials.flush(db)
    found = await rows(db)
    assert len(found) == room.MOST_TARGETS + 2
    assert ("alice", "pull", OTHERS, 1000 - room.MOST_TARGETS, "denied") in found


async def test_memory_is_bounded_whoever_is_refused(
    db: Database, denials: Denials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 10)
    for at in range(100):
        denials.note(By(at % 3, "x"), "pull", f"name{at}" + "y" * 10_000)
    await denials.flush(db, is_last=True)
    found = await rows(db)
    assert len(found) <= 10 + 3
    assert sum(row[3] for row in found) == 100
    assert max(len(row[2]) for row in found) <= 300


async def test_nothing_is_kept_of_minutes_that_are_over(db: Database, denials: Denials, clock: Clock) -> None:
    denials.note(ALICE, "pull", "x")
    await denials.flush(db)
    clock.now += 60
    await denials.flush(db)
    assert not denials._entries
    assert not denials._targets


async def test_a_database_that_is_gone_loses_no_refusal(
    db: Database, denials: Denials, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        denials.note(ALICE, "pull", "x")
        raise Unavailable("The database does not answer.")

    denials.note(ALICE, "pull", "x")
    with monkeypatch.context() as patch:
        patch.setattr(sql, "insert_denials", gone)
        with pytest.raises(Unavailable):
            await denials.flush(db)
    await denials.flush(db)
    assert [row[3] for row in await rows(db)] == [2]


async def test_leaving_writes_what_is_left(db: Database, denials: Denials) -> None:
    async with writing(denials, db):
        denials.note(ALICE, "pull", "x")
        while not await rows(db):  # noqa: ASYNC110 - let the writer run
            await asyncio.sleep(0)
        denials.note(ALICE, "pull", "x")
    assert [row[3] for row in await rows(db)] == [1, 1]


async def test_strangers_without_an_account_are_only_counted(db: Database, denials: Denials) -> None:
    def counted(name: str) -> float:
        return REGISTRY.get_sample_value(f"gati_registry_{name}_total") or 0.0

    challenges, refusals = counted("challenges"), counted("denials")
    denials.note(By(None, "anonymous"), "pull", "x")
    denials.note(ALICE, "pull", "x\0")
    await denials.flush(db)
    assert (counted("challenges") - challenges, counted("denials") - refusals) == (1, 1)
    assert [row[:3] for row in await rows(db)] == [("alice", "pull", "x\ufffd")]
