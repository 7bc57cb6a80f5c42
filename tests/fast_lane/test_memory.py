"""What the lane keeps: within its memory, while it is true, counted, and only where all processes share a host."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from registry.app import Application
from registry.config import load
from registry.core.errors import Unavailable
from registry.infra.http.answers import Answer
from registry.infra.http.counters import Counters
from registry.infra.http.lane import LARGEST, Label, Lane, Right, parse_ticket
from registry.infra.http.serving import LANE
from registry.infra.telemetry import metrics
from tests.fast_lane.conftest import Start, get
from tests.pushing import push_image

LABEL = Label("manifests", "GET", "/x")


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    opened = Counters(tmp_path / "counters")
    yield opened
    opened.close()


def keep(lane: Lane, request: bytes, body: bytes = b"x", *, repository: str = "a", slots: tuple[int, ...] = ()) -> None:
    right = lane.counters.stamp(())
    lane.ask(request, LABEL, repository, slots)
    ask = lane.ask(request, LABEL, repository, slots)
    assert ask is not None
    assert right is not None
    lane.keep(ask, Answer(200, [], body), Right(float("inf"), right))


def test_old_answers_go_when_memory_is_full(counters: Counters) -> None:
    lane = Lane(counters, 100_000)
    requests = [get(f"/{number}") for number in range(50)]
    for request in requests:
        keep(lane, request, b"x" * 9000)
    found = [lane.find(request) is not None for request in requests]
    assert found == [False] * (50 - sum(found)) + [True] * sum(found)
    assert 5 < sum(found) < 11
    keep(lane, get("/x"), b"x" * 200_000)
    assert lane.find(get("/x")) is None
    assert lane._used == 0


def test_an_answer_that_is_kept_again_takes_its_place_once(counters: Counters) -> None:
    lane = Lane(counters, 100_000)
    for size in (9000, 10, 20_000, 9000):
        keep(lane, get("/a"), b"x" * size)
    used = lane._used
    lane.forget(b"GET /a HTTP/1.1")
    assert (9000 < used < 11_000, lane._used) == (True, 0)


def test_what_is_too_large_is_not_kept(counters: Counters) -> None:
    lane = Lane(counters, 1 << 30)
    keep(lane, get("/a"), b"x" * (LARGEST + 1))
    assert lane.find(get("/a")) is None


@pytest.mark.parametrize("kind", ["callers", "repositories"])
def test_what_is_remembered_of_callers_is_within_memory_too(counters: Counters, kind: str) -> None:
    lane = Lane(counters, 400_000)
    for number in range(2000):
        field = f"Authorization: {number:030000}" if kind == "callers" else "Accept: a"
        keep(lane, get("/a", field), repository=str(number))
        assert lane.find(get("/a", field)) is not None
        sizes = [len(section) + 200 * len(rights) for section, rights in lane._rights.items()]
        assert sum(sizes) <= 100_000


def test_an_answer_is_not_kept_over_a_change(counters: Counters, tmp_path: Path) -> None:
    lane, writer = Lane(counters, 1 << 20), Counters(tmp_path / "counters")
    stamp = counters.stamp(())
    assert stamp is not None
    right = Right(float("inf"), stamp)
    request, slots = get("/a"), (5, 6)
    lane.ask(request, LABEL, "a", slots)
    early = lane.ask(request, LABEL, "a", slots)
    assert early is not None
    writer.begin((6,))
    assert lane.ask(request, LABEL, "a", slots) is None
    lane.keep(early, Answer(200, [], b"old"), right)
    assert lane.find(request) is None
    writer.finish((6,))
    lane.keep(early, Answer(200, [], b"old"), right)
    assert lane.find(request) is None
    keep(lane, request, b"new", slots=slots)
    assert lane.find(request) is not None
    writer.begin((6,))
    assert lane.find(request) is None
    writer.close()


def test_one_request_makes_a_ticket_and_nothing_else_does() -> None:
    fine = get("/v2/a/tags/list?n=1", "Accept: a/b", "User-Agent: x", "Connection: Keep-Alive")
    assert parse_ticket(fine) is not None
    wrong = [
        *(fine[:at] for at in range(len(fine))),
        *(fine + more for more in (b"\r\n", b"x", b"Accept: a\r\n", b"Cookie: a\r\n\r\n", fine)),
        *(
            fine.replace(b"\r\nAccept", one)
            for one in (b"\r\n\r\nAccept", b"\n\r\nAccept", b"\r\n Accept", b"\nAccept")
        ),
        *(fine.replace(b"n=1", one) for one in (b"n=1&n=2", b"x=1", b"n=%31", b"n=1&x", b"n=" + b"1" * 600)),
        *(fine.replace(b"1.1", one) for one in (b"1.0", b"2", b"1.1 ", b"1.10")),
        *(fine.replace(b"GET", one) for one in (b"POST", b"get", b" GET", b"OPTIONS")),
    ]
    assert [one for one in wrong if parse_ticket(one) is not None] == []


def test_hits_are_handed_out_once_and_a_replaced_file_ends_it(counters: Counters) -> None:
    lane = Lane(counters, 1 << 20)
    keep(lane, get("/a"), b"four")
    kept = lane.find(get("/a"))
    assert kept is not None
    ids = {lane.head(kept) for _ in range(3)}
    assert len(ids) == 3
    assert [(one.times, one.size) for one in lane.tick([(b"date", b"now")])] == [(3, 4)]
    assert lane.tick([]) == []
    lane.head(kept)
    counters.path.unlink()
    assert [one.times for one in lane.tick([])] == [1]
    assert lane.find(get("/a")) is None
    lane.ask(get("/a"), LABEL, "a", ())
    assert lane.ask(get("/a"), LABEL, "a", ()) is None


async def test_without_memory_there_is_no_lane_and_its_processes_announce_all_the_same(start: Start) -> None:
    hot, cold = await start(), await start({"LANE_MEMORY": "0"})
    assert cold.app.oci.lane is None
    request = get("/v2/a/manifests/latest")
    for number in range(3):
        named = await push_image(cold.client, "a", b"layer", annotations={"n": str(number)})
        assert (await hot.heat(request)).headers["docker-content-digest"] == named
        assert (await cold.ask(request)).headers["docker-content-digest"] == named


async def test_what_memory_answered_is_counted_at_the_latest_at_the_end(start: Start) -> None:
    registry = await start()
    await push_image(registry.client, "a", b"layer")
    series = metrics.REQUESTS.labels("manifests", "GET", "200")
    before: float = series._value.get()
    request = get("/v2/a/manifests/latest")
    await registry.heat(request)
    for _ in range(7):
        await registry.ask(request)
    assert len(registry.hits) == 8
    registry.running.stop.set()
    await registry.running.task
    assert series._value.get() == before + 10


async def test_a_store_whose_counters_are_gone_takes_no_writes(start: Start) -> None:
    registry = await start()
    await push_image(registry.client, "a", b"layer")
    registry.lane.counters.path.unlink()
    assert (await registry.client.delete("/v2/a/manifests/latest")).status_code == 503
    assert (await registry.client.get("/v2/a/manifests/latest")).status_code == 200


async def test_an_external_database_has_no_lane_unless_all_is_on_one_host(environ: dict[str, str]) -> None:
    shared, alone = load(environ), load(environ | {"SINGLE_HOST": "true"})
    for first, second, reason in ((shared, alone, "without SINGLE_HOST"), (alone, shared, "SINGLE_HOST=true here")):
        async with AsyncExitStack() as stack:
            app = Application(first)
            state: Any = await stack.enter_async_context(app.lifespan())
            assert (LANE in state) == (first is alone)
            with pytest.raises(Unavailable, match=reason):
                await stack.enter_async_context(Application(second).lifespan())
            await stack.enter_async_context(Application(first).lifespan())
    await asyncio.sleep(0)
