"""Audit rows as JSON lines."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.audit import sql
from registry.audit.sql import Filter
from registry.infra.db.pool import Database

__all__ = ["Filter", "Line", "export", "page"]
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A sealed row: its number, and one JSON object without line breaks."""

    number: int
    text: str


async def export(db: Database, wanted: Filter) -> AsyncIterator[Line]:
    """Every sealed row that is wanted, by number, a page in memory at a time.

    Rows that wait for their seal, for a second at most, come when `after` is the last number of this time.
    """
    while found := await page(db, wanted, _PAGE):
        for line in found:
            yield line
        wanted = replace(wanted, after=found[-1].number)


async def page(db: Database, wanted: Filter, limit: int) -> list[Line]:
    """The first `limit` sealed rows that are wanted."""
    async with db.connection() as connection:
        return [Line(row["number"], _line(row)) for row in await sql.lines(connection, wanted, limit)]


def _line(row: Any) -> str:
    content = {
        "number": row["number"],
        "id": row["id"],
        "at": row["at"],
        "actor": {"id": row["actor"], "name": row["actor_name"]},
        "credential": row["credential"],
        "action": row["action"],
        "target": row["target"],
        "namespace": row["namespace"],
        "outcome": row["outcome"],
        "times": row["times"],
        "address": row["address"],
        "requestId": row["request_id"],
    }
    return f'{json.dumps(content, ensure_ascii=False)[:-1]}, "detail": {row["detail"]}}}'
