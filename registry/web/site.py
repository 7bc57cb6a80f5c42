"""What handlers ask beside actions: what the settings say, and those who are there once the process has started."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from registry.auth.identify import Identifier
from registry.content.shelf import Shelf
from registry.namespaces.removal import RemoveRepository

T = TypeVar("T")


class Attempts(Protocol):
    """Who counts checks of credentials that fail."""

    async def attempt(self, address: str, account: str, check: Callable[[], Awaitable[T]]) -> T:
        """The answer of a check of a password or a code of this account (empty: not known), asked for from an address.

        Raises:
            InvalidCredentials: it was not good, and counts.
            TooManyRequests: too many were not: it was not made.
        """


@dataclass(frozen=True, slots=True)
class Site:
    """What the handlers of /v1 are made with.

    Attributes:
        takes_sign_ups: whether people may make accounts for themselves.
        initial_password: the file with the first password, which goes with it (`bootstrap.initial_password`).
        attempts, identifier: those of the running process.
        remove_repository: deletes a repository by its name.
        shelf: the content of the running process.
        max_archive: bytes that an artifact in one piece may have.
    """

    takes_sign_ups: bool
    initial_password: Path | None
    attempts: Callable[[], Attempts]
    identifier: Callable[[], Identifier]
    remove_repository: RemoveRepository
    shelf: Callable[[], Shelf]
    max_archive: int = 5 << 30
