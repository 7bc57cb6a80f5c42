"""Each command's request and words, with a stand-in that notes what it is asked."""

import json
import subprocess
import sys
from typing import Any

import pytest

from registry.cli.policies import changed
from registry.cli.problems import Problem
from tests.cli.conftest import ROOT, Gati
from tests.cli.stand_in import StandIn, Told, refusal

NS = "/v1/namespaces/orgs~acme"
REQUESTS: list[tuple[str, str, str, Any]] = [
    ("account verify --resend", "POST", "/v1/users/verify-email/resend", None),
    ("account verify gati_verify_x", "POST", "/v1/users/verify-email", {"token": "gati_verify_x"}),
    ("account reset --request bob", "POST", "/v1/auth/reset", {"username": "bob"}),
    ("account reset --request b@example.org", "POST", "/v1/auth/reset", {"email": "b@example.org"}),
    ("account sessions", "GET", "/v1/me/sessions", None),
    ("account sessions --json", "GET", "/v1/me/sessions", None),
    ("account sessions list", "GET", "/v1/me/sessions", None),
    ("account sessions end 7", "DELETE", "/v1/me/sessions/7", None),
    ("key", "GET", "/v1/api-keys", None),
    ("key list", "GET", "/v1/api-keys", None),
    ("key rotate 7", "POST", "/v1/api-keys/7/rotate", {"overlapSeconds": 3600}),
    ("key rotate 7 --overlap 0s", "POST", "/v1/api-keys/7/rotate", {"overlapSeconds": 0}),
    (
        "key create ci --expires never",
        "POST",
        "/v1/api-keys",
        {"name": "ci", "scopes": ["publish"], "expiresInDays": 3652},
    ),
    (
        "key create ci --scope read-only --namespace orgs/a --repository orgs/b/c --address 10.0.0.0/8 --expires 30d",
        "POST",
        "/v1/api-keys",
        {
            "name": "ci",
            "scopes": ["read-only"],
            "namespaces": ["orgs/a"],
            "repositories": ["orgs/b/c"],
            "addresses": ["10.0.0.0/8"],
            "expiresInDays": 30,
        },
    ),
    ("namespace create acme", "POST", "/v1/orgs", {"slug": "acme"}),
    (
        "namespace create orgs/acme --visibility public --display-name Acme",
        "POST",
        "/v1/orgs",
        {"slug": "acme", "visibility": "public", "displayName": "Acme"},
    ),
    ("namespace create acme --plain", "POST", "/v1/namespaces", {"slug": "acme"}),
    ("namespace list", "GET", "/v1/namespaces", None),
    ("namespace show orgs/acme", "GET", NS, None),
    ("namespace show acme", "GET", "/v1/namespaces/acme", None),
    ("namespace rename orgs/acme apex", "POST", f"{NS}/rename", {"slug": "apex"}),
    ("namespace transfer orgs/acme bob --yes", "POST", f"{NS}/transfer", {"to": "bob"}),
    ("namespace delete orgs~acme --yes", "DELETE", NS, None),
    ("namespace visibility orgs/acme public", "PATCH", NS, {"visibility": "public"}),
    (
        "namespace visibility orgs/acme public --repository a/b",
        "PATCH",
        f"{NS}/repositories/orgs%2Facme%2Fa%2Fb",
        {"visibility": "public"},
    ),
    ("namespace repositories orgs/acme", "GET", f"{NS}/repositories", None),
    ("namespace audit orgs/acme --action member.set", "GET", f"{NS}/audit", None),
    ("namespace members orgs/acme", "GET", f"{NS}/members", None),
    ("namespace members orgs/acme --json", "GET", f"{NS}/members", None),
    ("namespace members orgs/acme list", "GET", f"{NS}/members", None),
    ("namespace members orgs/acme set bob write", "PUT", f"{NS}/members/bob", {"role": "write"}),
    ("namespace members orgs/acme remove bob", "DELETE", f"{NS}/members/bob", None),
    ("namespace members orgs/acme invited", "GET", f"{NS}/invitations", None),
    ("namespace members orgs/acme uninvite 7", "DELETE", f"{NS}/invitations/7", None),
    ("namespace invitations", "GET", "/v1/me/invitations", None),
    ("namespace invitations accept 7", "POST", "/v1/me/invitations/7/accept", None),
    ("namespace invitations decline 7", "DELETE", "/v1/me/invitations/7", None),
    ("namespace teams orgs/acme", "GET", f"{NS}/teams", None),
    ("namespace teams orgs/acme create dev", "POST", f"{NS}/teams", {"name": "dev"}),
    ("namespace teams orgs/acme remove dev", "DELETE", f"{NS}/teams/dev", None),
    ("namespace teams orgs/acme members dev", "GET", f"{NS}/teams/dev/members", None),
    ("namespace teams orgs/acme add dev bob", "PUT", f"{NS}/teams/dev/members/bob", None),
    ("namespace teams orgs/acme drop dev bob", "DELETE", f"{NS}/teams/dev/members/bob", None),
    ("namespace grants orgs/acme", "GET", f"{NS}/grants", None),
    ("namespace grants orgs/acme set write --team dev", "PUT", f"{NS}/grants", {"team": "dev", "role": "write"}),
    (
        "namespace grants orgs/acme set read --account acme+ci --repository orgs/acme/app",
        "PUT",
        f"{NS}/grants",
        {"account": "acme+ci", "role": "read", "repository": "orgs/acme/app"},
    ),
    ("namespace grants orgs/acme remove 7", "DELETE", f"{NS}/grants/7", None),
    ("namespace robots orgs/acme", "GET", f"{NS}/robots", None),
    ("namespace robots orgs/acme create ci", "POST", f"{NS}/robots", {"name": "ci"}),
    ("namespace robots orgs/acme remove ci", "DELETE", f"{NS}/robots/ci", None),
    ("namespace robots orgs/acme key list ci", "GET", f"{NS}/robots/ci/keys", None),
    (
        "namespace robots orgs/acme key create ci runner --expires never",
        "POST",
        f"{NS}/robots/ci/keys",
        {"name": "runner", "scopes": ["publish"]},
    ),
    ("namespace robots orgs/acme key rotate ci 7", "POST", f"{NS}/robots/ci/keys/7/rotate", {"overlapSeconds": 3600}),
    ("namespace robots orgs/acme key revoke ci 7", "DELETE", f"{NS}/robots/ci/keys/7", None),
    ("namespace policy orgs/acme", "GET", f"{NS}/policies", None),
    ("namespace policy orgs/acme preview", "GET", f"{NS}/retention/preview", None),
]


@pytest.fixture
def signed_in(gati: Gati, registry: StandIn) -> Gati:
    """The client, logged in by a key."""
    registry.bearers["gati_key_mine"] = "alice"
    gati("login", registry.url, "--api-key-stdin", "--no-docker", stdin="gati_key_mine\n")
    registry.asked.clear()
    return gati


@pytest.mark.parametrize(("words", "method", "path", "body"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_a_command_sends_its_request(
    signed_in: Gati, registry: StandIn, words: str, method: str, path: str, body: Any
) -> None:
    if path.endswith(("/rotate", "keys")) and method == "POST":
        registry.answers.append((method, path, Told(201, {"id": 7, "key": "gati_robot_made"})))
    ended = signed_in(*words.split())
    asked = registry.asked[-1]
    assert (asked.method, asked.path, asked.body) == (method, path, body)
    if words.endswith("--json"):
        assert ended.document == {"items": []}


def test_a_new_key_is_alone_on_standard_output(signed_in: Gati, registry: StandIn) -> None:
    ended = signed_in("key", "create", "ci")
    (key,) = registry.keys.values()
    assert ended.out == key["key"] + "\n"
    assert key["key"] not in ended.err
    assert "shown this once" in ended.err
    assert signed_in("key", "create", "ci", "--json").document["key"].startswith("gati_key_")
    assert signed_in("key", "create", "ci", "--quiet").err == ""


def test_a_lifetime_of_hours_is_a_time(signed_in: Gati, registry: StandIn) -> None:
    signed_in("key", "create", "ci", "--expires", "12h")
    assert registry.asked[-1].body["expiresAt"].endswith("+00:00")


@pytest.mark.parametrize("words", [["--expires", "soon"], ["--expires", "0d"], ["--scope", "everything"]])
def test_a_key_that_cannot_be_asked_for_is_not(signed_in: Gati, registry: StandIn, words: list[str]) -> None:
    assert signed_in.run("key", "create", "ci", *words).status == 1
    assert registry.asked == []


def test_an_account_is_made_with_the_password_of_standard_input(gati: Gati, registry: StandIn) -> None:
    words = ["account", "create", "-u", "bob", "--email", "bob@example.org", "--password-stdin"]
    ended = gati(*words, "--registry", registry.url, stdin="correct horse\n")
    assert "Made the account bob." in ended.err
    assert "gati account verify CODE" in ended.err
    assert registry.passwords["bob"] == "correct horse"
    assert gati(*words, "--registry", registry.url, "--json", stdin="x y\n").document["username"] == "bob"


def test_a_reset_takes_either_a_code_or_a_name(gati: Gati, registry: StandIn) -> None:
    assert gati.run("account", "reset", "--registry", registry.url).status == 1
    gati("account", "reset", "gati_reset_x", "--password-stdin", "--registry", registry.url, stdin="new one\n")
    assert registry.asked[-1].body == {"token": "gati_reset_x", "password": "new one"}


def test_a_deleted_account_is_forgotten_here(signed_in: Gati, registry: StandIn) -> None:
    signed_in("account", "delete", "--yes", "--password-stdin", stdin="correct horse\n")
    assert (registry.asked[-1].method, registry.asked[-1].path) == ("DELETE", "/v1/me")
    assert registry.asked[-1].body == {"password": "correct horse"}
    assert signed_in.kept()["logins"] == {}


def test_what_cannot_be_undone_is_confirmed_by_its_name(signed_in: Gati, registry: StandIn) -> None:
    ended = signed_in.run("namespace", "delete", "orgs/acme")
    assert ended.status == 1
    assert "--yes" in ended.err
    assert signed_in.run("namespace", "delete", "orgs/acme", stdin="acme\n", typed=True).status == 1
    assert registry.asked == []
    assert signed_in.run("namespace", "delete", "orgs/acme", stdin="orgs/acme\n", typed=True).status == 0
    assert registry.asked[-1].method == "DELETE"


def test_somebody_who_is_no_member_yet_is_told_to_be_invited(signed_in: Gati, registry: StandIn) -> None:
    registry.answers.append(("PUT", f"{NS}/members/bob", Told(202, {"id": 1})))
    assert "bob is invited as write." in signed_in("namespace", "members", "orgs/acme", "set", "bob", "write").err


def test_policies_are_changed_on_what_they_were(signed_in: Gati, registry: StandIn) -> None:
    before = {"delete": "admin", "bytes": 5, "retention": {"rules": [], "untaggedDays": 7}}
    registry.answers.append(("GET", f"{NS}/policies", Told(200, before, {"ETag": '"3"'})))
    signed_in("namespace", "policy", "orgs/acme", "set", "immutableTags=v*,rel-*", "bytes=", "retention.rules=v*:10")
    asked = registry.asked[-1]
    assert (asked.method, asked.path, asked.headers["if-match"]) == ("PUT", f"{NS}/policies", '"3"')
    assert asked.body == {
        "delete": "admin",
        "immutableTags": ["v*", "rel-*"],
        "retention": {"rules": [{"pattern": "v*", "keep": 10}], "untaggedDays": 7},
    }


@pytest.mark.parametrize("assignment", ["x=1", "bytes", "bytes=many", "tokenSeconds=²", "retention.rules=v*"])
def test_a_policy_that_cannot_be_is_told(assignment: str) -> None:
    with pytest.raises(Problem):
        changed({}, [assignment])


def test_a_list_is_a_table_for_people_and_a_document_for_programs(signed_in: Gati, registry: StandIn) -> None:
    items = [{"account": "alice", "role": "owner", "addedAt": "2026-01-01T00:00:00Z", "extra": [1]}]
    registry.answers += [("GET", f"{NS}/members", Told(200, {"items": items, "next": None}))] * 2
    table = signed_in("namespace", "members", "orgs/acme").out
    assert table == "account  role   addedAt               expiresAt\nalice    owner  2026-01-01T00:00:00Z  -\n"
    assert signed_in("--json", "namespace", "members", "orgs/acme").document == {"items": items}


def test_the_audit_log_names_who_did_it(signed_in: Gati, registry: StandIn) -> None:
    row = {"at": "2026-01-01T00:00:00Z", "actor": {"id": 7, "name": "bob"}, "action": "member.set", "outcome": "done"}
    registry.answers += [("GET", f"{NS}/audit", Told(200, {"items": [row]}))] * 2
    assert signed_in("namespace", "audit", "orgs/acme").out.splitlines()[1].startswith("2026-01-01T00:00:00Z  bob ")
    assert signed_in("namespace", "audit", "orgs/acme", "--json").document == {"items": [row]}


def test_a_refusal_is_a_document_too(signed_in: Gati, registry: StandIn) -> None:
    registry.answers.append(("GET", NS, refusal(404, "NOT_FOUND", "There is no orgs/acme.", "Look again.")))
    ended = signed_in.run("namespace", "show", "orgs/acme", "--json")
    assert ended.status == 5
    assert ended.document["error"] == {
        "code": "NOT_FOUND",
        "message": "There is no orgs/acme.",
        "suggestions": ["Look again."],
        "status": 5,
    }


@pytest.mark.parametrize("words", [["nope"], ["key", "create"], ["login", "--nope"], [], ["key", "list", "x"]])
def test_a_wrong_use_ends_with_1(gati: Gati, words: list[str]) -> None:
    assert gati.run(*words).status == 1
    if words:
        assert gati.run(*words, "--json").document["error"]["code"] == "USAGE"


@pytest.mark.parametrize("namespace", ["orgs/", "orgs/a/b", "teams/x", "orgs/..", ".."])
def test_what_is_no_namespace_is_not_asked_for(signed_in: Gati, registry: StandIn, namespace: str) -> None:
    ended = signed_in.run("namespace", "show", namespace)
    if namespace == "orgs/..":
        assert registry.asked[-1].path == "/v1/namespaces/orgs~.."
    else:
        assert ended.status == 1
        assert registry.asked == []


def test_nobody_who_is_not_logged_in_sends_anything(gati: Gati, registry: StandIn) -> None:
    ended = gati.run("key", "list", "--registry", registry.url)
    assert ended.status == 3
    assert f"Run gati login {registry.url}." in ended.err
    assert registry.asked == []


def test_the_registry_comes_from_the_option_before_the_environment(
    gati: Gati, registry: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATI_REGISTRY", "https://elsewhere.example.org")
    assert "elsewhere.example.org" in gati.run("whoami").err
    assert registry.url in gati.run("--registry", registry.url, "whoami").err
    assert registry.url in gati.run("whoami", "--registry", registry.url).err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(gati: Gati, shell: str) -> None:
    assert "_GATI_COMPLETE" in gati("completion", shell).out


def loaded(*words: str) -> set[str]:
    """The modules that a run of `gati` has imported."""
    program = (
        "import sys, json\n"
        "from registry.cli.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_a_version_needs_nothing_of_what_requests_need(words: list[str]) -> None:
    assert not loaded(*words) & {"httpx", "keyring", "ssl", "asyncio", "subprocess"}


def test_no_command_needs_the_server() -> None:
    modules = loaded("namespace", "robots", "x", "key", "create", "--help") | loaded("login", "--help")
    ours = {name for name in modules if name.startswith("registry.")}
    assert {name.split(".")[1] for name in ours} <= {"cli", "core"}
    assert not modules & {"starlette", "asyncpg", "msgspec", "uvicorn", "structlog", "jwt", "cryptography"}
