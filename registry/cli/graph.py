"""Artifacts and whom they want: the values that a resolution is made of, its order, and its circles. Pure."""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

FOLLOWED: Final = frozenset({"dependency", "peer", "module", "model"})
"""Relations that make an artifact come along. `dev` is the business of who publishes; modules of a template come with
`gati init`, what a snapshot names with `gati snapshot restore`, and what a transformer names need not be here."""


@dataclass(frozen=True, slots=True, order=True)
class Want:
    """Somebody wants an artifact.

    Attributes:
        target: its repository, `users/alice/hello`.
        wanted: an npm range.
        relation: `dependency`, `dev`, `peer` … as the registry tells them.
        is_optional: it may stay away.
        digest: the release that is meant, where the range leaves it open (`*`); elsewhere what is preferred.
    """

    target: str
    wanted: str = "*"
    relation: str = "dependency"
    is_optional: bool = False
    digest: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether only the release of its digest will do."""
        return bool(self.digest) and self.wanted == "*"

    def __str__(self) -> str:
        """The range as a person says it."""
        return self.digest[:19] + "…" if self.is_exact else self.wanted


@dataclass(frozen=True, slots=True)
class Release:
    """A published version of an artifact.

    Attributes:
        deprecation: why it should not be used any more; None where nobody says so.
    """

    repository: str
    version: str
    digest: str
    type: str = ""
    wants: tuple[Want, ...] = ()
    engines: str | None = None
    capabilities: tuple[str, ...] = ()
    deprecation: str | None = None

    def __str__(self) -> str:
        """Its name and version."""
        return f"{self.repository} {self.version}"


@dataclass(frozen=True, slots=True)
class Graph:
    """Releases, one of each artifact, and which of them each must come after.

    Attributes:
        releases: by repository.
        edges: of each repository, the others that it has, with the range that it wants them in.
        after: of each repository, those that are installed before it.
    """

    releases: Mapping[str, Release]
    edges: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def order(self) -> tuple[str, ...]:
        """All repositories, each after those that it depends on; among equals by name. Circles are left out."""
        waits = {name: set(self.after.get(name, ())) & set(self.releases) for name in self.releases}
        users: dict[str, list[str]] = {name: [] for name in self.releases}
        for name, others in waits.items():
            for other in others:
                users[other].append(name)
        ready = [name for name, others in waits.items() if not others]
        heapq.heapify(ready)
        found: list[str] = []
        while ready:
            name = heapq.heappop(ready)
            found.append(name)
            for user in users[name]:
                waits[user].discard(name)
                if not waits[user]:
                    heapq.heappush(ready, user)
        return tuple(found)

    def circle(self) -> tuple[str, ...]:
        """The repositories of one circle, each wanting the next and the last the first; empty where there is none."""
        left = set(self.releases) - set(self.order())
        if not left:
            return ()
        # Whoever is left waits for somebody who is left: walking on must come back.
        path = [min(left)]
        while path[-1] not in path[:-1]:
            path.append(min(left & self.after[path[-1]]))
        members = path[path.index(path[-1]) : -1]
        first = members.index(min(members))
        return tuple(members[first:] + members[:first])

    def reached(self, roots: Iterable[str]) -> frozenset[str]:
        """These and all that they want, directly or not."""
        seen = set(roots) & set(self.releases)
        waiting = deque(seen)
        while waiting:
            for other in self.edges.get(waiting.popleft(), ()):
                if other not in seen and other in self.releases:
                    seen.add(other)
                    waiting.append(other)
        return frozenset(seen)
