"""Whatever readers and writers do in whatever order: an answer from memory is what the database would say."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.infra import changes
from registry.infra.changes import Changes
from registry.infra.http.counters import CATALOG, Counters, slot
from registry.infra.http.lane import Ask
from tests.properties.lane_model import TARGETS, WORDS, Process, Server, Stale, World

STEPS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.integers(0, 1), st.sampled_from(TARGETS)), min_size=10, max_size=60
)
QUICK = settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(changes, "_PAUSE", 0)
    return (tmp_path / str(number) for number in itertools.count())


async def play(path: Path, steps: list[tuple[str, int, str]], kind: Any = Changes, process: Any = Process) -> int:
    """Do all steps; how often memory answered."""
    world = World(path, kind, process)
    try:
        for step in steps:
            await world.do(step)
    finally:
        await world.end()
        path.unlink()
    return world.kept


def test_what_memory_answers_is_what_is_committed(files: Iterator[Path]) -> None:
    kept: list[int] = []

    @QUICK
    @given(STEPS)
    def explore(steps: list[tuple[str, int, str]]) -> None:
        kept.append(asyncio.run(play(next(files), steps)))

    explore()
    assert sum(kept) > len(kept)


class Silent(Changes):
    """Announces nothing."""

    @asynccontextmanager
    async def around(self, _: tuple[int, ...]) -> Any:
        yield


class Late(Changes):
    """Announces when all is over."""

    @asynccontextmanager
    async def around(self, slots: tuple[int, ...]) -> Any:
        yield
        assert self.counters is not None
        self.counters.begin(slots)
        self.counters.finish(slots)


class Hasty(Changes):
    """Takes a change whose outcome is unknown for finished."""

    def _close(self, slots: tuple[int, ...]) -> None:
        assert self.counters is not None
        self.counters.finish(slots)


class Impatient(Changes):
    """Settles a killed writer's changes while its backends live."""

    def __init__(self, server: Server, counters: Counters) -> None:
        super().__init__(server, counters)  # type: ignore[arg-type]  # the model's database

    async def recover(self) -> None:
        assert self.counters is not None
        for cell in self.counters.abandoned():
            self.counters.settle(cell)


class Unwatched(Changes):
    """Leaves the catalog out."""

    @asynccontextmanager
    async def around(self, slots: tuple[int, ...]) -> Any:
        async with super().around(tuple(number for number in slots if number != CATALOG)):
            yield


class Trusting(Process):
    """Keeps what it read without a look at what happened meanwhile."""

    def keep(self, ask: Ask, found: int) -> None:
        slots = (slot(ask.repository) if ask.repository else CATALOG,)
        stamp = self.counters.stamp(slots)
        if stamp is not None:
            super().keep(ask._replace(stamp=stamp), found)


class Careless(Process):
    """Keeps entries that depend on nothing."""

    def ask(self, target: str) -> Ask | None:
        found = super().ask(target)
        stamp = self.counters.stamp(())
        return None if found is None or stamp is None else found._replace(stamp=stamp)


LOST = "fill0a begin0a lose0a settle0a fill1a late0a"
KILLED = "begin0a kill0a recover1a fill1a late1a"
OTHERS = "fill0a fill1a fill0b begin1a commit1a finish1a"


@pytest.mark.parametrize(
    ("kind", "process", "script"),
    [
        (Silent, Process, OTHERS),
        (Late, Process, OTHERS),
        (Hasty, Process, LOST),
        (Impatient, Process, KILLED),
        (Unwatched, Process, "fill0. begin1. commit1. finish1."),
        (Changes, Trusting, "ask0a read0a begin1a commit1a finish1a keep0a"),
        (Changes, Careless, OTHERS),
    ],
)
def test_the_model_notices_a_broken_rule(files: Iterator[Path], kind: Any, process: Any, script: str) -> None:
    steps = [(word[:-2], int(word[-2]), word[-1].strip(".")) for word in script.split()]
    asyncio.run(play(next(files), steps))
    with pytest.raises(Stale):
        asyncio.run(play(next(files), steps, kind, process))
