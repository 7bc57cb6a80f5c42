"""One contender, and all that a row needs to measure it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urljoin, urlsplit

import httpx

from benchmarks import ceilings, script
from benchmarks.access import Access
from benchmarks.contenders import Contender
from benchmarks.content import EMPTY, MANIFEST, Body
from benchmarks.load import Figures, Generator, Load, RequestFailed, Target
from benchmarks.plan import Plan
from benchmarks.script import Job

T = TypeVar("T")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class NotOffered(Exception):
    """The contender does not have what the row measures; the message says what."""


@dataclass(slots=True)
class Stand:
    """A contender under measurement; `round` counts from 0."""

    contender: Contender
    plan: Plan
    body: Body
    generator: Generator
    folder: Path
    round: int = 0
    _made: dict[str, Any] = field(default_factory=dict)
    _failed: dict[str, Exception] = field(default_factory=dict)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` answers, or the error that it raises; it is called when its answer is first asked for."""
        if key in self._failed:
            raise self._failed[key]
        if key not in self._made:
            try:
                self._made[key] = make()
            except Exception as error:
                self._failed[key] = error
                raise
        return cast("T", self._made[key])

    def client(self) -> httpx.Client:
        """A client for the few requests that are not measured."""
        return httpx.Client(base_url=self.contender.url, timeout=120, headers={"Accept": f"{MANIFEST}, */*"})

    def authorization(self, repository: str, *, with_token: bool = False) -> str:
        """What the requests to this repository say; see `Access.authorization`."""
        credential = self.contender.accounts.credential
        if not credential:
            return ""
        with self.client() as http:
            return Access(http, credential).authorization(repository, with_token=with_token)

    def target(self, repository: str) -> Target:
        """Whom to load."""
        return Target(self.contender.address, self.contender.port, self.authorization(repository))

    @property
    def nobody(self) -> Target:
        """The same without an account."""
        return Target(self.contender.address, self.contender.port)

    def run(self, load: Load, repository: str | None = "bench/read") -> Figures:
        """Send a load; without a repository as nobody, where a request does not say who sends it.

        Raises:
            RequestFailed: an answer was not the expected one.
        """
        return self.generator.run(self.target(repository) if repository else self.nobody, load)

    def push(self, repository: str, jobs: Iterable[Job], connections: int = 8) -> Figures:
        """Send jobs that are not measured."""
        return self.run(Load(jobs=jobs, connections=connections), repository)

    def fetch(self, target: str, repository: str = "bench/read") -> httpx.Response:
        """The answer to a GET, looked at before it is measured.

        Raises:
            RequestFailed: it is no 200.
        """
        with self.client() as http:
            answer = http.get(target, headers={"Authorization": self.authorization(repository)})
        if answer.status_code != 200:
            raise RequestFailed(f"GET {target}: answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def pages(self, target: str, repository: str = "bench/read") -> list[tuple[str, Any]]:
        """Each page from this target on, as its Link headers lead: target and JSON body."""
        found = []
        following: str | None = target
        while following is not None:
            answer = self.fetch(following, repository)
            found.append((following, answer.json()))
            link = _NEXT.search(answer.headers.get("link", ""))
            following = _relative(urljoin(following, link[1])) if link else None
        return found

    def config(self, repository: str) -> bytes:
        """The blob that small manifests refer to, pushed to the repository once."""
        self.once(
            f"config {repository}",
            lambda: self.push(repository, [script.job(*script.put_small_blob(repository, EMPTY))]),
        )
        return EMPTY

    def serve(self, files: Mapping[str, bytes | Path]) -> None:
        """Give the ceiling the bytes that the registries were pushed."""
        ceilings.put_files(self.contender, files)

    @property
    def is_ceiling(self) -> bool:
        """Whether this is no registry."""
        return self.contender.kind == "ceiling"


def _relative(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
