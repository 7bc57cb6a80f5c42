"""Announces what this process changes, so that no process of the host answers with what was before."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from registry.core.errors import Unavailable
from registry.infra.db.pool import Database
from registry.infra.http.counters import CATALOG, GLOBAL, SLOTS, Counters, Stamp, slot

_KNOWN: Final = 10_000
_PAUSE: Final = 0.5
_ALL: Final = tuple(range(SLOTS))


class Changes:
    """Wraps every commit that alters what a read tells. Without counters nothing is remembered, nothing announced.

    What cannot be announced is refused (`Unavailable`): others would go on answering with what was before.
    """

    def __init__(self, db: Database, counters: Counters | None) -> None:
        self._db = db
        self.counters = counters
        self._known: set[str] = set()
        self._names: Stamp | None = None
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Around the commit of a change of this repository's manifests, tags or blobs."""
        async with self._named((slot(name),), self._stamp_of_names()):
            yield

    @asynccontextmanager
    async def making(self, name: str, *, changing: bool) -> AsyncIterator[None]:
        """Around a commit that makes the repository when absent and, if `changing`, changes what is in it."""
        slots = (slot(name),) if changing else ()
        names = self._stamp_of_names()
        if names is not None and name in self._known:
            async with self._named(slots, names):
                yield
            return
        async with self._named((CATALOG, *slots), names):
            yield
        if len(self._known) >= _KNOWN:
            self._known.clear()
        if names is not None and names is self._stamp_of_names():
            self._known.add(name)

    def _stamp_of_names(self) -> Stamp | None:
        """A stamp of the names of all repositories, the same object while none is taken away; None while one is."""
        if self.counters is None:
            return None
        if self._names is None or not self.counters.holds(self._names):
            self._known.clear()
            self._names = self.counters.stamp((GLOBAL,))
        return self._names

    @asynccontextmanager
    async def _named(self, slots: tuple[int, ...], names: Stamp | None) -> AsyncIterator[None]:
        """As `around`; where names were taken away meanwhile, the change may be one of any repository."""
        try:
            async with self.around(slots):
                yield
        finally:
            if self.counters is not None and (names is None or not self.counters.holds(names)):
                async with self.around(_ALL):
                    pass

    @asynccontextmanager
    async def around(self, slots: tuple[int, ...]) -> AsyncIterator[None]:
        """Around a commit that changes what depends on these slots.

        Raises:
            Unavailable: the counters cannot be reached by the other processes any more.
        """
        if self.counters is None or not slots:
            yield
            return
        if not self.counters.is_shared():
            raise Unavailable(f"{self.counters.path} was removed or replaced: restart every process of this registry.")
        self.counters.begin(slots)
        try:
            yield
        finally:
            self._close(slots)

    def _close(self, slots: tuple[int, ...]) -> None:
        """Say that the change is over; when a lost connection may still commit it, once that is gone."""
        assert self.counters is not None  # noqa: S101 - `around` asked
        if not self._db.lost:
            self.counters.finish(slots)
            return
        task = asyncio.get_running_loop().create_task(self._settle(slots))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, slots: Iterable[int]) -> None:
        lost = frozenset(self._db.lost)
        while lost & self._db.lost:
            try:
                await self._db.find_lost()
            except Unavailable:
                await asyncio.sleep(_PAUSE)
            else:
                await asyncio.sleep(_PAUSE if lost & self._db.lost else 0)
        if self.counters is not None:
            self.counters.finish(slots)

    async def recover(self) -> None:
        """Settle the changes of processes that ended in the middle of one, once their connections are gone."""
        if self.counters is None:
            return
        for cell in await asyncio.to_thread(self.counters.abandoned):
            if not await self._db.has_connections(cell.token):
                self.counters.settle(cell)

    async def close(self) -> None:
        """Leave what is not settled to the other processes."""
        for task in self._settling:
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)
        if self.counters is not None:
            self.counters.close()
