"""The audit log as JSON lines."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.audit import export as room
from registry.audit.export import Filter, export, page
from registry.audit.model import By, Event
from registry.audit.record import record
from registry.audit.sealing import seal
from registry.infra.db.pool import Database

ALICE = By(7, "alice", 9, "192.0.2.1", "req_1")


async def add(db: Database, by: By, *events: Event) -> None:
    async with db.transaction() as connection:
        for event in events:
            await record(connection, by, event)


async def exported(db: Database, wanted: Filter) -> list[dict[str, Any]]:
    return [json.loads(line.text) async for line in export(db, wanted)]


async def test_a_line_says_everything(db: Database) -> None:
    await add(db, ALICE, Event("member.added", "bob\nby", 3, {"role": "read", "note": 'ä"\n'}))
    await seal(db)
    (line,) = [line async for line in export(db, Filter())]
    assert "\n" not in line.text
    content = json.loads(line.text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", content.pop("at"))
    assert content == {
        "number": 1,
        "id": 1,
        "actor": {"id": 7, "name": "alice"},
        "credential": 9,
        "action": "member.added",
        "target": "bob\nby",
        "namespace": 3,
        "outcome": "done",
        "times": 1,
        "address": "192.0.2.1",
        "requestId": "req_1",
        "detail": {"role": "read", "note": 'ä"\n'},
    }


async def test_rows_without_a_seal_come_later(db: Database) -> None:
    await add(db, ALICE, Event("x", "a"))
    assert await exported(db, Filter()) == []
    await seal(db)
    assert len(await exported(db, Filter())) == 1


async def test_pages_give_every_row_once_in_order(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PAGE", 3)
    await add(db, ALICE, *(Event("x", str(at)) for at in range(10)))
    await seal(db)
    assert [line["number"] for line in await exported(db, Filter())] == list(range(1, 11))
    assert [line["number"] for line in await exported(db, Filter(after=8))] == [9, 10]
    assert [line.number for line in await page(db, Filter(after=2), 2)] == [3, 4]


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        (Filter(namespace=3), ["b", "d"]),
        (Filter(actor="bob"), ["c", "d"]),
        (Filter(action="y"), ["b"]),
        (Filter(namespace=3, actor="bob"), ["d"]),
        (Filter(namespace=9), []),
    ],
)
async def test_a_filter_leaves_only_what_is_asked_for(db: Database, wanted: Filter, targets: list[str]) -> None:
    await add(db, ALICE, Event("x", "a"), Event("y", "b", 3))
    await add(db, By(8, "bob"), Event("x", "c"), Event("x", "d", 3))
    await seal(db)
    assert [line["target"] for line in await exported(db, wanted)] == targets


async def test_times_bound_an_export(db: Database) -> None:
    for target in "abc":
        await add(db, ALICE, Event("x", target))
        await seal(db)
    times = [datetime.fromisoformat(line["at"]) for line in await exported(db, Filter())]
    assert [line["target"] for line in await exported(db, Filter(since=times[1]))] == ["b", "c"]
    assert [line["target"] for line in await exported(db, Filter(until=times[1]))] == ["a"]
    assert [line["target"] for line in await exported(db, Filter(since=times[1], until=times[2]))] == ["b"]
    assert await exported(db, Filter(since=datetime.now(UTC) + timedelta(days=1))) == []
