"""Accounts over /v1: how they begin, change and end, and who learns what of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from registry.infra.http.boundary import Boundary
from tests.auth.desk import Desk, nothing_tells
from tests.auth.letterbox import Letterbox, letterbox
from tests.web.town import HOME, PASSWORD, Person, Town, town_of

NEW = "canary-Battery-staple-2"
HERE = "127.0.0.1"


def account(name: str = "zoe", email: str = "zoe@example.org", **more: Any) -> dict[str, Any]:
    """A sign-up."""
    return {"username": name, "email": email, "password": PASSWORD} | more


@pytest.fixture
async def ann(town: Town) -> Person:
    return await town.person()


@pytest.fixture
async def box() -> AsyncIterator[Letterbox]:
    """A mail server."""
    async with letterbox() as found:
        yield found


@pytest.fixture
async def posting(environ: dict[str, str], box: Letterbox) -> AsyncIterator[Town]:
    """A registry that people may sign up at, and that sends mail."""
    settings = {"SMTP_URL": f"smtp://127.0.0.1:{box.port}", "MAIL_FROM": "registry@example.org"}
    async with town_of(environ, ACCESS="closed", SIGN_UP="on", **settings) as found:
        await found.person("boss")
        yield found


async def settle(town: Town) -> None:
    """Wait for mail that is on its way."""
    assert town.realm.mail is not None
    await town.realm.mail.settled()


async def test_the_first_account_of_an_open_registry_is_its_administrator_and_ends_that(
    environ: dict[str, str],
) -> None:
    async with town_of(environ, ACCESS="open") as town:
        answer = await town.call("POST", "/v1/users", account(displayName="Zoe Z."), address=HERE)
        told = answer.json()
        assert (answer.status_code, told["username"], told["isAdministrator"]) == (201, "zoe", True)
        assert (told["type"], told["namespace"], told["displayName"]) == ("user", "users/zoe", "Zoe Z.")
        assert told["emailVerified"] is False
        assert "not open any more" in told["notice"]
        assert PASSWORD not in answer.text
        again = await town.call("POST", "/v1/users", account("yve"), address=HERE)
        assert again.status_code == 201
        assert (again.json()["isAdministrator"], "notice" in again.json()) == (False, False)
        assert (await town.call("GET", "/v1/me", address=HERE)).status_code == 401


@pytest.mark.parametrize("address", [HOME, "", "2001:db8::1", "localhost"])
async def test_from_elsewhere_nobody_takes_an_open_registry_for_himself(environ: dict[str, str], address: str) -> None:
    async with town_of(environ, ACCESS="open") as town:
        answer = await town.call("POST", "/v1/users", account(), address=address)
        assert answer.status_code == 403
        assert "gati-registry admin account create NAME --email ADDRESS --administrator" in answer.json()["message"]
        assert await town.run("SELECT has_accounts FROM instance") is False


async def test_a_page_of_a_stranger_cannot_close_an_open_registry(environ: dict[str, str]) -> None:
    async with town_of(environ, ACCESS="open") as town:
        door = town.door

        async def from_elsewhere(scope: Any, receive: Any, send: Any) -> None:
            scope["headers"] = [*scope["headers"], (b"origin", b"https://evil.example")]
            await door(scope, receive, send)

        town.door = from_elsewhere
        assert (await town.call("POST", "/v1/users", account(), address=HERE)).status_code == 403
        assert await town.run("SELECT has_accounts FROM instance") is False


async def test_without_sign_up_only_administrators_make_accounts(town: Town, ann: Person, boss: Person) -> None:
    for key in (None, ann):
        answer = await town.call("POST", "/v1/users", account(), key=key, address=HERE)
        assert (answer.status_code, "gati-registry admin account create" in answer.json()["message"]) == (403, True)
    assert (await town.call("POST", "/v1/users", account(), key=boss)).status_code == 201
    narrow = await town.key(boss, scopes=["read-only"])
    assert (await town.call("POST", "/v1/users", account("yve"), key=narrow["key"])).status_code == 403


async def test_a_new_account_gets_a_code_that_it_alone_can_use(posting: Town, box: Letterbox) -> None:
    made = await posting.call("POST", "/v1/users", account())
    assert (made.status_code, made.json()["emailVerified"]) == (201, False)
    await settle(posting)
    assert box.envelopes[-1][1] == ["zoe@example.org"]
    other = await posting.person()
    zoe = (await posting.call("POST", "/v1/auth/login", {"username": "zoe", "password": PASSWORD})).json()["value"]
    verify = "/v1/users/verify-email"
    assert (await posting.call("POST", verify, {"token": box.code()})).status_code == 401
    assert (await posting.call("POST", verify, {"token": box.code()}, key=other)).status_code == 401
    assert (await posting.call("POST", verify, {"token": box.code()}, key=zoe)).status_code == 204
    assert (await posting.call("GET", "/v1/me", key=zoe)).json()["account"]["emailVerified"] is True
    again = await posting.call("POST", f"{verify}/resend", key=zoe)
    assert again.status_code == 409
    assert box.code() not in again.text


async def test_a_code_is_sent_again_when_it_is_asked_for(posting: Town, box: Letterbox) -> None:
    zoe = await posting.person(email="zoe@example.org")
    assert (await posting.call("POST", "/v1/users/verify-email/resend", key=zoe)).status_code == 204
    assert (await posting.call("POST", "/v1/users/verify-email", {"token": box.code()}, key=zoe)).status_code == 204
    assert (await posting.call("POST", "/v1/users/verify-email/resend")).status_code == 401


async def test_a_sign_up_tells_of_names_and_not_of_addresses(posting: Town) -> None:
    taken = await posting.person("zoe", email="zoe@example.org")
    await posting.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1 RETURNING 1", taken.id)
    for name in ("zoe", "z0e"):
        answer = await posting.call("POST", "/v1/users", account(name, "yve@example.org"))
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    free = await posting.call("POST", "/v1/users", account("yve", "zoe@example.org"))
    other = await posting.call("POST", "/v1/users", account("uma", "uma@example.org"))
    assert free.status_code == other.status_code == 201
    assert free.json().keys() == other.json().keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "Zoe"},
        {"username": "admin"},
        {"username": "a/b"},
        {"email": "nobody"},
        {"email": "a@b, c@d"},
        {"password": "short"},
        {"password": "zoezoezoe" * 200},
        {"displayName": "a\nb"},
        {"isAdministrator": True},
        {"username": None},
    ],
)
async def test_a_sign_up_that_cannot_be_makes_nothing(posting: Town, wrong: dict[str, Any]) -> None:
    answer = await posting.call("POST", "/v1/users", account() | wrong)
    assert answer.status_code == 422, answer.text
    assert await posting.run("SELECT count(*) FROM accounts") == 1


async def test_accounts_are_shown_to_those_who_have_one_without_what_is_private(town: Town, ann: Person) -> None:
    zoe = await town.person("zoe", email="zoe@example.org")
    answer = await town.call("GET", "/v1/users/zoe", key=ann)
    assert answer.json().keys() == {"id", "username", "displayName", "namespace", "createdAt"}
    assert (answer.json()["id"], answer.json()["namespace"]) == (zoe.id, "users/zoe")
    assert (await town.call("GET", "/v1/users/nobody", key=ann)).status_code == 404
    for name in ("zoe", "nobody"):
        assert (await town.call("GET", f"/v1/users/{name}")).status_code == 401


async def test_who_asks_for_a_new_password_never_learns_whether_there_is_an_account(
    posting: Town, box: Letterbox
) -> None:
    await posting.person("zoe", email="zoe@example.org")
    told = []
    for body in (
        {"username": "zoe"},
        {"username": "nobody"},
        {"email": "zoe@example.org"},
        {"email": "nobody@example.org"},
        {"email": "no address"},
    ):
        answer = await posting.call("POST", "/v1/auth/reset", body)
        told.append((answer.status_code, answer.content, sorted(answer.headers)))
    await settle(posting)
    assert told == [told[0]] * 5
    assert told[0][0] == 202
    assert [to for _, to in box.envelopes] == [["zoe@example.org"]] * 2
    for body in ({}, {"username": "zoe", "email": "zoe@example.org"}):
        assert (await posting.call("POST", "/v1/auth/reset", body)).status_code == 422


async def test_a_registry_without_mail_says_so_to_who_wants_a_new_password(town: Town) -> None:
    told = {(await town.call("POST", "/v1/auth/reset", {"username": name})).text for name in ("boss",)}
    assert "sends no mail" in told.pop()


async def test_a_reset_ends_logins_and_not_keys(posting: Town, box: Letterbox) -> None:
    zoe = await posting.person("zoe", email="zoe@example.org")
    made = await posting.key(zoe)
    await posting.call("POST", "/v1/auth/reset", {"username": "zoe"})
    await settle(posting)
    body = {"token": box.code(), "password": NEW}
    weak = await posting.call("POST", "/v1/auth/reset/confirm", body | {"password": "short"})
    assert weak.status_code == 422
    assert (await posting.call("POST", "/v1/auth/reset/confirm", body)).status_code == 204
    assert not await posting.is_good(zoe.token)
    assert not await posting.is_good(zoe.basic)
    assert await posting.is_good(made["key"])
    again = await posting.call("POST", "/v1/auth/reset/confirm", body)
    assert (again.status_code, again.json()["code"]) == (401, "INVALID_CREDENTIALS")


async def test_codes_cannot_be_guessed_for_long(environ: dict[str, str]) -> None:
    async with town_of(environ, ACCESS="closed", RATE_LIMIT_AUTH="3/60") as town:
        wrong = {"token": "gati_reset_guessed", "password": NEW}
        told = [(await town.call("POST", "/v1/auth/reset/confirm", wrong)).status_code for _ in range(4)]
        assert told == [401, 401, 401, 429]
        elsewhere = await town.call("POST", "/v1/auth/reset/confirm", wrong, address="198.51.100.1")
        assert elsewhere.status_code == 401


async def test_who_am_i(town: Town, ann: Person) -> None:
    org = await town.org(ann)
    made = await town.key(ann, scopes=["read-only"], expiresInDays=3)
    found = (await town.call("GET", "/v1/me", key=made["key"])).json()
    assert found["account"]["username"] == ann.name
    assert (found["account"]["isAdministrator"], found["account"]["mustChangePassword"]) == (False, False)
    assert found["credential"] == {
        "id": made["id"],
        "kind": "key",
        "scope": "read-only",
        "expiresAt": made["expiresAt"],
    }
    assert found["memberships"] == [
        {"namespace": f"users/{ann.name}", "role": "owner"},
        {"namespace": org, "role": "owner"},
    ]
    for key, kind in ((ann.token, "session"), (ann.basic, "password")):
        assert (await town.call("GET", "/v1/me", key=key)).json()["credential"]["kind"] == kind


async def test_a_display_name_changes(town: Town, ann: Person) -> None:
    changed = await town.call("PATCH", "/v1/me", {"displayName": "Ann A."}, key=ann)
    assert changed.json()["account"]["displayName"] == "Ann A."
    assert (await town.call("GET", "/v1/me", key=ann)).headers["etag"] == changed.headers["etag"]
    assert (await town.call("PATCH", "/v1/me", {"displayName": "a\u202eb"}, key=ann)).status_code == 422
    made = await town.key(ann, scopes=["read-only"])
    assert (await town.call("PATCH", "/v1/me", {"displayName": "x"}, key=made["key"])).status_code == 403


async def test_what_somebody_else_changed_is_not_written_over(town: Town, ann: Person) -> None:
    seen = (await town.call("GET", "/v1/me", key=ann)).headers["etag"]
    headers = {"Authorization": f"Bearer {ann.token}", "If-Match": seen}
    transport = httpx.ASGITransport(Boundary(town.door), raise_app_exceptions=False, client=(HOME, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        told = [(await client.patch("/v1/me", json={"displayName": name})).status_code for name in ("one", "two")]
    assert told == [200, 412]
    assert (await town.call("GET", "/v1/me", key=ann)).json()["account"]["displayName"] == "one"


async def test_of_two_who_make_the_first_account_one_has_it_and_the_other_has_none(environ: dict[str, str]) -> None:
    async with town_of(environ, ACCESS="open", SIGN_UP="off") as town:
        bodies = [account(name, f"{name}@example.org") for name in ("zoe", "yve", "uma")]
        answers = await asyncio.gather(*(town.call("POST", "/v1/users", body, address=HERE) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
        assert await town.run("SELECT count(*) FROM accounts") == 1


async def test_another_address_needs_the_password_and_is_to_be_confirmed_anew(posting: Town, box: Letterbox) -> None:
    zoe = await posting.person("zoe", email="zoe@example.org")
    await posting.run("UPDATE accounts SET email_verified_at = now() WHERE id = $1 RETURNING 1", zoe.id)
    body = {"email": "new@example.org"}
    bare = await posting.call("PATCH", "/v1/me", body, key=zoe)
    assert (bare.status_code, bare.json()["details"]["pointer"]) == (422, "/password")
    assert (await posting.call("PATCH", "/v1/me", body | {"password": NEW}, key=zoe)).status_code == 401
    changed = await posting.call("PATCH", "/v1/me", body | {"password": PASSWORD}, key=zoe)
    assert changed.json()["account"]["email"] == "new@example.org"
    assert changed.json()["account"]["emailVerified"] is False
    await settle(posting)
    assert {to for _, [to] in box.envelopes} == {"zoe@example.org", "new@example.org"}


async def test_a_password_changes_with_the_present_one_alone(town: Town, ann: Person) -> None:
    other = (await town.call("POST", "/v1/auth/login", {"username": ann.name, "password": PASSWORD})).json()["value"]
    path = "/v1/me/password"
    wrong = await town.call("POST", path, {"current": NEW, "password": NEW}, key=ann)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "INVALID_CREDENTIALS")
    assert (await town.call("POST", path, {"current": PASSWORD, "password": NEW}, key=ann)).status_code == 204
    assert await town.is_good(ann.token)
    assert not await town.is_good(other)
    assert not await town.is_good(ann.basic)


async def test_who_must_change_the_password_can_do_that_and_nothing_else(town: Town) -> None:
    zoe = await town.person("zoe", must_change_password=True)
    login = await town.call("POST", "/v1/auth/login", {"username": "zoe", "password": PASSWORD})
    assert login.json()["mustChangePassword"] is True
    assert (await town.call("GET", "/v1/me", key=zoe)).json()["account"]["mustChangePassword"] is True
    assert (await town.call("GET", "/v1/api-keys", key=zoe)).status_code == 401
    body = {"current": PASSWORD, "password": NEW}
    assert (await town.call("POST", "/v1/me/password", body, key=zoe)).status_code == 204
    assert (await town.call("GET", "/v1/api-keys", key=zoe)).status_code == 200


async def test_a_deleted_account_takes_everything_along_but_its_name(town: Town, ann: Person) -> None:
    made = await town.key(ann)
    home = await town.run("SELECT namespace FROM accounts WHERE id = $1", ann.id)
    await town.run("INSERT INTO repositories (name, namespace) VALUES ($1, $2)", f"users/{ann.name}/app", home)
    assert (await town.call("DELETE", "/v1/me", {"password": NEW}, key=ann)).status_code == 401
    assert (await town.call("DELETE", "/v1/me", {"password": PASSWORD}, key=ann)).status_code == 204
    for secret in (ann.token, ann.basic, made["key"]):
        assert not await town.is_good(secret)
    assert await town.run("SELECT state FROM repositories WHERE name = $1", f"users/{ann.name}/app") != "live"


async def test_the_last_administrator_and_the_last_owner_of_an_organisation_stay(town: Town, ann: Person) -> None:
    login = await town.call("POST", "/v1/auth/login", {"username": "boss", "password": PASSWORD})
    assert (await town.call("DELETE", "/v1/me", key=login.json()["value"])).status_code == 409
    org = await town.org(ann)
    answer = await town.call("DELETE", "/v1/me", key=ann)
    assert (answer.status_code, org in answer.json()["message"]) == (409, True)
    assert await town.is_good(ann.token)


async def test_an_invitation_is_accepted_by_whom_it_asks_alone(town: Town, ann: Person) -> None:
    owner = await town.person()
    org = await town.org(owner)
    home = await town.run("SELECT id FROM namespaces WHERE slug = $1", org.removeprefix("orgs/"))
    asked = await town.run(
        "INSERT INTO invitations (namespace, generation, account, role, invited_by, expires_at) "
        "VALUES ($1, 1, $2, 'write', $3, now() + interval '1 day') RETURNING id",
        home,
        ann.id,
        owner.id,
    )
    [shown] = (await town.call("GET", "/v1/me/invitations", key=ann)).json()["items"]
    assert (shown["id"], shown["namespace"], shown["role"]) == (asked, org, "write")
    path = "/v1/me/invitations"
    stranger = await town.person()
    for method, end in (("POST", "/accept"), ("DELETE", "")):
        foreign = await town.call(method, f"{path}/{asked}{end}", key=stranger)
        absent = await town.call(method, f"{path}/{2**40}{end}", key=stranger)
        assert foreign.status_code == absent.status_code == 404
        assert foreign.json()["message"] == absent.json()["message"]
    assert (await town.call("POST", f"{path}/{asked}/accept", key=ann)).status_code == 204
    found = (await town.call("GET", "/v1/me", key=ann)).json()["memberships"]
    assert {"namespace": org, "role": "write"} in found


async def test_an_invitation_can_be_declined(town: Town, ann: Person) -> None:
    owner = await town.person()
    org = await town.org(owner)
    asked = await town.run(
        "INSERT INTO invitations (namespace, generation, account, role, invited_by, expires_at) "
        "SELECT id, 1, $2, 'read', $3, now() + interval '1 day' FROM namespaces WHERE slug = $1 RETURNING id",
        org.removeprefix("orgs/"),
        ann.id,
        owner.id,
    )
    assert (await town.call("DELETE", f"/v1/me/invitations/{asked}", key=ann)).status_code == 204
    assert (await town.call("GET", "/v1/me/invitations", key=ann)).json() == {"items": []}


async def test_neither_the_audit_log_nor_any_other_has_a_secret(
    town: Town, ann: Person, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = await town.key(ann)
    await town.call("POST", "/v1/auth/login", {"username": ann.name, "password": NEW})
    await town.call("POST", "/v1/me/password", {"current": PASSWORD, "password": NEW}, key=ann)
    await nothing_tells(Desk(town.realm), capsys, caplog, PASSWORD, NEW, made["key"], ann.token)
