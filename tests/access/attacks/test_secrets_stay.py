"""Whatever is sent to a registry that logs all it can: no secret is in its log, its answers or its database."""

import asyncio
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import asyncpg
import httpx

from registry.infra.db import embedded
from tests.auth.letterbox import letterbox
from tests.journeys.conftest import Served, serve
from tests.pushing import push_image

__all__ = ["serve"]  # a fixture of the journeys

FIRST, SECOND, WRONG, SMTP = "canary-Horse-1", "canary-Staple-2", "canary-wrong-3", "canary-smtp-4"


class Talk:
    """Requests, and the answers that are refusals; `secrets` is what must be nowhere."""

    def __init__(self, url: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, timeout=60)
        self.secrets = {FIRST, SECOND, WRONG, SMTP}
        self.refusals: list[str] = []

    def keep(self, secret: str, name: str = "ann") -> str:
        """A secret that was made, in each form in which it is sent."""
        self.secrets |= {secret, base64.b64encode(f"{name}:{secret}".encode()).decode()}
        return secret

    async def ask(self, method: str, path: str, secret: str | None = None, **more: object) -> httpx.Response:
        headers = {"Authorization": secret if " " in secret else f"Bearer {secret}"} if secret else {}
        answer = await self.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
        if answer.status_code >= 400:
            self.refusals.append(f"{answer.headers} {answer.text}")
        return answer


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


async def live(talk: Talk) -> dict[str, str]:
    """An account, a login, keys and tokens, all of them used."""
    account = {"username": "ann", "email": "ann@example.org", "password": talk.keep(FIRST)}
    assert (await talk.ask("POST", "/v1/users", json=account)).status_code == 201
    login = {"username": "ann", "password": FIRST}
    pair = (await talk.ask("POST", "/v1/auth/login", json=login)).json()
    session, renewal = talk.keep(pair["value"]), talk.keep(pair["refreshToken"])
    pair = (await talk.ask("POST", "/v1/auth/refresh", json={"refreshToken": renewal})).json()
    found = {"renewal": talk.keep(pair["refreshToken"]), "session": talk.keep(pair["value"]), "former": session}
    made = await talk.ask("POST", "/v1/api-keys", found["session"], json={"name": "k", "scopes": ["admin"]})
    found["key"], number = talk.keep(made.json()["key"]), made.json()["id"]
    rotated = await talk.ask("POST", f"/v1/api-keys/{number}/rotate", found["session"], json={})
    talk.keep(rotated.json()["key"])
    query = {"scope": "repository:users/ann/app:pull,push", "offline_token": "true", "client_id": "docker"}
    tokens = (await talk.ask("GET", "/token", basic("ann", FIRST), params=query)).json()
    found |= {"token": talk.keep(tokens["token"]), "refresh": talk.keep(tokens["refresh_token"])}
    form = {"grant_type": "refresh_token", "refresh_token": found["refresh"]}
    talk.keep((await talk.ask("POST", "/token", data=form)).json()["token"])
    form = {"grant_type": "password", "username": "ann", "password": FIRST}
    talk.keep((await talk.ask("POST", "/token", data=form)).json()["token"])
    talk.client.headers["Authorization"] = f"Bearer {found['token']}"
    await push_image(talk.client, "users/ann/app", b"layer")
    del talk.client.headers["Authorization"]
    return found


async def lose(talk: Talk, secrets: dict[str, str]) -> None:
    """Each secret where it does not belong: other forms, other fields, paths, queries, bodies; then broken."""
    for secret in secrets.values():
        for sent in (secret, secret[:-2] + "zz", f"Bearer {secret}x", f"Digest {secret}", f"Basic {secret}"):
            for path in ("/v2/", "/v1/me", "/token"):
                await talk.ask("GET", path, sent)
        await talk.ask("GET", "/v2/", basic("bob", secret))
        await talk.ask("GET", "/v2/", basic("bob", WRONG))
        for name in ("token", "password", "access_token", "scope", "service", "account", "n", "last"):
            await talk.ask("GET", f"/token?{name}={quote(secret)}")
            await talk.ask("GET", f"/v2/users/ann/app/tags/list?{name}={quote(secret)}", basic("ann", FIRST))
        for path in ("/v1/auth/login", "/v1/auth/refresh", "/v1/auth/reset/confirm", "/v1/users/verify-email"):
            for field in ("refreshToken", "token", "value", "password", "username"):
                await talk.ask("POST", path, basic("ann", FIRST), json={field: secret})
            await talk.ask("POST", path, basic("ann", FIRST), content=secret)
        await talk.ask("POST", "/token", data={"grant_type": secret})
        await talk.ask("POST", "/token", data={"grant_type": "password", "username": "ann", "password": secret + "x"})


async def end(talk: Talk, session: str, code: Callable[[], str]) -> None:
    """The password is changed, and reset by a code of a mail."""
    body = {"current": FIRST, "password": talk.keep(SECOND)}
    assert (await talk.ask("POST", "/v1/me/password", session, json=body)).status_code == 204
    assert (await talk.ask("POST", "/v1/me/password", session, json=body)).status_code == 401
    assert (await talk.ask("POST", "/v1/auth/reset", json={"username": "ann"})).status_code == 202
    reset = {"token": talk.keep(await asyncio.to_thread(code)), "password": FIRST}
    assert (await talk.ask("POST", "/v1/auth/reset/confirm", json=reset)).status_code == 204
    assert (await talk.ask("POST", "/v1/auth/reset/confirm", json=reset)).status_code == 401


async def stored(data: Path) -> str:
    """All that the database has in words, but hashes of passwords."""
    server = await embedded.attach(data)
    assert server is not None
    connection = await asyncpg.connect(**server.connect_arguments())
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        str(row[0])
        for table in tables
        for row in await connection.fetch(f'SELECT to_jsonb(t)::text FROM "{table["tablename"]}" t')
    ]
    await connection.close()
    return "\n".join(rows)


async def test_no_secret_is_in_the_log_in_a_refusal_or_in_the_database(serve: Callable[..., Served]) -> None:
    limits = {f"RATE_LIMIT_{kind}": "0" for kind in ("AUTH", "TRANSFER", "GENERAL", "SIGNED_IN")}
    async with letterbox() as box:
        mail = {"SMTP_URL": f"smtp://registry:{SMTP}@127.0.0.1:{box.port}", "MAIL_FROM": "registry@example.org"}
        served = await asyncio.to_thread(lambda: serve(LOG_LEVEL="debug", **mail, **limits))
        talk = Talk(served.url)
        secrets = await live(talk)
        await lose(talk, secrets)

        def code() -> str:
            while not box.letters or "gati_reset" not in box.text():
                continue
            return box.code()

        await end(talk, secrets["session"], code)
        await talk.client.aclose()
        assert ("registry", SMTP) in box.logins
        verifies = [found for letter in range(len(box.letters)) for found in re.findall(r"gati_\w+", box.text(letter))]
        talk.secrets.update(verifies)
        database = await stored(served.data)
        await asyncio.to_thread(served.stop)
    log = (served.data.parent / "serve.log").read_text()
    assert '"path": "/token"' in log
    assert "key.created" in database
    for place in (log, database, json.dumps(talk.refusals)):
        assert not [secret for secret in talk.secrets if secret in place]
