"""Counters that several processes share: nothing is lost, nobody's end leaves a slot in doubt for ever."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry.core.errors import Unavailable
from registry.infra.http import counters as module
from registry.infra.http.counters import CATALOG, CELLS, GLOBAL, SLOTS, Counters, slot

ROOT = Path(__file__).parents[3]
NUMBER = 7


class Other:
    """Counters in a process of their own."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "infra" / "http" / "counting.py"), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.token = self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def do(self, *words: object) -> str:
        self.say(*words)
        return self._line()

    def heard(self) -> str:
        return self._line()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


Open = Callable[[], Counters]
Spawn = Callable[[], Other]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counters"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def start() -> Counters:
            counters = Counters(path)
            stack.callback(lambda: None if counters.map.closed else counters.close())
            return counters

        yield start


@pytest.fixture
def spawn(path: Path) -> Iterator[Spawn]:
    with ExitStack() as stack:

        def start() -> Other:
            other = Other(path)
            stack.callback(lambda: other.kill() if other.process.poll() is None else None)
            return other

        yield start


def test_what_another_process_begins_is_seen_until_it_is_finished_and_not_forgotten(opened: Open, spawn: Spawn) -> None:
    here, there = opened(), spawn()
    before, elsewhere = here.stamp((NUMBER,)), here.stamp((NUMBER + 1,))
    assert before is not None
    assert elsewhere is not None
    assert there.do("begin", NUMBER) == "open"
    assert here.stamp((NUMBER,)) is None
    assert here.stamp((NUMBER + 1, NUMBER)) is None
    assert not here.holds(before)
    assert there.do("finish", NUMBER) == "still"
    after = here.stamp((NUMBER,))
    assert after is not None
    assert here.holds(after)
    assert not here.holds(before)
    assert here.holds(elsewhere)


def test_two_processes_that_count_the_same_slot_lose_nothing(opened: Open, spawn: Spawn) -> None:
    here, others = opened(), [spawn(), spawn()]
    times = 50_000
    for other in others:
        other.say("hammer", NUMBER, times)
    for other in others:
        assert other.heard() in {"still", "open"}
    assert sum(_numbers(here, NUMBER)) == 2 * 2 * times


def _numbers(counters: Counters, number: int) -> list[int]:
    stamp = counters.stamp((number,))
    assert stamp is not None
    return [number for (number,) in struct.iter_unpack("Q", stamp.rows[0][2])]


def test_overlapping_changes_of_one_process_are_open_until_the_last_ends(opened: Open) -> None:
    here, reader = opened(), opened()
    here.begin((NUMBER,))
    here.begin((NUMBER,))
    here.finish((NUMBER,))
    assert reader.stamp((NUMBER,)) is None
    here.finish((NUMBER,))
    assert reader.stamp((NUMBER,)) is not None


def test_equal_stamps_are_one_object_and_slots_have_places_of_their_own(opened: Open) -> None:
    here = opened()
    assert here.stamp((1, 2)) is here.stamp((1, 2))
    assert here.stamp(()) is not None
    places = {slot(f"team/name-{number}") for number in range(20_000)}
    assert len(places) > SLOTS * 0.95
    assert places.isdisjoint({GLOBAL, CATALOG})
    assert max(places) < SLOTS


def test_a_writer_that_is_killed_leaves_its_slot_open_until_it_is_settled(opened: Open, spawn: Spawn) -> None:
    here, writer = opened(), spawn()
    before = here.stamp((NUMBER,))
    writer.do("begin", NUMBER)
    assert here.abandoned() == []
    writer.kill()
    [cell] = here.abandoned()
    assert cell.token == writer.token
    assert here.stamp((NUMBER,)) is None
    here.settle(cell)
    assert here.abandoned() == []
    assert here.stamp((NUMBER,)) is not None
    assert before is not None
    assert not here.holds(before)


def test_one_that_follows_a_killed_writer_gets_a_cell_of_its_own(opened: Open, spawn: Spawn) -> None:
    here, writer = opened(), spawn()
    writer.do("begin", NUMBER)
    writer.kill()
    [cell] = here.abandoned()
    follower = spawn()
    assert follower.do("begin", NUMBER + 1) == "open"
    assert here.abandoned() == [cell]
    here.settle(cell)
    assert here.stamp((NUMBER + 1,)) is None
    assert follower.do("finish", NUMBER + 1) == "still"
    assert here.stamp((NUMBER + 1,)) is not None


def test_a_cell_that_has_a_new_owner_is_not_settled_for_the_old_one(opened: Open, spawn: Spawn) -> None:
    here, writer = opened(), spawn()
    writer.do("begin", NUMBER)
    writer.kill()
    [cell] = here.abandoned()
    here.settle(cell)
    follower = spawn()
    follower.do("begin", NUMBER)
    here.settle(cell)
    assert here.stamp((NUMBER,)) is None
    follower.kill()
    here.settle(cell)
    assert here.stamp((NUMBER,)) is None


def test_what_counted_before_still_counts_after_the_cell_was_given_back(opened: Open) -> None:
    here, first = opened(), opened()
    first.begin((NUMBER,))
    first.finish((NUMBER,))
    stamp = here.stamp((NUMBER,))
    first.close()
    second = opened()
    assert stamp is not None
    assert here.holds(stamp)
    second.begin((NUMBER,))
    assert not here.holds(stamp)
    assert here.stamp((NUMBER,)) is None


def test_one_process_too_many_is_refused_in_words_until_another_leaves(opened: Open) -> None:
    held = [opened() for _ in range(CELLS)]
    with pytest.raises(Unavailable, match="More than 64 processes"):
        opened()
    held[3].close()
    assert opened().stamp((NUMBER,)) is not None


@pytest.mark.parametrize("content", [b"x", b"\0" * (module._SIZE), b"gati-counters-0\0".ljust(module._SIZE, b"\0")])
def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="not a file of this version"):
        Counters(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_in_its_place_is_refused(path: Path, tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(Unavailable, match="cannot be used"):
        Counters(path)
    with pytest.raises(Unavailable, match="cannot be used"):
        Counters.is_used(path)
    assert victim.read_bytes() == b""


def test_a_file_is_for_its_owner_alone_and_in_use_while_a_process_has_it(path: Path, spawn: Spawn) -> None:
    assert not Counters.is_used(path)
    other = spawn()
    assert path.stat().st_mode & 0o777 == 0o600
    assert Counters.is_used(path)
    other.kill()
    assert not Counters.is_used(path)


def test_a_file_that_was_replaced_is_noticed(path: Path, opened: Open) -> None:
    here = opened()
    assert here.is_shared()
    path.rename(path.with_name("away"))
    assert not here.is_shared()
    other = opened()
    assert other.is_shared()
    assert not here.is_shared()
