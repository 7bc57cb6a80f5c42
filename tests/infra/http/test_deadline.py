"""A deadline on a clock that the test turns."""

from collections.abc import Callable
from typing import Any

from registry.infra.http.deadline import Deadline


class Timer:
    """A call at a time."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self.is_over = at, call, False

    def cancel(self) -> None:
        self.is_over = True


class Clock:
    """The part of an event loop that keeps time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def turn(self, to: float) -> None:
        while due := [timer for timer in self.timers if not timer.is_over and timer.at <= to]:
            first = min(due, key=lambda timer: timer.at)
            self.now, first.is_over = max(self.now, first.at), True
            first.call()
        self.now = to


def made() -> tuple[Clock, Any, list[float]]:
    clock, passed = Clock(), list[float]()
    return clock, Deadline(clock, lambda: passed.append(clock.now)), passed  # type: ignore[arg-type]  # a stand-in


def test_it_passes_once_and_at_its_time() -> None:
    clock, deadline, passed = made()
    deadline.move(10)
    clock.turn(9)
    assert passed == []
    clock.turn(100)
    assert passed == [10]


def test_it_moves_with_each_request_on_few_timers() -> None:
    clock, deadline, passed = made()
    for now in range(100):
        clock.turn(now)
        deadline.move(10)
    clock.turn(108)
    assert passed == []
    clock.turn(200)
    assert passed == [109]
    assert len(clock.timers) < 20


def test_an_earlier_deadline_takes_the_place_of_a_later_one() -> None:
    clock, deadline, passed = made()
    deadline.move(60)
    deadline.move(5)
    clock.turn(100)
    assert passed == [5]


def test_what_is_cleared_or_cancelled_does_not_pass_and_can_begin_again() -> None:
    clock, deadline, passed = made()
    for end in (deadline.clear, deadline.cancel):
        deadline.move(10)
        end()
        clock.turn(clock.now + 100)
        assert passed == []
    deadline.move(10)
    clock.turn(clock.now + 100)
    assert passed == [210]


def test_no_deadline_is_later_than_the_limit() -> None:
    clock, deadline, passed = made()
    deadline.limit(15)
    for now in (0, 7, 14):
        clock.turn(now)
        deadline.move(10)
    clock.turn(100)
    assert passed == [15]
