"""Facts on their way from the commit to those who want them: taken with SKIP LOCKED, at least once."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from registry.infra.db.pool import Database

Handler = Callable[[dict[str, Any]], Awaitable[None]]
ATTEMPTS: Final = 3


async def deliver(db: Database, handlers: Mapping[str, list[Handler]], batch: int = 100) -> int:
    """Hand at most `batch` facts to their handlers; one that nobody wants just ends. Answers how many were taken.

    A handler that fails gets the fact again, later each time, three times in all.
    """
    async with db.transaction() as connection:
        rows = await connection.fetch(
            "SELECT id, kind, repo, body, attempts FROM outbox WHERE due <= clock_timestamp() AND attempts < $2 "
            "ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED",
            batch,
            ATTEMPTS,
        )
        failed = [row["id"] for row in rows if not await _handle(row, handlers.get(row["kind"], []))]
        await connection.execute(
            "DELETE FROM outbox WHERE id = ANY ($1::bigint[])", [row["id"] for row in rows if row["id"] not in failed]
        )
        await connection.execute(
            "UPDATE outbox SET attempts = attempts + 1, due = clock_timestamp() + $2::interval * (attempts + 1) "
            "WHERE id = ANY ($1::bigint[])",
            failed,
            timedelta(seconds=10),
        )
    return len(rows)


async def depth(db: Database) -> int:
    """How many facts wait, counted no further than 100,000."""
    async with db.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM (SELECT FROM outbox LIMIT 100000) AS waiting"))


async def _handle(row: Any, handlers: list[Handler]) -> bool:
    try:
        for handler in handlers:
            await handler({"kind": row["kind"], "repo": row["repo"], **json.loads(row["body"])})
    except Exception:  # noqa: BLE001 - whatever a handler does, the fact is kept for another try
        return False
    return True
