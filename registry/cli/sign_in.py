"""Beginning and ending a login: the registry's part, what is kept here, and the entry of docker."""

import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.cli.addresses import Address
from registry.cli.api import Api, Credential, route
from registry.cli.docker import DockerConfig
from registry.cli.logins import Login, Logins
from registry.cli.problems import Missing, NotSignedIn, Problem
from registry.cli.run import Run
from registry.cli.session import Fixed, Kept, renew, with_session

DOCKER_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody logs in.

    Attributes:
        run: the options of the command.
        logins: what is kept.
        address: the registry.
        with_docker: whether docker is to be logged in too.
    """

    run: Run
    logins: Logins
    address: Address
    with_docker: bool = True

    def api(self, credential: Credential | None = None) -> Api:
        """Requests to the registry."""
        return Api(self.address, self.run.out, credential)


def by_password(place: Place, username: str, password: str) -> tuple[Login, bool]:
    """A login with a new session, and whether the password must be changed before anything else."""
    empty = Login(place.address.url, username, "", is_insecure=place.run.is_insecure)
    with place.api() as api:
        answer = api.call("POST", route("auth", "login"), {"username": username, "password": password})
    login = with_session(empty, answer)
    must_change = bool(answer.body.get("mustChangePassword"))
    return (login if must_change else replace(login, account=_account(place, login.value))), must_change


def by_token(place: Place, token: str) -> Login:
    """A login with a key or session token of the user's own."""
    return Login(place.address.url, _account(place, token), token, is_insecure=place.run.is_insecure)


def _account(place: Place, token: str) -> str:
    with place.api(Fixed(token)) as api:
        account: dict[str, Any] = api.get(route("me")).body.get("account") or {}
    return str(account.get("username") or "")


def keep(place: Place, login: Login) -> dict[str, Any]:
    """Keep a new login, log docker in, and revoke what the login before it had made; what a program is told of it.

    Raises:
        Problem: docker is not logged in; `gati` is.
    """
    with place.logins.locked():
        old = _earlier(place)
        where = place.logins.put(login, is_new=True)
    place.run.out.say(f"Logged in to {login.registry} as {login.account}. The secret is kept in {where}.")
    try:
        docker = _log_docker_in(place, login) if place.with_docker else None
    finally:
        if old is not None and old.value != login.value:
            _revoke(place, old, login)
    return {"registry": login.registry, "account": login.account, "place": where, "docker": docker}


def _earlier(place: Place) -> Login | None:
    try:
        return place.logins.get(place.address.url)
    except NotSignedIn:
        return None


def _log_docker_in(place: Place, login: Login) -> str:
    config = DockerConfig(place.run.environ)
    try:
        config.check(place.address.host)
        noted, secret = _docker_secret(place, login)
        with place.logins.locked():
            place.logins.put(noted)
            where = config.store(place.address.host, login.account, secret)
    except Problem as problem:
        message = f"You are logged in, but docker, podman, oras, crane and cosign are not: {problem.message}"
        raise type(problem)(message, *problem.suggestions, code=problem.code) from problem
    place.run.out.say(f"docker, podman, oras, crane and cosign are logged in too, by {where}.")
    if (shadow := config.shadow(place.address.host)) is not None:
        place.run.out.warn(
            f"podman and skopeo go on to use what {shadow} has for {place.address.host}: "
            f"podman logout {place.address.host} removes it."
        )
    return where


def _docker_secret(place: Place, login: Login) -> tuple[Login, str]:
    """The secret for docker, and the login with a note of it: a session's own key, or the key that logged in."""
    if not _is_session(login):
        return replace(login, in_docker=True), login.value
    host = socket.gethostname()
    body = {"name": f"docker on {host}", "scopes": ["publish"], "expiresInDays": DOCKER_DAYS}
    with place.api(Fixed(login.value)) as api:
        made = api.call("POST", route("api-keys"), body).body
    place.run.out.say(
        f"Made the API key “docker on {host}” for docker: it may push and pull for {DOCKER_DAYS} days. "
        "Log in again when they are over."
    )
    return replace(login, in_docker=True, docker_key=str(made.get("id"))), str(made.get("key"))


def _is_session(login: Login) -> bool:
    return login.renewal is not None or login.value.startswith("gati_session_")


def end(place: Place) -> None:
    """Revoke what a login made, and erase it everywhere, also when the registry does not answer.

    Raises:
        NotSignedIn: there is no login.
    """
    with place.logins.locked():
        login = place.logins.get(place.address.url)
    if login is None:
        raise NotSignedIn(f"You are not logged in to {place.address.url}: there is nothing to erase.")
    _revoke(place, login, login)
    forget(place, login)


def forget(place: Place, login: Login) -> None:
    """Erase a login everywhere on this machine."""
    with place.logins.locked():
        if login.in_docker:
            try:
                DockerConfig(place.run.environ).erase(place.address.host)
            except Problem as problem:
                place.run.out.warn(f"The entry of docker stays: {problem.message}")
        place.logins.drop(login.registry)


def _revoke(place: Place, login: Login, caller: Login) -> None:
    """Revoke what a login made in the registry, its key for docker as `caller` if that is the same account's."""
    by = caller if caller.account == login.account else login
    kept = Kept(place.logins, by, place.address, place.run.out)
    try:
        if login.docker_key is not None:
            with place.api(kept) as api:
                _revoke_key(api, login.docker_key)
        if login.renewal is not None:
            _end_session(place, kept.login if by is login else login)
    except NotSignedIn as problem:
        place.run.out.warn(f"{problem.message} The key {login.docker_key}, made for docker, may still be good.")
    except Problem as problem:
        place.run.out.warn(f"The registry was not told, so that what login made stays good there: {problem.message}")


def _end_session(place: Place, login: Login) -> None:
    """End a login, whose session may be over while its renewal is still good, or which may have ended already."""
    try:
        _log_out(place, login.value)
    except NotSignedIn:
        with suppress(NotSignedIn):
            _log_out(place, renew(place.address, place.run.out, login).value)


def _log_out(place: Place, token: str) -> None:
    with place.api(Fixed(token)) as api:
        api.call("POST", route("auth", "logout"))


def _revoke_key(api: Api, key: str) -> None:
    try:
        api.call("DELETE", route("api-keys", key))
    except Missing:
        return
