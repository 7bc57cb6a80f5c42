"""Who calls which registry: the login that is kept, renewed before it ends."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from registry.cli.addresses import DEFAULT, Address, parse
from registry.cli.api import Answer, Api, route
from registry.cli.logins import Login, Logins, folder
from registry.cli.output import Output
from registry.cli.problems import NotSignedIn
from registry.cli.ring import Ring
from registry.cli.run import Run

_EARLY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A credential that is not renewed."""

    value: str

    def renewed(self) -> bool:
        """There is no other."""
        return False


class Kept:
    """The credential of a kept login. Its session is renewed once, by one process for all.

    Renewal tokens are good for one use, and a second use ends the session: whoever comes second takes what the first
    has brought.
    """

    def __init__(self, logins: Logins, login: Login, address: Address, out: Output) -> None:
        self._logins = logins
        self._address = address
        self._out = out
        self._is_fresh = False
        self.login = login

    @property
    def value(self) -> str:
        """The token, renewed if it ends within a minute."""
        if self.login.renewal is not None and not self._is_fresh and _ends_soon(self.login.expires):
            self.renewed()
        return self.login.value

    def renewed(self) -> bool:
        """Whether there is another token now; it is asked for once.

        Raises:
            NotSignedIn: the session has ended for good.
        """
        if self._is_fresh or self.login.renewal is None:
            return False
        self._is_fresh = True
        with self._logins.locked():
            kept = self._logins.get(self.login.registry)
            if kept is None:
                raise not_signed_in(self._address)
            if kept.value != self.login.value:
                self.login = kept
                return True
            self.login = renew(self._address, self._out, self.login)
            self._logins.put(self.login)
        return True


def renew(address: Address, out: Output, login: Login) -> Login:
    """A login with its next session. Its renewal is good for this once.

    Raises:
        NotSignedIn: it has ended for good.
    """
    with Api(address, out) as api:
        try:
            answer = api.call("POST", route("auth", "refresh"), {"refreshToken": login.renewal})
        except NotSignedIn as error:
            raise NotSignedIn(
                f"The session of {login.account} at {login.registry} has ended: {error.message}",
                f"Run gati login {login.registry} again.",
                code=error.code,
            ) from error
    return with_session(login, answer)


def with_session(login: Login, answer: Answer) -> Login:
    """A login with the session that the registry has just begun."""
    body = answer.body
    value = str(body.get("value") or body.get("token") or "")
    return replace(login, value=value, renewal=body.get("refreshToken"), expires=body.get("expiresAt"))


def _ends_soon(expires: str | None) -> bool:
    try:
        return expires is not None and datetime.fromisoformat(expires) - datetime.now(UTC) < _EARLY
    except (ValueError, TypeError):
        return False


def not_signed_in(address: Address) -> NotSignedIn:
    """What somebody is told who has no login to a registry."""
    return NotSignedIn(f"You are not logged in to {address.url}.", f"Run gati login {address.url}.")


def logins_of(run: Run) -> Logins:
    """The logins of the user."""
    return Logins(folder(run.environ), Ring(), run.out.warn)


def address_of(run: Run, logins: Logins, named: str | None = None) -> Address:
    """The registry that is meant: the one named, else the one last logged in to, else one on this machine."""
    text = named or run.registry or logins.last() or DEFAULT
    host = parse(text, insecure=True)
    return parse(text, insecure=run.is_insecure or logins.is_insecure(host.url))


def visit(run: Run) -> Api:
    """Requests by nobody."""
    return click.get_current_context().with_resource(Api(address_of(run, logins_of(run)), run.out))


def connect(run: Run) -> Api:
    """Requests by the user who is logged in.

    Raises:
        NotSignedIn: nobody is.
    """
    logins = logins_of(run)
    address = address_of(run, logins)
    login = logins.get(address.url)
    if login is None:
        raise not_signed_in(address)
    return click.get_current_context().with_resource(Api(address, run.out, Kept(logins, login, address, run.out)))
