"""An outsider cannot tell a private repository from a name that never was, whatever is asked."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.infra.db.pool import Database
from tests.access import matrix_rest
from tests.access.conftest import world  # noqa: F401 - a fixture
from tests.access.matrix import Case, Home, Sent
from tests.access.matrix_scene import Asked, Scene, claims, make, requests
from tests.access.world import World
from tests.pushing import digest

FRESH = {"jti", "iat", "nbf", "exp"}
VOLATILE = {"x-request-id", "date"}
SCOPES = st.none() | st.sampled_from(["read-only", "publish", "admin"])
RARELY = st.sampled_from([False] * 4 + [True])


@st.composite
def outsiders(draw: st.DrawFn) -> Case:
    """Whoever has no right to see the away namespace: it is hidden by its visibility, or by where they are."""
    who = draw(st.sampled_from(["nobody", "nobody", "user", "user", "robot"]))
    form = draw(st.sampled_from(["nothing", "token"] if who == "nobody" else ["basic", "key", "token"]))
    is_far = draw(RARELY)
    hidden = ["private"] if who == "user" else ["private", "internal"]
    visible = st.sampled_from(["private", "internal", "public"] if is_far else hidden)
    own = st.none() | visible
    away = Home(visibility=draw(visible), own=draw(own), is_fenced=is_far)
    if away.own is None and not is_far:
        away = replace(away, visibility=draw(st.sampled_from(hidden)))
    role = draw(st.sampled_from(["write", "admin"])) if who != "nobody" else None
    sent = Sent(who, form, draw(SCOPES) if who != "nobody" else None, is_inside=not is_far, asked=(ALL, ALL))
    return Case(Home(role=role), away, sent)


ALL = frozenset({"pull", "push", "delete"})


# Feature: gati-registry, Property 24: Private repository isolation
@pytest.mark.timeout(600)
@settings(max_examples=100, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(case=outsiders())
async def test_what_is_hidden_is_answered_as_what_never_was(world: World, case: Case) -> None:  # noqa: F811
    """Routes, tokens, mounts and the catalog: the same status, body, header and statements, hot or cold."""
    scene = await make(world, case)
    hidden = scene.name("away", "app")
    never = [_other(hidden, "nev"), _other(scene.name("nowhere", "app"), "app")]
    async with scene.client() as client:
        for _ in range(2):
            await client.get("/v2/")  # the credential is known, as to whoever compares answers
        for name in never:
            for asked, again in zip(requests(hidden, scene.session), requests(name, scene.session), strict=True):
                if asked.route in {"version", "catalog"}:
                    continue
                for _ in range(3 if asked == requests(hidden, scene.session)[2] else 1):
                    assert await _told(client, asked, hidden) == await _told(client, again, name)
            await _same_tokens(client, hidden, name)
            await _same_mounts(scene, client, hidden, name)
        if "view" not in case.rights("away", "namespace"):
            await _same_rest(client, scene.names["away"], scene.names["nowhere"])
        if case.sent.form != "nothing":
            assert hidden not in (await client.get("/v2/_catalog")).text


def _other(name: str, last: str) -> str:
    return name.rpartition("/")[0] + "/" + last


async def _told(client: httpx.AsyncClient, asked: Asked, name: str) -> Any:
    with _statements() as count:
        answer = await client.request(asked.method, asked.path, content=asked.body or None, headers=asked.headers)
    return *_shown(answer, name), count[0]


def _shown(answer: httpx.Response, name: str) -> tuple[int, list[tuple[str, str]], str]:
    """What is told, but for the name that was asked for, and what is new with each answer."""

    def clean(text: str) -> str:
        text = re.sub(r"req_\w+|[0-9a-f]{8}-[0-9a-f-]{27}", "*", text.replace(name, "<name>"))
        return re.sub(r'"timestamp": ?"[^"]*"', "", text)

    headers = [(key, clean(value)) for key, value in answer.headers.multi_items() if key not in VOLATILE]
    length = [(key, "" if key == "content-length" else value) for key, value in headers]
    return answer.status_code, length, clean(answer.text)


@contextmanager
def _statements() -> Iterator[list[int]]:
    """How often this request turns to the database."""
    count, connection, own = [0], Database.connection, asyncio.current_task()

    def counted(self: Database, *given: Any, **more: Any) -> Any:
        count[0] += asyncio.current_task() is own
        return connection(self, *given, **more)

    Database.connection = counted  # type: ignore[method-assign]  # a test that looks
    try:
        yield count
    finally:
        Database.connection = connection  # type: ignore[method-assign]


async def _same_rest(client: httpx.AsyncClient, hidden: str, never: str) -> None:
    """Every endpoint about a namespace, and about its repository."""
    for method, path in matrix_rest.ASKED:
        if "{ns}" not in path:
            continue
        found = []
        for home in (hidden, never):
            asked = Asked("", method, matrix_rest.path_of(path, home, "keeper"))
            found.append(await _told(client, asked, home.removeprefix("orgs/")))
        assert found[0] == found[1]
        assert found[0][0] in {401, 404}


async def _same_tokens(client: httpx.AsyncClient, hidden: str, never: str) -> None:
    """A token for it is as long, and says the same, as one for what never was, and as one for nothing."""
    found: list[Any] = []
    for scope in (f"repository:{hidden}:pull,push,delete", f"repository:{never}:pull,push,delete", ""):
        answer = await client.get("/token", params={"service": "gati-registry", "scope": scope})
        if answer.status_code == 401:
            found.append(_shown(answer, hidden))
            continue
        content = answer.json()
        told = {key: value for key, value in claims(content["token"]).items() if key not in FRESH}
        found.append((200, len(content["token"]), json.dumps(told, sort_keys=True), sorted(content)))
    assert found[0] == found[1] == found[2]


async def _same_mounts(scene: Scene, client: httpx.AsyncClient, hidden: str, never: str) -> None:
    target = scene.name("home", "app")
    for one in (scene.mounted[0], b"never pushed"):
        path = f"/v2/{target}/blobs/uploads/?mount={digest(one)}&from="
        answers = [_shown(await client.post(path + source), source) for source in (hidden, never)]
        assert answers[0] == answers[1]
    anywhere = f"/v2/{target}/blobs/uploads/?mount="
    digests = [digest(one) for one in (scene.mounted[1], b"never pushed")]
    found = [_shown(await client.post(anywhere + one), one) for one in digests]
    assert found[0] == found[1]
