"""Budgets of requests, at the doors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from registry.config import load
from tests.access.world import World, basic
from tests.conftest import running
from tests.pushing import push_image


@pytest.fixture
async def counted(environ: dict[str, str], emptied: None) -> AsyncIterator[World]:
    """A closed registry with small budgets."""
    rates = {"RATE_LIMIT_TRANSFER": "5/60", "RATE_LIMIT_AUTH": "3/60", "RATE_LIMIT_GENERAL": "4/60"}
    async with running(load(environ | {"ACCESS": "closed", "SINGLE_HOST": "true"} | rates)) as application:
        found = World(application)
        found.administrator = await found.user("keeper")
        yield found


async def test_each_answer_says_what_is_left_and_the_refusal_when_to_come_back(counted: World) -> None:
    one = await counted.user()
    async with one.client() as client:
        left = [(await client.get("/v2/")).headers["ratelimit-remaining"] for _ in range(5)]
        refused = await client.get("/v2/")
    assert left == ["4", "3", "2", "1", "0"]
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "TOOMANYREQUESTS")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert one.name in refused.json()["errors"][0]["message"]


async def test_a_key_has_a_budget_of_its_own(counted: World) -> None:
    one = await counted.user()
    other = await counted.key(one.account)
    async with one.client() as client, counted.client(basic(one.name, other)) as second:
        for _ in range(6):
            last = await client.get("/v2/")
        assert last.status_code == 429
        assert (await second.get("/v2/")).status_code == 200


async def test_wrong_passwords_use_up_an_address_and_no_other(counted: World) -> None:
    one = await counted.user(password="correct horse battery")
    async with counted.client(basic(one.name, "wrong horse"), "192.0.2.1") as thief:
        statuses = [(await thief.get("/v2/")).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    async with counted.client(basic(one.name, "correct horse battery"), "192.0.2.1") as near:
        assert (await near.get("/v2/")).status_code == 429
    async with counted.client(basic(one.name, "correct horse battery"), "192.0.2.2") as owner:
        assert (await owner.get("/v2/")).status_code == 200


async def test_the_site_has_a_budget_for_strangers(counted: World) -> None:
    async with counted.client(address="198.51.100.9") as client:
        statuses = [(await client.get("/v1/openapi.json")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]


async def test_a_key_that_is_too_old_for_a_namespace_opens_only_what_is_public(world: World) -> None:
    one = await world.user()
    _, home = await world.org(one, keyDays=30)
    _, shown = await world.org(one, "public", keyDays=30)
    old = await world.key(one.account)
    made = datetime.now(UTC) - timedelta(days=31)
    await world.fetch("UPDATE credentials SET created_at = $1 WHERE id = (SELECT max(id) FROM credentials)", made)
    async with one.client() as client, world.client(basic(one.name, old)) as late:
        for name in (f"{home}/app", f"{shown}/app"):
            await push_image(client, name, b"layer")
        assert (await late.get(f"/v2/{home}/app/manifests/latest")).status_code == 404
        assert (await late.get(f"/v2/{shown}/app/manifests/latest")).status_code == 200
        assert (await late.post(f"/v2/{shown}/app/blobs/uploads/")).status_code == 403
        assert (await late.get("/v2/_catalog")).json()["repositories"] == [f"{shown}/app"]
