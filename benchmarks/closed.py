"""Registries with accounts: this one through its REST API, peers with a file of htpasswd."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.access import basic

PRIVATE: Final = "bench"
PUBLIC: Final = "public"
"""Namespaces: what nobody reads without an account, and what everybody reads."""
PASSWORD: Final = "bench-password"  # noqa: S105 - of servers that live for the run and listen on loopback alone
_BCRYPT: Final = "$2y$05$abcdefghijklmnopqrstuuDKzXRD8qi8Sr03feYCc9b0NVT9eaf.6"
"""PASSWORD, as `htpasswd -B` writes it: its default cost."""
PEOPLE: Final = 1000
"""Accounts of a peer."""
_OPERATOR, _WRITER = "benchoperator", "benchwriter"
_KEYS: Final = 100
"""Keys that an account may have."""
_HIGH: Final = "100000000/4"
LIMITS: Final = {
    "RATE_LIMIT_TRANSFER": _HIGH,
    "RATE_LIMIT_SIGNED_IN": _HIGH,
    "RATE_LIMIT_GENERAL": _HIGH,
}
"""Settings of this registry under load: requests are counted, and nobody reaches a limit."""


@dataclass(slots=True)
class Accounts:
    """Who may log in, as `user:secret`; `password`: of the account that the first credential is a key of.

    `more` makes so many credentials that nobody has used yet; None where they cannot be made while the server runs.
    """

    credential: str = ""
    password: str = ""
    many: tuple[str, ...] = ()
    more: Callable[[int], tuple[str, ...]] | None = None


def htpasswd(path: Path) -> Accounts:
    """The accounts of a peer, written to the file that it reads them from."""
    names = [_WRITER, *(f"reader{number}" for number in range(PEOPLE))]
    path.write_text("".join(f"{name}:{_BCRYPT}\n" for name in names))
    known = tuple(f"{name}:{PASSWORD}" for name in names)
    return Accounts(known[0], known[0], known[1:])


def close(url: str) -> Accounts:
    """Make the first account of this registry, which ends open access; a person who may push, and robots that read."""
    api = _Api(url)
    api.call("POST", "/v1/users", _person(_OPERATOR))
    api.credential = f"{_OPERATOR}:{PASSWORD}"
    api.call("POST", "/v1/admin/users", _person(_WRITER))
    for slug, visibility in ((PRIVATE, "private"), (PUBLIC, "public")):
        api.call("POST", "/v1/namespaces", {"slug": slug, "visibility": visibility})
        api.call("PUT", f"/v1/namespaces/{slug}/members/{_WRITER}", {"role": "write"})
    password = f"{_WRITER}:{PASSWORD}"
    writer = _Api(url, password)
    key = writer.call("POST", "/v1/api-keys", {"name": "bench", "scopes": ["publish"]})["key"]
    more = _Robots(api).keys
    return Accounts(f"{_WRITER}:{key}", password, (), more)


def _person(name: str) -> dict[str, Any]:
    return {"username": name, "email": f"{name}@bench.example", "password": PASSWORD}


@dataclass(slots=True)
class _Api:
    """The REST API of this registry, for one caller."""

    url: str
    credential: str = ""
    _http: httpx.Client | None = None

    def call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, which must be a good one."""
        self._http = self._http or httpx.Client(base_url=self.url, timeout=60)
        headers = {"Authorization": basic(self.credential)} if self.credential else {}
        answer = self._http.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise RuntimeError(f"{method} {path}: answered {answer.status_code}: {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found


@dataclass(slots=True)
class _Robots:
    """Robots that read the private namespace, and keys of theirs: as many as are asked for."""

    api: _Api
    _numbers: Iterator[int] = field(default_factory=count)

    def keys(self, wanted: int) -> tuple[str, ...]:
        """So many credentials that nobody has used."""
        sizes = [min(_KEYS, wanted - at) for at in range(0, wanted, _KEYS)]
        with ThreadPoolExecutor(2) as pool:
            return tuple(one for made in pool.map(self._robot, sizes) for one in made)

    def _robot(self, keys: int) -> list[str]:
        robots = f"/v1/namespaces/{PRIVATE}/robots"
        name = self.api.call("POST", robots, {"name": f"reader{next(self._numbers)}"})["name"]
        self.api.call("PUT", f"/v1/namespaces/{PRIVATE}/members/{name}", {"role": "read"})
        place, new = f"{robots}/{name}/keys", {"name": "bench", "scopes": ["read-only"]}
        return [f"{name}:{self.api.call('POST', place, new)['key']}" for _ in range(keys)]
