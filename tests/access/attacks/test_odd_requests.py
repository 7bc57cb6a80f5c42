"""Requests that are made to be read in two ways, to exhaust, or to come from somewhere else."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import jwt
import pytest

from registry.auth.model import Limits
from registry.config import load
from registry.infra.http.boundary import Boundary
from registry.namespaces import spaces
from registry.namespaces.model import Policies
from tests.access.world import OPERATOR, World, basic
from tests.conftest import running
from tests.fast_lane.conftest import Start, get, start
from tests.pushing import push_image
from tests.web.town import town_of

__all__ = ["start"]  # a fixture of the server's tests

PASSWORD = "correct horse battery"
PATHS = ("/v2/", "/token", "/v1/me")


async def ask(world: World, path: str, *headers: tuple[bytes, bytes]) -> httpx.Response:
    """The answer to a request with just these fields, in this order."""
    transport = httpx.ASGITransport(Boundary(world.application), raise_app_exceptions=False, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        request = httpx.Request("GET", f"http://localhost{path}", headers=[(b"Host", b"localhost"), *headers])
        return await client.send(request)


def raw_basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


async def test_two_credentials_are_no_request_whichever_is_good(world: World) -> None:
    one = await world.user()
    good = (b"Authorization", basic(one.name, one.key).encode())
    for other in (b"Bearer x.y.z", b"", b"Basic Og==", good[1]):
        for pair in ((good, (b"authorization", other)), ((b"AUTHORIZATION", other), good)):
            for path in PATHS:
                assert (await ask(world, path, *pair)).status_code == 400
    joined = b", ".join([good[1], b"Bearer x"])
    for path in PATHS:
        assert (await ask(world, path, (b"Authorization", joined))).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        raw_basic(b"\xff\xfe:\xff"),
        raw_basic(b"no colon"),
        raw_basic(b"person\0:password"),
        raw_basic(b"person:pass\0word"),
        raw_basic(b":password"),
        raw_basic(b"person:"),
        raw_basic(b"a" * 400 + b":x"),
        raw_basic(b"x:" + b"a" * 5000),
        raw_basic(b"x@" + b"a" * 300 + b":x"),
        raw_basic("\uff50erson:x".encode()),
        raw_basic(b"per'son\";--:x"),
        raw_basic(b"%:%"),
        b"Basic !!!",
        b"Basic",
        b"Bearer",
        b"Bearer ",
        b"Bearer \x80\xff",
        b"Bearer a.b",
        b"Bearer ..",
        b"Bearer " + b"." * 100,
        b"Bearer " + b"a" * 9000 + b"..",
        b"Digest username=x",
        b"Negotiate YII=",
        b"\tBasic\tOg==",
        b"Basic " + b"A" * 20000,
    ],
)
async def test_a_credential_in_any_odd_form_is_refused_in_words(world: World, value: bytes) -> None:
    for path in PATHS:
        answer = await ask(world, path, (b"Authorization", value))
        assert answer.status_code == 401, (path, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        text = json.dumps(answer.json())
        assert value.decode("latin-1").partition(" ")[2].strip() not in text or len(value) < 12


async def test_a_password_may_have_colons_and_any_letters_and_a_name_that_looks_alike_is_another(world: World) -> None:
    password = "Käse: ✓ :: 文字 \U0001f600"
    one = await world.user(password=password)
    for path in PATHS:
        found = await ask(world, path, (b"Authorization", raw_basic(f"{one.name}:{password}".encode())))
        assert found.status_code == 200
        for name, secret in ((one.name, password.rstrip("\U0001f600")), (f"{one.name}:", password)):
            sent = raw_basic(f"{name}:{secret}".encode())
            assert (await ask(world, path, (b"Authorization", sent))).status_code == 401
    upper = raw_basic(f"{one.name.upper()}:{password}".encode())
    assert (await ask(world, "/v2/", (b"Authorization", upper))).status_code == 200
    body = {"username": one.name, "password": "\ud800 lone surrogate"}
    async with world.client() as client:
        headers = {"Content-Type": "application/json"}
        sent = json.dumps(body).encode()
        assert (await client.post("/v1/auth/login", content=sent, headers=headers)).status_code == 422
        for name in ("x\0y", "\0", "a" * 100, "\u202eevil", "' OR '1'='1", "x@y'--"):
            answer = await client.post("/v1/auth/login", json={"username": name, "password": "\0"})
            assert answer.status_code in {401, 422}
        for form in (b"grant_type=password&username=%00&password=%ff", b"grant_type=password&username=x&password=%00"):
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            assert (await client.post("/token", content=form, headers=headers)).status_code in {400, 401}


async def test_scopes_made_to_mislead_list_nothing_that_is_not_held(world: World) -> None:
    one, other = await world.user(), await world.user()
    _, home = await world.org(other)
    async with other.client() as client:
        await push_image(client, f"{home}/app", b"layer")
    asked = [
        f"repository:{home}/app:*",
        f"repository:{home}/app:pull,push,delete,admin,own",
        f"repository:{home}/../{home}/app:pull",
        f"repository:{home}/app%00:pull",
        f"repository:{home}/app:pull repository:*:*",
        f"repository(plugin):{home}/app:pull",
        "repository:*:*",
        "registry:catalog:*",
        "registry:*:*",
        f"namespace:{home}:*",
        "repository:" + "a/" * 200 + ":pull",
        "x" * 5000,
        *(f"repository:{home}/app{number}:pull" for number in range(200)),
    ]
    async with one.client() as client:
        for scopes in (asked, [" ".join(asked)]):
            answer = await client.post("/token", data={"grant_type": "password", "username": "x", "password": "y"})
            assert answer.status_code == 401
            form = {"grant_type": "password", "username": one.name, "password": one.key, "scope": " ".join(scopes)}
            token = (await client.post("/token", data=form)).json()["token"]
            listed = jwt.decode(token, options={"verify_signature": False})["access"]
            assert [entry["name"] for entry in listed] == ["catalog"]


async def test_a_header_section_of_64_kib_is_refused_before_anybody_is_asked(start: Start) -> None:
    registry = await start({"ACCESS": "closed"})
    for fields in ([f"Authorization: Bearer {'a' * 65536}"], [f"X-{n}: {'a' * 1000}" for n in range(64)]):
        for path in PATHS:
            assert (await registry.ask(get(path, *fields))).status == 431
    long = f"Authorization: Bearer {'a' * 20000}"
    for path in PATHS:
        assert (await registry.ask(get(path, long))).status == 401
    for path in PATHS:
        twice = ("Authorization: Basic Og==", "authorization: Basic Og==")
        assert (await registry.ask(get(path, *twice))).status == 400
        assert (await registry.ask(get(path, "Host: second"))).status == 400


@asynccontextmanager
async def behind(environ: dict[str, str], **settings: str) -> AsyncIterator[World]:
    """A closed registry with these settings and small budgets."""
    common = {"ACCESS": "closed", "SINGLE_HOST": "true", "RATE_LIMIT_TRANSFER": "0", "RATE_LIMIT_AUTH": "3/60"}
    async with running(load(environ | common | settings)) as application:
        world = World(application)
        world.administrator = await world.user("keeper")
        yield world


async def refused(world: World, peer: str, *forwarded: str) -> list[int]:
    """Wrong passwords of one peer that says to forward for others, by turns."""
    found = []
    async with world.client(basic("keeper", "wrong horse"), peer) as client:
        for number in range(6):
            headers = {"X-Forwarded-For": forwarded[number % len(forwarded)]} if forwarded else {}
            found.append((await client.get("/v2/", headers=headers)).status_code)
    return found


SPOOFED = ("203.0.113.1", "203.0.113.2, 203.0.113.3", "127.0.0.1", "::1", "garbage", "")


async def test_nobody_gets_another_budget_or_network_by_saying_where_it_comes_from(
    environ: dict[str, str], emptied: None
) -> None:
    async with behind(environ) as world:
        assert await refused(world, "198.51.100.7", *SPOOFED) == [401] * 3 + [429] * 3
        one = await world.user()
        _, home = await world.org(one)
        async with one.client() as client:
            await push_image(client, f"{home}/app", b"layer")
        fenced = await world.key(one.account, Limits(addresses=("203.0.113.0/24",)))
        namespace = await world.fetch("SELECT max(id) FROM namespaces")
        await spaces.set_policies(world.realm, OPERATOR, namespace, Policies.read({"addresses": ["203.0.113.0/24"]}))
        for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "X-Client-IP"):
            spoofed = {header: "203.0.113.9" if header != "Forwarded" else "for=203.0.113.9"}
            async with one.client("198.51.100.8") as client:
                answer = await client.get(f"/v2/{home}/app/manifests/latest", headers=spoofed)
                assert answer.status_code == 404
            async with world.client(basic(one.name, fenced), f"198.51.101.{len(header)}") as client:
                assert (await client.get("/v2/", headers=spoofed)).status_code == 401
        async with one.client("203.0.113.9") as client:
            assert (await client.get(f"/v2/{home}/app/manifests/latest")).status_code == 200
            away = {"X-Forwarded-For": "198.51.100.1"}
            assert (await client.get(f"/v2/{home}/app/manifests/latest", headers=away)).status_code == 200


async def test_a_proxy_is_believed_only_for_what_it_added_itself(environ: dict[str, str], emptied: None) -> None:
    async with behind(environ, TRUSTED_PROXIES="10.0.0.0/8") as world:
        assert await refused(world, "10.0.0.1", "203.0.113.1") == [401] * 3 + [429] * 3
        spoofed = [f"{text}, 203.0.113.50" for text in SPOOFED]
        assert await refused(world, "10.0.0.1", *spoofed) == [401] * 3 + [429] * 3
        assert await refused(world, "10.0.0.2", "198.51.100.5, 203.0.113.1") == [429] * 6
        assert await refused(world, "10.0.0.2", "203.0.113.60, 10.9.9.9") == [401] * 3 + [429] * 3
        assert await refused(world, "198.51.100.7", *SPOOFED) == [401] * 3 + [429] * 3
        one = await world.user()
        _, home = await world.org(one, addresses=["203.0.113.0/24"])
        path = f"/v2/{home}/app/tags/list"
        for peer, forwarded, status in (
            ("198.51.100.77", "203.0.113.9", 404),
            ("10.0.0.1", "203.0.113.9, 198.51.100.9", 404),
            ("10.0.0.1", "203.0.113.9, garbage", 404),
            ("10.0.0.1", "203.0.113.9", 200),
            ("10.0.0.1", "198.51.100.9, 203.0.113.9, 10.0.0.3", 200),
        ):
            async with world.client(basic("keeper", world.administrator.key), "127.0.0.1") as client:
                await push_image(client, f"{home}/app", b"layer")
            async with one.client(peer) as client:
                answer = await client.get(path, headers={"X-Forwarded-For": forwarded})
                assert answer.status_code == status, forwarded


async def test_the_challenge_names_no_host_that_a_caller_made_up(world: World) -> None:
    async with world.client() as client:
        for host in ("evil.example", "localhost.evil.example", "evil.example:443", "localhost@evil.example", "[::1"):
            answer = await client.get("/v2/", headers={"Host": host, "X-Forwarded-Host": "evil.example"})
            assert "evil.example/token" not in answer.headers.get("www-authenticate", "")
            assert answer.status_code == 403
        good = await client.get("/v2/", headers={"Host": "localhost", "X-Forwarded-Host": "evil.example"})
        assert 'realm="http://localhost/token"' in good.headers["www-authenticate"]


async def test_nobody_closes_or_uses_an_open_registry_through_a_browser(environ: dict[str, str]) -> None:
    account = {"username": "mallory", "email": "m@example.org", "password": PASSWORD}
    async with town_of(environ) as town:
        transport = httpx.ASGITransport(Boundary(town.app), raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for headers in (
                {"Host": "rebound.evil.example"},
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Origin": "http://localhost:9999"},
                {"Sec-Fetch-Site": "cross-site"},
                {"Origin": "http://localhost.evil.example"},
                {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
            ):
                for method, path in (
                    ("POST", "/v1/users"),
                    ("POST", "/v1/auth/login"),
                    ("POST", "/v2/a/blobs/uploads/"),
                ):
                    for kind in ("application/json", "text/plain"):
                        sent = headers | {"Content-Type": kind}
                        answer = await client.request(method, path, content=json.dumps(account), headers=sent)
                        assert answer.status_code == 403, (headers, path)
                for path in ("/v2/", "/v2/_catalog", "/v1/me"):
                    assert (await client.get(path, headers=headers)).status_code == 403
            assert not await town.run("SELECT has_accounts FROM instance")
        for address in ("192.0.2.7", "::ffff:192.0.2.7", "10.0.0.1", "fe80::1%eth0"):
            assert (await town.call("POST", "/v1/users", account, address=address)).status_code == 403
        assert (await town.call("GET", "/v2/", address="127.0.0.1")).status_code == 200
        assert (await town.call("POST", "/v1/users", account, address="127.0.0.1")).status_code == 201
        assert (await town.call("GET", "/v2/", address="127.0.0.1")).status_code == 401
        assert (await town.call("POST", "/v1/users", account | {"username": "eve"}, address="::1")).status_code != 500


async def test_the_first_account_is_for_the_machine_itself_also_behind_a_proxy_on_it(environ: dict[str, str]) -> None:
    account = {"username": "mallory", "email": "m@example.org", "password": PASSWORD}
    async with town_of(environ, TRUSTED_PROXIES="127.0.0.0/8") as town:
        transport = httpx.ASGITransport(Boundary(town.app), raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for forwarded in ("203.0.113.9", "127.0.0.1, 203.0.113.9"):
                headers = {"X-Forwarded-For": forwarded}
                assert (await client.post("/v1/users", json=account, headers=headers)).status_code == 403
            assert (await client.post("/v1/users", json=account)).status_code == 201
