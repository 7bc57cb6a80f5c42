"""What memory answers counts for the rate limits like everything else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.core.rates import Rate
from registry.infra.http.answers import Answer, Stretch
from registry.infra.http.counters import Counters
from registry.infra.http.lane import FREE, Label, Lane, Right
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import Kind
from tests.fast_lane.conftest import Start, get
from tests.infra.http.conftest import options, trusting
from tests.pushing import push_image

LABEL = Label("manifests", "GET", "/x")


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    """A lane that gives each caller three answers."""
    counters = Counters(tmp_path / "counters")
    yield Lane(counters, 1 << 20, Limiter({Kind.TRANSFER: Rate(3, 60)}, MemoryWindows(lambda: 0.0)))
    counters.close()


def keep(lane: Lane, request: bytes, meter: str | None, file: Stretch | None = None) -> None:
    stamp = lane.counters.stamp(())
    assert stamp is not None
    lane.ask(request, LABEL, "a", ())
    ask = lane.ask(request, LABEL, "a", ())
    assert ask is not None
    lane.keep(ask, Answer(200, [], b"x", file=file), Right(float("inf"), stamp, meter))


def given(lane: Lane, request: bytes, *peers: str | None) -> list[bool]:
    return [lane.find(request, peer) is not None for peer in peers]


def test_a_caller_has_one_budget_wherever_it_comes_from_and_whatever_it_sends(lane: Lane) -> None:
    basic, bearer, other = (get("/a", f"Authorization: {one}") for one in ("Basic a", "Bearer b", "Bearer c"))
    for request, meter in ((basic, "u:1"), (bearer, "u:1"), (other, "u:2")):
        keep(lane, request, meter)
    assert given(lane, basic, "192.0.2.1", "192.0.2.2") == [True, True]
    assert given(lane, bearer, "192.0.2.3", "192.0.2.3") == [True, False]
    assert given(lane, basic, None) == [False]
    assert given(lane, other, "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1") == [True, True, True, False]


def test_without_a_credential_each_address_has_a_budget(lane: Lane) -> None:
    request = get("/a")
    keep(lane, request, None)
    assert given(lane, request, *["192.0.2.1"] * 4) == [True, True, True, False]
    assert given(lane, request, "192.0.2.2", "::ffff:192.0.2.1") == [True, False]
    assert given(lane, request, "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4") == [True, True, True, False]
    assert given(lane, request, None, None, None, None) == [True, True, True, False]


def test_an_open_registry_counts_nothing(lane: Lane) -> None:
    request = get("/a")
    keep(lane, request, FREE)
    assert all(given(lane, request, *["192.0.2.1"] * 50))
    keep(lane, get("/a", "Accept: a"), None)
    lane.limiter = None
    assert all(given(lane, get("/a", "Accept: a"), *["192.0.2.1"] * 50))


def test_what_memory_does_not_answer_is_not_counted_twice(lane: Lane) -> None:
    request = get("/a")
    keep(lane, request, None, Stretch(lambda: -1, 0, 1))
    assert all(lane.find(request, "192.0.2.1", files=False) is None for _ in range(9))
    assert lane.find(request + b"x", "192.0.2.1") is None
    assert given(lane, request, *["192.0.2.1"] * 4) == [True, True, True, False]


@pytest.mark.parametrize("is_secure", [False, True])
async def test_the_server_says_who_asks_and_what_it_can_send(
    start: Start, certificate: Path, is_secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls: dict[str, Any] = {"tls": trusting(certificate), "at": options(certificate)} if is_secure else {}
    asked: list[tuple[str | None, bool]] = []
    registry = await start(**tls)
    await push_image(registry.client, "a", b"layer")
    find = registry.lane.find

    def spied(data: bytes, peer: str | None = None, *, files: bool = True) -> Any:
        asked.append((peer, files))
        return find(data, peer, files=files)

    monkeypatch.setattr(registry.lane, "find", spied)
    await registry.ask(get("/v2/a/manifests/latest"))
    assert asked == [("127.0.0.1", not is_secure)]
