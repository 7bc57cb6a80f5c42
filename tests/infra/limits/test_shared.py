"""Windows that processes share: exact between them, bounded, and never in the way of a request."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from registry.core.errors import Unavailable
from registry.core.rates import Rate
from registry.infra.limits import shared
from registry.infra.limits.model import Kind
from registry.infra.limits.shared import SETS, WAYS, SharedWindows
from registry.infra.shared_file import area

KIND = Kind.TRANSFER
DAY = 86_400
SCRIPT = Path(__file__).with_name("charging.py")


class Process:
    """Another process that counts in the same file."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def say(self, *words: object) -> None:
        assert self.process.stdin is not None
        print(*words, file=self.process.stdin, flush=True)

    def heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def do(self, *words: object) -> str:
        self.say(*words)
        return self.heard()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


Spawn = Callable[[int], Process]
Open = Callable[..., SharedWindows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def begin(clock: Callable[[], float] | None = None) -> SharedWindows:
            windows = SharedWindows(path, clock) if clock is not None else SharedWindows(path)
            stack.callback(windows.close)
            return windows

        yield begin


@pytest.fixture
def spawn(path: Path) -> Iterator[Spawn]:
    with ExitStack() as stack:

        def begin(limit: int) -> Process:
            command = [sys.executable, str(SCRIPT), str(path), str(limit)]
            environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ)
            stack.enter_context(process)
            stack.callback(process.kill)
            started = Process(process)
            assert started.heard() == "ready"
            return started

        yield begin


def passed(windows: SharedWindows, key: str, times: int, limit: int) -> int:
    return sum(windows.charge(KIND, key, Rate(limit, DAY)).allowed for _ in range(times))


def test_of_the_requests_that_come_to_all_processes_exactly_the_limit_passes(opened: Open, spawn: Spawn) -> None:
    limit, times = 20_000, 15_000
    here, others = opened(), [spawn(limit), spawn(limit)]
    for other in others:
        other.say("charge", "u:1", times)
    found = [passed(here, "u:1", times, limit), *(int(other.heard()) for other in others)]
    assert sum(found) == limit
    assert passed(here, "u:2", 3, limit) == 3


@pytest.mark.parametrize("call", ["charge", "peek"])
def test_nobody_else_touches_a_window_while_it_is_read_and_written(
    opened: Open, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(shared, "_PATIENCE", 0.0)
    other, found = opened(), []

    def clock() -> float:
        found.append(other._lock(other._place(KIND, "u:1")))
        return 1.0

    getattr(opened(clock), call)(KIND, "u:1", Rate(3, DAY))
    assert found == [False]
    assert other._lock(other._place(KIND, "u:1"))


def test_a_process_that_is_killed_with_a_lock_frees_it(opened: Open, spawn: Spawn) -> None:
    other = spawn(3)
    assert other.do("charge", "u:1", 2) == "2"
    assert other.do("hold", "u:1") == "held"
    here = opened()
    other.kill()
    assert passed(here, "u:1", 3, 3) == 1
    assert not here._stuck


def test_while_a_process_stands_still_with_a_lock_others_count_by_themselves(
    opened: Open, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(shared, "_log", log)
    monkeypatch.setattr(shared, "_PATIENCE", 0.001)
    here, other = opened(), spawn(3)
    assert other.do("charge", "u:1", 2) == "2"
    assert other.do("hold", "u:1") == "held"
    other.process.send_signal(signal.SIGSTOP)
    assert passed(here, "u:1", 5, 3) == 3
    assert here.peek(KIND, "u:1", Rate(3, DAY)).allowed is False
    assert [call.method_name for call in log.calls] == ["warning"]
    other.kill()
    assert here.peek(KIND, "u:1", Rate(3, DAY)).remaining == 1
    assert not here._stuck


def test_a_full_table_forgets_the_window_that_ends_first(opened: Open) -> None:
    now = [0.0]
    windows = opened(lambda: now[0])
    start = windows._place(KIND, "0").start
    keys = [str(n) for n in range(300_000) if windows._place(KIND, str(n)).start == start][: WAYS + 2]
    assert len(keys) == WAYS + 2
    long, *others = keys
    windows.charge(Kind.TRANSFER, long, Rate(5, 3600))
    for key in others:
        now[0] += 1
        windows.charge(KIND, key, Rate(5, 60))
    counted = [key for key in keys if windows.peek(KIND, key, Rate(5, 3600)).remaining == 4]
    assert counted == [long, *others[2:]]


def test_neither_the_file_nor_what_a_process_knows_of_it_grows(opened: Open, path: Path) -> None:
    windows, size = opened(), path.stat().st_size
    assert size < 2 << 20
    for number in range(SETS * WAYS + 10_000):
        windows.charge(KIND, f"address {number}", Rate(5, 60))
    assert path.stat().st_size == size
    assert len(windows._places) <= shared._KNOWN


def test_the_first_process_of_a_run_begins_anew_and_others_join(path: Path, spawn: Spawn) -> None:
    first = SharedWindows(path)
    assert passed(first, "u:1", 2, 3) == 2
    assert spawn(3).do("charge", "u:1", 3) == "1"
    first.close()


def test_windows_of_an_earlier_run_are_gone(path: Path) -> None:
    for _ in range(2):
        windows = SharedWindows(path)
        assert passed(windows, "u:1", 5, 3) == 3
        windows.close()


def test_the_file_is_for_its_owner_alone_and_names_nobody(opened: Open, path: Path) -> None:
    windows = opened()
    windows.charge(KIND, "192.0.2.77", Rate(3, 60))
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"192.0.2.77" not in path.read_bytes()


@pytest.mark.parametrize("content", [b"x", b"\0" * shared._SIZE, b"gati-counters-1\0".ljust(shared._SIZE, b"\0")])
def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="not a file of this version"):
        SharedWindows(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", shared._MAGIC, b"gati-limits-0\0\0\0".ljust(9000, b"\1")])
def test_a_file_that_was_not_finished_or_is_of_another_version_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    windows = SharedWindows(path)
    assert passed(windows, "u:1", 5, 3) == 3
    windows.close()


def test_a_file_of_another_version_that_is_in_use_is_refused(path: Path) -> None:
    path.write_bytes(b"gati-limits-0\0\0\0".ljust(9000, b"\1"))
    with path.open("rb") as other:
        fcntl.fcntl(other, fcntl.F_OFD_SETLK, area(fcntl.F_RDLCK, 0, 1))
        with pytest.raises(Unavailable, match="not a file of this version"):
            SharedWindows(path)


def test_a_full_disk_is_met_at_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(Unavailable, match="cannot be used: No space left on device"):
        SharedWindows(path)
