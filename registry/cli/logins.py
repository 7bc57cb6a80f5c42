"""What is kept of logins: who, where, and by which secret; never a password.

`credentials.json` in the folder of `gati` has everything but the secrets, which lie in the keyring of the operating
system, or in the file where there is none that works.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.cli import private_files
from registry.cli.problems import NotSignedIn, Problem
from registry.cli.ring import Ring, RingFailed

_FILE: Final = "credentials.json"


@dataclass(frozen=True, slots=True)
class Login:
    """A login to a registry.

    Attributes:
        registry: its address, such as `https://registry.example.org`.
        account: who logged in.
        value: a session token or an API key.
        renewal: what a session is renewed with; None: `value` is the user's own and stays good on logout.
        expires: when `value` ends (RFC 3339), None when that is unknown or never.
        is_insecure: plain HTTP to another machine was allowed.
        in_docker: an entry for docker was written.
        docker_key: the id of the API key that was made for docker.
    """

    registry: str
    account: str
    value: str
    renewal: str | None = None
    expires: str | None = None
    is_insecure: bool = False
    in_docker: bool = False
    docker_key: str | None = None

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Login({self.registry!r}, {self.account!r})"


def folder(environ: Mapping[str, str]) -> Path:
    """Where `gati` keeps its files (XDG Base Directory Specification: relative paths count as not set)."""
    configured = Path(environ.get("XDG_CONFIG_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".config") / "gati"


class Logins:
    """The logins of this user."""

    def __init__(self, place: Path, ring: Ring, warn: Callable[[str], None]) -> None:
        self._place = place
        self._path = place / _FILE
        self._ring = ring
        self._warn = warn

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; `put`, `drop` and what depends on `get` happen inside."""
        with private_files.locked(self._place):
            yield

    def last(self) -> str | None:
        """The address of the registry last logged in to."""
        last = self._read().get("registry")
        return last if isinstance(last, str) else None

    def is_insecure(self, registry: str) -> bool:
        """Whether its login allowed plain HTTP to another machine."""
        return bool(self._row(registry).get("insecure"))

    def get(self, registry: str) -> Login | None:
        """The login to a registry, None when there is none.

        Raises:
            NotSignedIn: the keyring does not give its secret out.
        """
        row = self._row(registry)
        secret = row.get("secret") if row.get("place") == "file" else self._in_ring(registry) if row else None
        if not isinstance(secret, dict) or not isinstance(secret.get("value"), str):
            return None
        return Login(
            registry,
            str(row.get("account", "")),
            secret["value"],
            secret.get("renewal"),
            secret.get("expires"),
            bool(row.get("insecure")),
            bool(row.get("docker")),
            row.get("dockerKey"),
        )

    def put(self, login: Login, *, is_new: bool = False) -> str:
        """Keep a login, in the place of an earlier one; where its secret lies, as a person calls it.

        Commands without a registry mean that of the last login that `is_new`.
        """
        secret = {"value": login.value, "renewal": login.renewal, "expires": login.expires}
        row = {
            "account": login.account,
            "insecure": login.is_insecure,
            "docker": login.in_docker,
            "dockerKey": login.docker_key,
        }
        in_ring = self._into_ring(login.registry, secret)
        row |= {"place": "keyring"} if in_ring else {"place": "file", "secret": secret}
        content = self._read()
        if is_new:
            content["registry"] = login.registry
        content["logins"] = self._rows(content) | {login.registry: row}
        self._write(content)
        return "the keyring" if in_ring else str(self._path)

    def drop(self, registry: str) -> None:
        """Forget a login."""
        content = self._read()
        rows = self._rows(content)
        row = rows.pop(registry, {})
        if row.get("place") == "keyring":
            try:
                self._ring.drop(registry)
            except RingFailed as error:
                self._warn(f"The keyring keeps the secret of {registry}, because it failed: {error}.")
        if content.get("registry") == registry:
            content["registry"] = next(reversed(rows), None)
        self._write(content | {"logins": rows})

    def _in_ring(self, registry: str) -> Any:
        try:
            text = self._ring.get(registry)
        except RingFailed as error:
            raise NotSignedIn(
                f"The keyring does not give out the login to {registry}: {error}.",
                f"Unlock it, or run gati login {registry} again.",
            ) from error
        with suppress(ValueError):
            return json.loads(text or "null")
        return None

    def _into_ring(self, registry: str, secret: Mapping[str, Any]) -> bool:
        if not self._ring.works():
            return False
        try:
            self._ring.put(registry, json.dumps(secret))
        except RingFailed as error:
            self._warn(f"The keyring failed ({error}): {self._path} is used instead.")
            return False
        return True

    def _row(self, registry: str) -> dict[str, Any]:
        row = self._rows(self._read()).get(registry)
        return row if isinstance(row, dict) else {}

    @staticmethod
    def _rows(content: Mapping[str, Any]) -> dict[str, Any]:
        rows = content.get("logins")
        return dict(rows) if isinstance(rows, dict) else {}

    def _read(self) -> dict[str, Any]:
        if private_files.is_open_to_others(self._path):
            self._mend()
        raw = private_files.read(self._path)
        try:
            content = json.loads(raw or b"{}")
        except ValueError as error:
            raise Problem(f"{self._path} is not JSON.", "Remove it and run gati login again.") from error
        return content if isinstance(content, dict) else {}

    def _mend(self) -> None:
        self._warn(f"Others could read {self._path}; now they cannot. If they might have, log out and in again.")
        try:
            self._path.chmod(0o600)
        except OSError as error:
            raise Problem(f"{self._path} can be read by others: run chmod 600 on it.") from error

    def _write(self, content: Mapping[str, Any]) -> None:
        private_files.write(self._path, json.dumps(content, indent=2).encode() + b"\n")
