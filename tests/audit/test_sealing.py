"""The audit log is numbered without gaps, and whoever changes it afterwards is found out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import asyncpg
import pytest

from registry.audit import jobs, sealing, sql
from registry.audit.model import By, Event
from registry.audit.record import record
from registry.audit.sealing import root, seal
from registry.audit.verify import Verdict, verify
from registry.core.errors import Unavailable
from registry.infra.db.pool import Database
from registry.infra.jobs import repeating

ALICE = By(7, "alice", 9, "192.0.2.1", "req_1")


async def add(db: Database, *targets: str) -> None:
    async with db.transaction() as connection:
        for target in targets:
            await record(connection, ALICE, Event("member.added", target, 3, {"role": "read"}))


@asynccontextmanager
async def intruder(db: Database) -> AsyncIterator[Any]:
    """Somebody who can do everything with the database."""
    async with db.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        yield connection


async def tampered(db: Database, *statements: str) -> Verdict:
    """What is found after these statements."""
    async with intruder(db) as connection:
        for statement in statements:
            await connection.execute(statement)
    return await verify(db)


@pytest.fixture
async def log(db: Database) -> Database:
    """Ten rows under the seals 1 to 4, 5 to 8, 9 to 10."""
    await add(db, *"abcdefghij")
    while await seal(db, 4):
        pass
    return db


async def number_of(db: Database, target: str) -> Any:
    async with db.connection() as connection:
        return await connection.fetchval("SELECT number FROM audit_events WHERE target = $1", target)


async def test_an_untouched_log_is_whole(log: Database) -> None:
    verdict = await verify(log)
    assert (verdict.rows, verdict.seals, verdict.unsealed, verdict.problem) == (10, 3, 0, None)
    assert (await verify(log, verdict.head)).problem is None


async def test_an_empty_log_is_whole(db: Database) -> None:
    verdict = await verify(db)
    assert (verdict.rows, verdict.head, verdict.problem) == (0, "00" * 32, None)
    assert (await verify(db, verdict.head)).problem is None
    assert (await verify(db, "11" * 32)).problem is not None


async def test_rows_that_wait_for_a_seal_are_counted(log: Database) -> None:
    await add(log, "k", "l")
    verdict = await verify(log)
    assert (verdict.rows, verdict.unsealed, verdict.problem) == (10, 2, None)


async def test_a_head_noted_earlier_is_found_in_a_log_that_went_on(log: Database) -> None:
    noted = (await verify(log)).head
    await add(log, "k")
    await seal(log)
    verdict = await verify(log, noted)
    assert (verdict.rows, verdict.problem) == (11, None)


async def test_a_row_that_commits_late_gets_a_later_number(db: Database) -> None:
    async with db.transaction() as connection:
        await record(connection, ALICE, Event("x", "late"))
        await add(db, "early")
        assert await seal(db) == 1
    assert await seal(db) == 1
    assert (await number_of(db, "early"), await number_of(db, "late")) == (1, 2)
    assert (await verify(db)).problem is None


async def test_many_sealers_at_once_leave_no_gap(db: Database) -> None:
    async def write(name: str) -> None:
        for at in range(10):
            await add(db, f"{name}{at}")
            await seal(db, 3)

    await asyncio.gather(*(write(name) for name in "abcd"))
    while await seal(db):
        pass
    verdict = await verify(db)
    assert (verdict.rows, verdict.unsealed, verdict.problem) == (40, 0, None)


async def test_the_database_itself_refuses_changes(log: Database) -> None:
    await add(log, "unsealed")
    for statement in (
        "DELETE FROM audit_events WHERE number = 3",
        "DELETE FROM audit_events WHERE number IS NULL",
        "UPDATE audit_events SET target = 'z' WHERE number IS NULL",
        "UPDATE audit_events SET target = 'z', number = 11 WHERE number IS NULL",
        "UPDATE audit_events SET number = NULL WHERE number = 3",
        "UPDATE audit_events SET number = 30 WHERE number = 3",
        "UPDATE audit_seals SET hash = '' WHERE last = 4",
        "DELETE FROM audit_seals WHERE last = 10",
    ):
        async with log.connection() as connection:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="neither changed nor deleted"):
                await connection.execute(statement)
    assert (await verify(log)).problem is None


@pytest.mark.parametrize(
    "change",
    [
        "id = DEFAULT",
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "at = '200000-01-01'",
        "actor = 8",
        "actor = NULL",
        "actor_name = 'mallory'",
        "credential = NULL",
        "address = ''",
        "request_id = 'req_2'",
        "action = 'member.removed'",
        "target = 'z'",
        "namespace = 4",
        "outcome = 'denied'",
        "times = 2",
        'detail = \'{"role": "owner"}\'',
        "actor_name = 'ali', address = 'ce192.0.2.1'",
    ],
)
async def test_a_changed_row_is_found(log: Database, change: str) -> None:
    verdict = await tampered(log, f"UPDATE audit_events SET {change} WHERE number = 6")
    assert verdict.problem is not None
    assert verdict.problem.number == 6
    assert "changed" in verdict.problem.reason


@pytest.mark.parametrize("row", [1, 4, 5, 10])
async def test_a_deleted_row_is_found(log: Database, row: int) -> None:
    verdict = await tampered(log, f"DELETE FROM audit_events WHERE number = {row}")
    assert verdict.problem is not None
    assert (verdict.problem.number, verdict.problem.reason) == (row, f"Row {row} is missing.")


async def test_a_row_that_lost_its_number_is_found(log: Database) -> None:
    verdict = await tampered(log, "UPDATE audit_events SET number = NULL WHERE number = 7")
    assert verdict.problem is not None
    assert verdict.problem.number == 7


async def test_two_rows_that_changed_places_are_found(log: Database) -> None:
    verdict = await tampered(
        log,
        "UPDATE audit_events SET number = 100 WHERE number = 3",
        "UPDATE audit_events SET number = 3 WHERE number = 6",
        "UPDATE audit_events SET number = 6 WHERE number = 100",
    )
    assert verdict.problem is not None
    assert verdict.problem.number == 3


@pytest.mark.parametrize(("number", "reported"), [(11, 11), (500, 11), (0, 0), (-3, -3)])
async def test_a_row_put_in_beside_the_sealer_is_found(log: Database, number: int, reported: int) -> None:
    verdict = await tampered(
        log, f"INSERT INTO audit_events (actor_name, action, target, number) VALUES ('alice', 'x', 'y', {number})"
    )
    assert verdict.problem is not None
    assert verdict.problem.number == reported


async def test_seals_cut_off_while_their_rows_stay_are_found_also_after_the_next_seal(log: Database) -> None:
    verdict = await tampered(log, "DELETE FROM audit_seals WHERE last = 10")
    assert verdict.problem is not None
    assert verdict.problem.number == 9
    await add(log, "k")
    assert await seal(log) == 1
    assert (await verify(log)).problem is not None


async def test_an_end_cut_off_with_its_seals_is_found_by_the_head(log: Database) -> None:
    noted = (await verify(log)).head
    verdict = await tampered(log, "DELETE FROM audit_events WHERE number > 8", "DELETE FROM audit_seals WHERE last > 8")
    assert verdict.problem is None
    found = (await verify(log, noted)).problem
    assert found is not None
    assert found.number == 9


async def test_a_log_emptied_altogether_is_found_by_the_head(log: Database) -> None:
    noted = (await verify(log)).head
    await tampered(log, "DELETE FROM audit_events", "DELETE FROM audit_seals")
    assert (await verify(log, noted)).problem is not None


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ("first = 6", 5),
        ("last = 7", 5),
        ("sealed_at = sealed_at - interval '1 day'", 5),
        ("sealed_at = 'infinity'", 5),
        ("leaves = '\\x00'", 5),
        ("leaves = decode(repeat('00', 128), 'hex')", 5),
        ("leaves = decode(repeat('00', 10000000), 'hex')", 5),
        ("root = sha256('x')", 5),
        ("hash = sha256('x')", 5),
    ],
)
async def test_a_changed_seal_is_found(log: Database, change: str, reported: int) -> None:
    verdict = await tampered(log, f"UPDATE audit_seals SET {change} WHERE last = 8")
    assert verdict.problem is not None
    assert verdict.problem.number == reported


async def test_a_seal_of_more_rows_than_seals_have_is_refused_unread(log: Database) -> None:
    verdict = await tampered(
        log, "UPDATE audit_seals SET last = 1000000000, leaves = decode(repeat('00', 50000), 'hex') WHERE last = 10"
    )
    assert verdict.problem is not None
    assert verdict.problem.number == 9


@pytest.mark.parametrize("last", [4, 8])
async def test_a_missing_seal_is_found(log: Database, last: int) -> None:
    verdict = await tampered(log, f"DELETE FROM audit_seals WHERE last = {last}")
    assert verdict.problem is not None
    assert verdict.problem.number == last - 3


async def test_a_row_and_its_seal_made_anew_break_the_seals_after(log: Database) -> None:
    async with intruder(log) as connection:
        await connection.execute("UPDATE audit_events SET target = 'z' WHERE number = 2")
        rows = await sql.sealed(connection, 1, 4)
        leaves = [sealing.leaf(row) for row in rows]
        old = await sql.seal_after(connection, 0, 1000)
        assert old is not None
        new = sql.Seal(1, 4, old.sealed_at, root(leaves), b"", b"".join(leaves))
        await connection.execute(
            "UPDATE audit_seals SET leaves = $1, root = $2, hash = $3 WHERE last = 4",
            new.leaves,
            new.root,
            sealing.seal_hash(sealing.ORIGIN, new),
        )
    problem = (await verify(log)).problem
    assert problem is not None
    assert problem.number == 5


def test_the_tree_is_that_of_rfc_6962() -> None:
    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    a, b, c, d, e = (sha256(b"\x00" + bytes([at])).digest() for at in range(5))
    assert root([a]) == a
    assert root([a, b, c]) == node(node(a, b), c)
    assert root([a, b, c, d, e]) == node(node(node(a, b), node(c, d)), e)


def test_fields_that_run_into_each_other_have_another_hash() -> None:
    assert (
        len({sealing.leaf(fields) for fields in (["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], ["abc"])}) == 5
    )


async def test_what_is_left_is_sealed_when_the_worker_ends(db: Database) -> None:
    await add(db, "a")
    stop = asyncio.Event()
    stop.set()
    await jobs.keep_sealing(db, stop)
    assert (await verify(db)).rows == 1


async def test_sealing_goes_on_after_trouble(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(db, "a")
    stop, tries = asyncio.Event(), []

    async def trouble(*_: Any) -> int:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        if len(tries) == 1:
            raise Unavailable("The database does not answer.")
        if len(tries) == 2:
            raise ValueError
        return await seal(db)

    monkeypatch.setattr(jobs, "seal", trouble)
    monkeypatch.setattr(jobs, "INTERVAL", 0.001)
    monkeypatch.setattr(repeating, "TROUBLE", 0.001)
    await jobs.keep_sealing(db, stop)
    assert (await verify(db)).rows == 1
