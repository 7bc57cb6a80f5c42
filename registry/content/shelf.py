"""What every action on content needs: the database, the store, and the rules of this registry."""

from dataclasses import dataclass, field
from datetime import timedelta

from registry.content.pulls import Pulls
from registry.infra.changes import Changes
from registry.infra.db.pool import Database
from registry.infra.storage.directory import DirectoryStore


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and lifetimes.

    Attributes:
        grace: how long unreferenced content stays.
        orphans: how long a referrer waits for its subject; None for ever.
        upload_expiry: how long an idle upload session lives.
        sparse: which missing references a manifest may have: `none`, `index` or `all`.
        max_blob_size: bytes; None without limit.
        small_blob: up to so many bytes a blob lies in its row, where one commit makes it durable, not in the store.
        max_uploads: open sessions per repository.
        unpublish_window: how long after its publication a version may be unpublished without force.
    """

    grace: timedelta
    orphans: timedelta | None
    upload_expiry: timedelta
    sparse: str
    max_blob_size: int | None
    small_blob: int
    max_uploads: int
    unpublish_window: timedelta


@dataclass(frozen=True, slots=True)
class Shelf:
    """`secret` keys the hash states of uploads, `pulls` notes what is asked for."""

    db: Database
    store: DirectoryStore
    policy: Policy
    secret: bytes
    changes: Changes
    pulls: Pulls = field(default_factory=Pulls)

    async def close(self) -> None:
        """Let go of the database and of the counters."""
        await self.pulls.close(self.db)
        await self.changes.close()
        await self.db.close()
