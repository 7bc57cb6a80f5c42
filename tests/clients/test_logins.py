import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.closed import FLOWS, FORGETFUL, NAMES, PASSWORD, Client, Closed
from tests.clients.relay import Relay, relaying

Clients = Callable[[str], Client]


def keep(home: Path, host: str, credential: dict[str, str]) -> None:
    """Put a credential where every client looks for it."""
    document = json.dumps({"auths": {host: credential}})
    (home / "docker").mkdir()
    for path in (home / "docker" / "config.json", home / "auth.json"):
        path.write_text(document)


def kept(home: Path, host: str) -> dict[str, str]:
    """What docker keeps of a registry."""
    found: dict[str, str] = json.loads((home / "docker" / "config.json").read_text())["auths"][host]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_password_a_key_and_a_robots_key_log_in(name: str, client: Clients, closed: Closed) -> None:
    its, private = client(name), closed.pushed(closed.private)
    for person, secret in (
        (closed.owner, PASSWORD),
        (closed.owner, closed.owner.key),
        (closed.robot, closed.robot.key),
    ):
        its.log_in(person.name, secret)
        its.pull(closed.reference(private))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_login_pushes_to_a_private_repository_is_pulled_again(
    name: str, client: Clients, closed: Closed
) -> None:
    its, repository = client(name), closed.new(closed.private)
    its.log_in(closed.robot.name, closed.robot.key)
    its.push(closed.reference(repository))
    assert closed.registry.tags(repository) == ["v1"]
    its.pull(closed.reference(repository))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_password_is_refused_in_words(name: str, client: Clients, closed: Closed) -> None:
    its = client(name)
    said = its.log_in(closed.owner.name, "none of its passwords", fails=name not in FORGETFUL)
    if name in FORGETFUL:
        said = its.pull(closed.reference(closed.pushed(closed.public)), fails=True)
    assert FLOWS[name].refusal in said


@pytest.mark.parametrize("name", NAMES)
def test_without_a_login_what_is_public_is_pulled_and_nothing_else(name: str, client: Clients, closed: Closed) -> None:
    its, private = client(name), closed.pushed(closed.private)
    its.pull(closed.reference(closed.pushed(closed.public)))
    said = its.pull(closed.reference(private), fails=True)
    expected = f"{private} does not exist, or needs a login: docker login, oras login or gati login."
    assert ("unauthorized" if name == "regctl" else expected) in said
    its.push(closed.reference(closed.new(closed.public)), fails=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_is_told_of_a_private_repository_what_it_would_be_of_none(
    name: str, client: Clients, closed: Closed
) -> None:
    its = client(name)
    its.log_in(closed.stranger.name, closed.stranger.key)
    for repository in (closed.pushed(closed.private), closed.new(closed.private)):
        said = its.pull(closed.reference(repository), fails=True)
        expected = f"The repository {repository} does not exist, or {closed.stranger.name} may not see it."
        assert ("not found" if name == "oras" else expected) in said


@pytest.mark.parametrize("name", NAMES)
def test_a_readers_push_is_refused_with_the_role_that_it_lacks(name: str, client: Clients, closed: Closed) -> None:
    its, repository = client(name), closed.pushed(closed.private)
    before = closed.registry.manifest(repository, "v1")
    its.log_in(closed.reader.name, closed.reader.key)
    its.pull(closed.reference(repository))
    said = its.push(closed.reference(repository), fails=True)
    assert f"{closed.reader.name} may read {repository} but not push there: that needs the role write" in said
    assert closed.registry.manifest(repository, "v1") == before


@pytest.mark.parametrize("name", NAMES)
def test_the_next_command_after_a_key_was_revoked_is_refused(name: str, client: Clients, closed: Closed) -> None:
    its, repository, person = client(name), closed.pushed(closed.private), closed.newcomer()
    its.log_in(person.name, person.key)
    its.pull(closed.reference(repository))
    closed.revoke(person)
    said = its.pull(closed.reference(repository), fails=True)
    assert ("unauthorized" if name == "regctl" else f"of {person.name} was revoked: log in again.") in said


@pytest.mark.parametrize("name", [name for name in NAMES if name.values[0] in {"crane", "docker", "podman"}])
def test_a_client_that_sends_the_login_of_an_account_that_is_gone_is_refused_what_is_public_too(
    name: str, client: Clients, closed: Closed
) -> None:
    its, public, person = client(name), closed.reference(closed.pushed(closed.public)), closed.newcomer()
    its.log_in(person.name, person.key)
    its.pull(public)
    with closed.seen_by(person) as http:
        assert http.delete("/v1/me").status_code == 204
    assert f"of {person.name} was revoked" in its.pull(public, fails=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_push_goes_on_when_its_token_runs_out_meanwhile(name: str, client: Clients, closed: Closed) -> None:
    repository, relay = closed.new(closed.private), Relay(closed.url, closed.signing_key)
    with relaying(relay) as host:
        its = client(name).at(host)
        its.log_in(closed.robot.name, closed.robot.key)
        its.push(f"{host}/{repository}:v1")
    assert relay.aged > 0
    assert closed.registry.tags(repository) == ["v1"]


@pytest.mark.parametrize("name", [name for name in NAMES if name.values[0] != "docker"])
def test_a_refresh_token_that_docker_stored_is_good_for_the_others_until_it_is_revoked(
    name: str, client: Clients, closed: Closed, home: Path
) -> None:
    its, repository, person = client(name), closed.pushed(closed.private), closed.newcomer()
    with closed.seen_by(person) as http:
        query = {"service": "gati-registry", "offline_token": "true", "client_id": "docker"}
        token = http.get("/token", params=query).json()["refresh_token"]
        user = base64.b64encode(f"{person.name}:".encode()).decode()
        keep(home, closed.host, {"auth": user, "identitytoken": token})
        its.pull(closed.reference(repository))
        [session] = http.get("/v1/me/sessions").json()["items"]
        assert http.delete(f"/v1/me/sessions/{session['id']}").status_code == 204
    said = its.pull(closed.reference(repository), fails=True)
    assert ("unauthorized" if name == "regctl" else f"This refresh token of {person.name} was revoked") in said


@pytest.mark.xdist_group("docker")
def test_docker_stores_a_token_in_place_of_the_password_and_pulls_and_pushes_with_it(
    client: Clients, closed: Closed, home: Path
) -> None:
    docker, repository = client("docker"), closed.new(closed.private)
    docker.log_in(closed.owner.name, PASSWORD)
    credential = kept(home, closed.host)
    assert credential["identitytoken"].startswith("gati_refresh_")
    assert base64.b64decode(credential["auth"]).decode() == f"{closed.owner.name}:"
    docker.push(closed.reference(repository))
    docker.pull(closed.reference(repository))
    docker.program("logout", closed.host)
    assert "needs a login" in docker.pull(closed.reference(repository), fails=True)
