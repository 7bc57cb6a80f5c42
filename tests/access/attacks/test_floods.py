"""Guesses in great numbers cost the registry two hashes at a time, and the one who guesses its budget."""

import asyncio
import threading
from collections import Counter
from typing import Any

import httpx
import pytest

from registry.config import load
from registry.infra.http.boundary import Boundary
from tests.access.world import World, basic
from tests.conftest import running
from tests.pushing import push_image

GUESSES = 1000


class Hasher:
    """Stands still until it is let go, and notes how many hashes run at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.running = self.most = self.all = 0

    def verify(self, *_: Any) -> bool:
        """No password is right."""
        with self.lock:
            self.running += 1
            self.all += 1
            self.most = max(self.most, self.running)
        assert self.go.wait(60)
        with self.lock:
            self.running -= 1
        return False


async def test_a_thousand_guesses_at_once_take_two_hashes_and_hinder_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await world.user(password="correct horse battery")
    _, home = await world.org(one, "public")
    async with one.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    hasher = Hasher()
    monkeypatch.setattr(world.realm.passwords, "_matches", hasher.verify)
    transport = httpx.ASGITransport(Boundary(world.application), raise_app_exceptions=False, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as thief:

        async def guess(number: int) -> int:
            name = one.name if number % 2 else f"nobody-{number}"
            headers = {"Authorization": basic(name, f"guess {number}")}
            match number % 4:
                case 0:
                    answer = await thief.get("/v2/", headers=headers)
                case 1:
                    answer = await thief.get("/token", headers=headers)
                case 2:
                    form = {"grant_type": "password", "username": name, "password": f"guess {number}"}
                    answer = await thief.post("/token", data=form)
                case _:
                    answer = await thief.post("/v1/auth/login", json={"username": name, "password": f"guess {number}"})
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code

        guesses = [asyncio.create_task(guess(number)) for number in range(GUESSES)]
        answers = asyncio.as_completed(guesses)
        for _ in range(GUESSES - 34):
            await next(answers)
        assert {task.result() for task in guesses if task.done()} == {429}
        async with world.client() as nobody, one.client() as owner:
            assert (await nobody.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
            assert (await owner.post(f"/v2/{home}/app/blobs/uploads/")).status_code == 202
            assert (await nobody.get("/health")).status_code == 200
        assert not any(task.done() and task.result() == 401 for task in guesses)
        hasher.go.set()
        found = Counter(await asyncio.gather(*guesses))
    assert found == {429: GUESSES - 34, 401: 34}
    assert (hasher.most, hasher.all) == (2, 34)


async def test_an_address_has_twenty_guesses_over_all_doors_and_forms_and_another_its_own(
    environ: dict[str, str], emptied: None
) -> None:
    settings = {"ACCESS": "closed", "SINGLE_HOST": "true", "RATE_LIMIT_TRANSFER": "0", "RATE_LIMIT_GENERAL": "0"}
    async with running(load(environ | settings)) as application:
        world = World(application)
        one = await world.user("keeper", password="correct horse battery")
        made = await one.token()
        forged = made[:-4] + ("AAAA" if made[-4:] != "AAAA" else "BBBB")
        bad = {
            "key": basic(one.name, one.key[:-1]),
            "garbage": "Bearer garbage",
            "token": f"Bearer {forged}",
            "password": basic(one.name, "wrong horse"),
            "nobody": basic("nobody", "wrong horse"),
        }
        found: list[int] = []
        async with world.client(address="2001:db8::1") as thief, world.client(address="2001:db8::2") as near:
            for authorization in (*bad.values(), *bad.values(), *bad.values()):
                headers = {"Authorization": authorization}
                path = ("/v2/", "/token", "/v1/me")[len(found) % 3]
                found.append((await (thief, near)[len(found) % 2].get(path, headers=headers)).status_code)
            login = {"username": one.name, "password": "wrong horse"}
            found += [(await thief.post("/v1/auth/login", json=login)).status_code for _ in range(2)]
            form = {"grant_type": "refresh_token", "refresh_token": "gati_refresh_x"}
            found += [(await near.post("/token", data=form)).status_code for _ in range(1)]
            reset = {"token": "gati_reset_x", "password": "new horse battery"}
            found += [(await thief.post("/v1/auth/reset/confirm", json=reset)).status_code for _ in range(2)]
            assert found == [401] * 20
            right = {"Authorization": basic(one.name, "correct horse battery")}
            for client in (thief, near):
                assert (await client.get("/v2/", headers={"Authorization": bad["nobody"]})).status_code == 429
                assert (await client.get("/v2/", headers=right)).status_code == 429
                assert (await client.post("/v1/auth/login", json=login)).status_code == 429
                assert (await client.get("/token")).status_code == 200
        async with world.client(address="2001:db8:0:1::1") as elsewhere:
            for _ in range(30):
                assert (await elsewhere.get("/v2/", headers=right)).status_code == 200
