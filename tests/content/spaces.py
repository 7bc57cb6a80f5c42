"""A registry with accounts, by its tables: namespaces, what they hold, and who acts."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from registry.admission.push import Pushed, Receipt, push
from registry.audit.model import By
from registry.content import holdings, jobs, uploads
from registry.content.chunks import Chunk
from registry.content.terms import OPEN_TERMS, Terms
from registry.core.digest import parse_digest
from tests.pushing import OCI_MANIFEST, digest

ALICE = By(None, "alice", None, "192.0.2.1", "req_1")
_EMPTY = "TRUNCATE namespaces, audit_events CASCADE"


@asynccontextmanager
async def accounts(shelf: Any) -> AsyncIterator[None]:
    """Inside, the registry has accounts: repositories are made in namespaces only."""
    await execute(shelf, _EMPTY)
    await execute(shelf, "UPDATE instance SET has_accounts = true")
    yield
    await execute(shelf, _EMPTY)
    await execute(shelf, "UPDATE instance SET has_accounts = false")


async def execute(shelf: Any, statement: str, *arguments: Any) -> None:
    """One statement."""
    async with shelf.db.connection() as connection:
        await connection.execute(statement, *arguments)


async def fetch(shelf: Any, statement: str, *arguments: Any) -> Any:
    """The one value that a statement answers."""
    async with shelf.db.connection() as connection:
        return await connection.fetchval(statement, *arguments)


async def make_namespace(shelf: Any, slug: str, **policies: Any) -> int:
    """A plain namespace; its id."""
    found: int = await fetch(
        shelf,
        "WITH n AS (INSERT INTO namespaces (kind, slug, policies) VALUES ('plain', $1, $2) RETURNING id), "
        "s AS (INSERT INTO slugs (skeleton, kind, slug, namespace, standing) "
        "SELECT $1, 'plain', $1, id, 'current' FROM n) "
        "SELECT id FROM n",
        slug,
        json.dumps(policies),
    )
    return found


async def put_blob(shelf: Any, name: str, content: bytes, terms: Terms = OPEN_TERMS) -> str:
    """A blob in one request; its digest."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    named = digest(content)
    chunk = Chunk(pieces(), size=len(content))
    await uploads.whole(shelf, name, "u:1", parse_digest(named), chunk, terms)
    return named


async def put_manifest(shelf: Any, name: str, raw: bytes, *tags: str, terms: Terms = OPEN_TERMS) -> Receipt:
    """A manifest by its digest, with tags."""
    return await push(shelf, name, Pushed(raw, OCI_MANIFEST, parse_digest(digest(raw)), tags), terms)


async def used(shelf: Any, namespace: int) -> int:
    """What the namespace uses, as the registry says."""
    async with shelf.db.connection() as connection:
        return await holdings.used(connection, namespace)


async def held(shelf: Any, namespace: int) -> int:
    """What it uses, counted from its repositories."""
    found: int = await fetch(
        shelf,
        "SELECT coalesce(sum(size), 0)::bigint FROM (SELECT l.digest, b.size FROM repositories r "
        "JOIN blob_links l ON l.repo = r.id JOIN blobs b ON b.digest = l.digest "
        "WHERE r.namespace = $1 AND r.state = 'live' UNION SELECT m.digest, octet_length(m.bytes) FROM repositories r "
        "JOIN manifests m ON m.repo = r.id WHERE r.namespace = $1 AND r.state = 'live') AS found",
        namespace,
    )
    return found


async def grace_passes(shelf: Any) -> None:
    """What nothing refers to goes, with what hangs on it."""
    for _ in range(4):
        await execute(shelf, "UPDATE review SET due = clock_timestamp()")
        await execute(shelf, "UPDATE uploads SET expires_at = clock_timestamp()")
        await execute(shelf, "UPDATE doomed SET due = clock_timestamp()")
        await jobs.sweep(shelf, timedelta())
