"""Passwords: argon2id (RFC 9106), off the event loop.

Hashes run in two threads, and a short queue waits for them: memory and time that strangers can take are bounded.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from registry.core.errors import TooManyRequests, Unprocessable

THREADS: Final = 2
QUEUE: Final = 32
SHORTEST: Final = 8
LONGEST: Final = 1024
_MEMORY: Final = 19 * 1024
_GUESSED: Final = (
    "12345678 123456789 1234567890 12345678910 11111111 00000000 87654321 88888888 66666666 12341234 11223344 "
    "987654321 1q2w3e4r 1q2w3e4r5t 1qaz2wsx q1w2e3r4 qwer1234 qwerty123 qwertyui qwertyuiop qwerty12 asdfghjk "
    "asdfghjkl zxcvbnm1 abcd1234 abc12345 a1234567 aa123456 abcdefgh password password1 password12 password123 "
    "passw0rd p@ssw0rd p@ssword pa55word passwort iloveyou sunshine princess football baseball superman trustno1 "
    "letmein1 welcome1 welcome123 whatever starwars computer michelle jennifer corvette internet changeme changeme1 "
    "change-me adminadmin admin123 admin1234 administrator rootroot root1234 testtest test1234 guestguest default1 "
    "registry harbor12345 docker123 secret123 mysecret monkey123 dragon123 master123"
)
_COMMON: Final = frozenset(_GUESSED.split())
T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords: 19 MiB, two passes, one lane each.

    Attributes:
        running, waiting: how many hashes are being worked at, and how many wait for a thread.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=_MEMORY, parallelism=1)
        self._executor = ThreadPoolExecutor(THREADS, "passwords")
        self._lock = threading.Lock()
        self._dummy = self._hasher.hash("nobody has this password")
        self._pending = self.running = 0

    @property
    def waiting(self) -> int:
        """Hashes that have no thread yet."""
        return max(0, self._pending - THREADS)

    async def hash(self, password: str) -> str:
        """The string of a password that the database keeps; it was checked by `check_new`.

        Raises:
            TooManyRequests: as many others are hashed already.
        """
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; None, for an unknown account, takes as long and is never right.

        Raises:
            TooManyRequests: as many others are checked already.
        """
        if len(password) > LONGEST or len(_bytes(password)) > LONGEST:
            stored, password = None, ""
        matches = await self._run(lambda: self._matches(stored or self._dummy, password))
        return matches and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether a stored string was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._pending >= THREADS + QUEUE:
                raise TooManyRequests(
                    "Too many passwords are being checked at the moment: try again in a second.",
                    headers={"Retry-After": "1"},
                )
            self._pending += 1
        try:
            future = self._executor.submit(self._counted, work)
        except BaseException:
            self._leave(None)
            raise
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _counted(self, work: Callable[[], T]) -> T:
        with self._lock:
            self.running += 1
        try:
            return work()
        finally:
            with self._lock:
                self.running -= 1

    def _leave(self, _: Future[Any] | None) -> None:
        """Give the place back, also of work that was cancelled before it began."""
        with self._lock:
            self._pending -= 1


def check_new(password: str, name: str) -> None:
    """Whether the account of this name may have this password from now on.

    Raises:
        Unprocessable: the sentence says why not.
    """
    if len(_bytes(password)) > LONGEST:
        raise Unprocessable(f"The password is longer than {LONGEST} bytes: choose a shorter one.")
    if len(password) < SHORTEST:
        raise Unprocessable(f"The password is shorter than {SHORTEST} characters: choose a longer one.")
    folded = password.casefold()
    if folded in {name.casefold(), name.casefold()[::-1]} or folded.strip("0123456789!.") == name.casefold():
        raise Unprocessable("The password is the name of the account: choose another one.")
    if folded in _COMMON or len(set(folded)) == 1:
        raise Unprocessable("The password is one of the first that are guessed: choose another one.")


def _bytes(password: str) -> bytes:
    """UTF-8; a lone surrogate, which JSON can carry, stays one."""
    return password.encode("utf-8", "surrogatepass")
