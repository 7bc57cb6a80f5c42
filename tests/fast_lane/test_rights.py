"""Who may read is asked again as soon as the answer may differ: the guard of these tests is their own."""

import time
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest

from registry.auth.admission import Caller
from registry.auth.model import ANYBODY
from registry.core.errors import Unauthorized
from registry.infra.http import lane as lane_module
from registry.infra.http.counters import Counters
from registry.namespaces.admission import Admission, Asked, Look
from tests.fast_lane.conftest import Registry, Start, get
from tests.pushing import push_image

LATEST = "/v2/a/manifests/latest"
ALICE = 77


class Doorkeeper:
    """Lets in whoever carries a token that is in `tokens`, until `until`, while nothing happens to ALICE."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.tokens = {"Bearer good"}
        self.until = float("inf")
        self.remembers = True
        self.asked = 0

    async def admit(self, scope: MutableMapping[str, Any], asked: Asked) -> Admission:  # noqa: ARG002 - as Gate
        self.asked += 1
        stamp = self.counters.stamp((ALICE,)) if self.remembers else None
        if dict(scope["headers"]).get(b"authorization", b"").decode() not in self.tokens:
            raise Unauthorized("No.")
        return Admission(Caller(ANYBODY, "", "", stamp), None, stamp, self.until)

    async def readable(self, caller: Caller, name: str) -> Look | None:  # noqa: ARG002 - as Gate
        return None

    async def may_pull(self, caller: Caller, name: str) -> bool:  # noqa: ARG002 - as Gate
        return False

    async def charge_upload(self, scope: MutableMapping[str, Any], caller: Caller) -> None:
        """Nothing is counted."""


@pytest.fixture
async def kept(start: Start) -> tuple[Registry, Doorkeeper]:
    registry = await start()
    await push_image(registry.client, "a", b"layer")
    door = Doorkeeper(registry.lane.counters)
    registry.app.oci._gate = lambda: door
    return registry, door


GOOD = get(LATEST, "Authorization: Bearer good")


async def test_a_right_that_is_withdrawn_is_not_used_again(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, door = kept
    await registry.heat(GOOD)
    asked = door.asked
    assert (await registry.ask(GOOD)).status == 200
    assert door.asked == asked
    registry.lane.counters.begin((ALICE,))
    assert (await registry.ask(GOOD)).status == 200
    assert door.asked == asked + 1
    door.tokens.clear()
    registry.lane.counters.finish((ALICE,))
    assert (await registry.ask(GOOD)).status == 401
    assert (await registry.ask(GOOD)).status == 401


async def test_a_right_ends_at_its_time(kept: tuple[Registry, Doorkeeper], monkeypatch: pytest.MonkeyPatch) -> None:
    registry, door = kept
    now = time.time()
    door.until = now + 100
    clock = SimpleNamespace(time=lambda: now)
    monkeypatch.setattr(lane_module, "time", clock)
    await registry.heat(GOOD)
    asked = door.asked
    clock.time = lambda: now + 99
    assert (await registry.ask(GOOD)).status == 200
    assert door.asked == asked
    clock.time = lambda: now + 101
    door.tokens.clear()
    assert (await registry.ask(GOOD)).status == 401


async def test_another_caller_does_not_get_what_is_kept(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, _ = kept
    await registry.heat(GOOD)
    for field in ("Accept: a/b", "Authorization: Bearer bad", "Authorization: Bearer good x", "Authorization: Bearer"):
        for _ in range(3):
            assert (await registry.ask(get(LATEST, field))).status == 401
    assert len(registry.hits) == 1


async def test_a_right_to_one_repository_is_none_to_another(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, door = kept
    await registry.heat(GOOD)
    door.tokens.add("Bearer other")
    other = get("/v2/", "Authorization: Bearer other")
    await registry.heat(other)
    door.tokens.remove("Bearer other")
    assert (await registry.ask(GOOD.replace(b"good", b"other"))).status == 401


async def test_a_decision_without_a_stamp_is_never_kept(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, door = kept
    door.remembers = False
    for times in range(1, 5):
        assert (await registry.ask(GOOD)).status == 200
        assert door.asked == times
    assert registry.hits == []


async def test_a_new_token_finds_the_answer_of_another(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, door = kept
    await registry.heat(GOOD)
    door.tokens.add("Bearer new")
    new = GOOD.replace(b"good", b"new")
    assert (await registry.ask(new)).status == 200
    assert len(registry.hits) == 1
    assert (await registry.ask(new)).status == 200
    assert len(registry.hits) == 2


async def test_a_refusal_is_not_kept(kept: tuple[Registry, Doorkeeper]) -> None:
    registry, door = kept
    bad = get(LATEST, "Authorization: Bearer bad")
    for _ in range(3):
        assert (await registry.ask(bad)).status == 401
    door.tokens.add("Bearer bad")
    assert (await registry.ask(bad)).status == 200
