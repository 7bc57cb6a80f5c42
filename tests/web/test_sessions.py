"""Logins over /v1: how they begin, go on and end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.audit.model import By
from registry.auth import refresh_tokens
from tests.web.town import HOME, PASSWORD, Person, Town, town_of

LOGIN = "/v1/auth/login"
SESSIONS = "/v1/me/sessions"


@pytest.fixture
async def ann(town: Town) -> Person:
    return await town.person()


async def log_in(town: Town, person: Person) -> dict[str, Any]:
    answer = await town.call("POST", LOGIN, {"username": person.name, "password": PASSWORD})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_a_login_brings_a_token_and_what_renews_it(town: Town, ann: Person) -> None:
    found = await log_in(town, ann)
    assert (found["type"], found["token"], found["scopes"]) == ("token", found["value"], ["admin"])
    assert found["mustChangePassword"] is False
    ends = datetime.fromisoformat(found["expiresAt"])
    assert timedelta(days=6) < ends - datetime.now(UTC) < timedelta(days=8)
    assert await town.is_good(found["value"])
    assert not await town.is_good(found["refreshToken"])


async def test_a_wrong_password_and_an_unknown_name_are_told_alike(town: Town, ann: Person) -> None:
    told = []
    for name in (ann.name, "nobody", "nobody@example.org", "\u202enobody", "a" * 100):
        answer = await town.call("POST", LOGIN, {"username": name, "password": "canary-wrong"})
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        told.append((answer.status_code, answer.json()["code"], answer.json()["message"]))
    assert told == [told[0]] * 5
    assert told[0][:2] == (401, "INVALID_CREDENTIALS")


async def test_passwords_cannot_be_guessed_for_long_and_right_ones_do_not_count(environ: dict[str, str]) -> None:
    async with town_of(environ, ACCESS="closed", RATE_LIMIT_AUTH="3/60") as town:
        ann = await town.person()
        for _ in range(4):
            await log_in(town, ann)
        body = {"username": ann.name, "password": "canary-wrong"}
        told = [(await town.call("POST", LOGIN, body)).status_code for _ in range(4)]
        assert told == [401, 401, 401, 429]
        last = await town.call("POST", LOGIN, body | {"password": PASSWORD})
        assert (last.status_code, last.json()["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert int(last.headers["retry-after"]) > 0
        elsewhere = await town.call("POST", LOGIN, body | {"password": PASSWORD}, address="198.51.100.1")
        assert elsewhere.status_code == 200


async def test_a_suspended_account_is_told_so_only_with_its_password(town: Town, ann: Person) -> None:
    await town.run("UPDATE accounts SET state = 'suspended' WHERE id = $1 RETURNING 1", ann.id)
    right = await town.call("POST", LOGIN, {"username": ann.name, "password": PASSWORD})
    wrong = await town.call("POST", LOGIN, {"username": ann.name, "password": "canary-wrong"})
    assert (right.status_code, "suspended" in right.json()["message"]) == (403, True)
    assert (wrong.status_code, "suspended" in wrong.text) == (401, False)


async def test_a_key_or_token_that_is_there_already_comes_back_and_grows_no_wider(town: Town, ann: Person) -> None:
    made = await town.key(ann, scopes=["read-only"])
    found = (await town.call("POST", LOGIN, {"type": "apiKey", "value": made["key"]})).json()
    assert (found["type"], found["value"], found["scopes"]) == ("apiKey", made["key"], ["read-only"])
    assert found["expiresAt"] == made["expiresAt"]
    assert "refreshToken" not in found
    assert (await town.call("POST", LOGIN, {"type": "token", "value": ann.token})).json()["value"] == ann.token
    for kind, value in (("token", made["key"]), ("apiKey", ann.token), ("apiKey", made["key"][:-1]), ("token", "x\ny")):
        assert (await town.call("POST", LOGIN, {"type": kind, "value": value})).status_code == 401
    await town.call("DELETE", f"/v1/api-keys/{made['id']}", key=ann)
    assert (await town.call("POST", LOGIN, {"type": "apiKey", "value": made["key"]})).status_code == 401


async def test_a_key_limited_to_networks_is_not_taken_from_elsewhere(town: Town, ann: Person) -> None:
    made = await town.key(ann, addresses=["192.0.2.0/24"])
    body = {"type": "apiKey", "value": made["key"]}
    assert (await town.call("POST", LOGIN, body)).status_code == 200
    assert (await town.call("POST", LOGIN, body, address="198.51.100.1")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "a"},
        {"type": "token"},
        {"username": "a", "password": "b", "type": "token", "value": "c"},
        {"username": "a", "value": "c"},
        {"type": "oauth", "value": "c"},
    ],
)
async def test_a_login_is_of_one_form(town: Town, body: dict[str, str]) -> None:
    assert (await town.call("POST", LOGIN, body)).status_code == 422


async def test_a_renewal_is_good_once_and_a_second_use_ends_the_login(town: Town, ann: Person) -> None:
    first = await log_in(town, ann)
    body = {"refreshToken": first["refreshToken"]}
    second = (await town.call("POST", "/v1/auth/refresh", body)).json()
    assert second["value"] != first["value"]
    assert await town.is_good(second["value"])
    again = await town.call("POST", "/v1/auth/refresh", body)
    assert (again.status_code, again.json()["code"]) == (401, "INVALID_CREDENTIALS")
    assert not await town.is_good(second["value"])
    assert not await town.is_good(first["value"])
    other = await town.call("POST", "/v1/auth/refresh", {"refreshToken": second["refreshToken"]})
    assert other.status_code == 401
    assert await town.is_good(ann.token)


async def test_logging_out_ends_this_login_alone(town: Town, ann: Person) -> None:
    other = await log_in(town, ann)
    assert (await town.call("POST", "/v1/auth/logout", key=ann)).status_code == 204
    assert not await town.is_good(ann.token)
    assert await town.is_good(other["value"])
    made = await town.key(other["value"], scopes=["read-only"])
    assert (await town.call("POST", "/v1/auth/logout", key=made["key"])).status_code == 404
    assert (await town.call("POST", "/v1/auth/logout")).status_code == 401


async def test_logins_are_listed_without_their_secrets_and_ended(town: Town, ann: Person) -> None:
    other = await log_in(town, ann)
    listed = await town.call("GET", SESSIONS, key=ann)
    items = listed.json()["items"]
    assert [(one["kind"], one["isCurrent"]) for one in items] == [("session", True), ("session", False)]
    for secret in (ann.token, other["value"], other["refreshToken"]):
        assert secret not in listed.text
    assert (await town.call("DELETE", f"{SESSIONS}/{items[1]['id']}", key=ann)).status_code == 204
    assert not await town.is_good(other["value"])
    assert await town.is_good(ann.token)
    assert (await town.call("DELETE", f"{SESSIONS}/{items[1]['id']}", key=ann)).status_code == 404


async def test_refresh_tokens_of_programs_are_listed_and_ended_beside_logins(town: Town, ann: Person) -> None:
    password = await town.run("SELECT id FROM credentials WHERE account = $1 AND kind = 'password'", ann.id)
    by = By(ann.id, ann.name, password, HOME)
    for client in ("docker", "oras"):
        await refresh_tokens.issue(town.realm, by, ann.id, password, client)
    first = await town.call("GET", f"{SESSIONS}?limit=2", key=ann)
    rest = await town.call("GET", first.links["next"]["url"], key=ann)
    items = [*first.json()["items"], *rest.json()["items"]]
    assert [(one["kind"], one["name"]) for one in items[1:]] == [("refresh", "docker"), ("refresh", "oras")]
    assert (await town.call("GET", "/v1/api-keys", key=ann)).json()["items"] == []
    assert (await town.call("DELETE", f"{SESSIONS}/{items[1]['id']}", key=ann)).status_code == 204
    left = (await town.call("GET", SESSIONS, key=ann)).json()["items"]
    assert [one["name"] for one in left[1:]] == ["oras"]


async def test_a_login_of_somebody_else_and_a_key_are_as_one_that_there_is_not(
    town: Town, ann: Person, boss: Person
) -> None:
    [mine] = (await town.call("GET", SESSIONS, key=ann)).json()["items"]
    made = await town.key(boss)
    told = {
        (answer.status_code, answer.json()["message"])
        for one in (mine["id"], made["id"], 2**62, 2**70, 0, "x")
        for answer in [await town.call("DELETE", f"{SESSIONS}/{one}", key=boss)]
    }
    assert told == {(404, "There is no such login.")}
    assert await town.is_good(ann.token)
    assert await town.is_good(made["key"])


async def test_a_read_only_key_ends_no_login(town: Town, ann: Person) -> None:
    made = await town.key(ann, scopes=["read-only"])
    [mine] = (await town.call("GET", SESSIONS, key=ann)).json()["items"]
    assert (await town.call("DELETE", f"{SESSIONS}/{mine['id']}", key=made["key"])).status_code == 403
    assert await town.is_good(ann.token)
