"""A database of many manifests, made of synthetic rows, and the plans of the statements that were run on it.

The rows are those of real pushes: every manifest has its digest, a tag, a blob that is linked to its repository, and
nine of ten name the tenth as their subject. Only the stored bytes of the blobs are absent.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from benchmarks.content import MANIFEST

SHARE: Final = 100
"""Manifests in one repository."""
SUBJECTS: Final = 10
"""Of so many manifests in a row, the first is the subject of the others."""
_BATCH: Final = 50_000
_LARGE: Final = 5_000
"""Rows from which on a table is not to be read from end to end."""
_LOOKED_AT: Final = re.compile(r"\s*(select|with|update|delete)\b(?!.*pg_stat)", re.IGNORECASE | re.DOTALL)
_RAW: Final = (
    '{"schemaVersion":2,"mediaType":"' + MANIFEST + '","config":{"mediaType":"application/vnd.oci.empty.v1+json",'
    '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},'
    '"layers":[],"annotations":{"org.opencontainers.image.version":"'
)


def _raw(number: str) -> str:
    return f"convert_to('{_RAW}' || {number} || '\"}}}}', 'UTF8')"


def _digest(number: str) -> str:
    return f"'sha256:' || encode(sha256({_raw(number)}), 'hex')"


def _blob(number: str) -> str:
    return f"'sha256:' || encode(sha256(convert_to('blob ' || {number}, 'UTF8')), 'hex')"


_SUBJECT: Final = _digest(f"(n - n % {SUBJECTS})")
_DESCRIPTOR: Final = (
    f"""'{{"mediaType":"{MANIFEST}","digest":"' || {_digest("n")} || '","size":' || octet_length({_raw("n")}) || '}}'"""
)
_NUMBERED: Final = (
    f"(SELECT n, r.id AS repo FROM generate_series($1::bigint, $2::bigint) n "
    f"JOIN repositories r ON r.name = 'growth/r' || n / {SHARE}) AS numbered"
)
_NEW_REPOSITORIES: Final = (
    f"INSERT INTO repositories (name) SELECT 'growth/r' || g FROM generate_series($1::bigint / {SHARE}, "
    f"$2::bigint / {SHARE}) g ON CONFLICT DO NOTHING"
)
_NEW_BLOBS: Final = (
    f"INSERT INTO blobs (digest, size, object_key) SELECT {_blob('n')}, 1024, 'blobs/synthetic/' || n "
    "FROM generate_series($1::bigint, $2::bigint) n"
)
_NEW_MANIFESTS: Final = (
    "INSERT INTO manifests (repo, digest, type, artifact_type, bytes, subject, descriptor) "
    f"SELECT repo, {_digest('n')}, '{MANIFEST}', NULL, {_raw('n')}, "
    f"CASE WHEN n % {SUBJECTS} > 0 THEN {_SUBJECT} END, {_DESCRIPTOR} FROM {_NUMBERED}"
)
STATEMENTS: Final = (
    _NEW_REPOSITORIES,
    _NEW_BLOBS,
    f"INSERT INTO blob_links (repo, digest) SELECT repo, {_blob('n')} FROM {_NUMBERED}",
    _NEW_MANIFESTS,
    f"INSERT INTO refs (repo, parent, digest, role) SELECT repo, {_digest('n')}, {_blob('n')}, 'blob' FROM {_NUMBERED}",
    f"INSERT INTO tags (repo, name, digest) SELECT repo, 't' || n % {SHARE}, {_digest('n')} FROM {_NUMBERED}",
)
"""Each adds the rows from $1 to $2, both included."""


async def fill(connection: Any, have: int, want: int) -> None:
    """Add the manifests from number `have` to `want` - 1."""
    for first in range(have, want, _BATCH):
        async with connection.transaction():
            for statement in STATEMENTS:
                await connection.execute(statement, first, min(want, first + _BATCH) - 1)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")


async def keys(connection: Any, numbers: list[int]) -> list[tuple[str, str]]:
    """The digests of the manifest and of the blob of each number."""
    rows = await connection.fetch(f"SELECT {_digest('n')}, {_blob('n')} FROM unnest($1::bigint[]) n", numbers)
    return [(row[0], row[1]) for row in rows]


async def watch_statements(connection: Any) -> None:
    """Let the server note every statement from its next start on."""
    await connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")


async def forget_statements(connection: Any) -> None:
    """Begin to note statements now, those inside functions too."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await connection.execute("ALTER SYSTEM SET pg_stat_statements.track = 'all'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("SELECT pg_stat_statements_reset()")


async def scans(connection: Any) -> dict[str, int]:
    """How often each large table was read from end to end so far, by whatever statement."""
    rows = await connection.fetch(
        "SELECT s.relname, s.seq_scan FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid "
        "WHERE c.reltuples > $1",
        _LARGE,
    )
    return {row[0]: int(row[1]) for row in rows}


@dataclass(frozen=True, slots=True)
class Looked:
    """How many statements on large tables could be explained and could not be, and what reads such a table whole.

    A statement inside a function has variables of its own, and one whose constants were taken out need not be one any
    more: these cannot be explained, and only the counters of the server tell of them.
    """

    explained: int
    unexplained: int
    found: list[str]


async def look_at_plans(connection: Any, before: dict[str, int]) -> Looked:
    """Explain the noted statements, with plans for any values, and compare the counters with those of `before`."""
    after = await scans(connection)
    rows = await connection.fetch("SELECT DISTINCT query FROM pg_stat_statements")
    texts = [text for (text,) in rows if _LOOKED_AT.match(text) and any(name in text for name in after)]
    plans = {text: await _plan(connection, text) for text in texts}
    found = [
        f"{table}: read whole {count - before[table]} times" for table, count in after.items() if count > before[table]
    ]
    for text, plan in plans.items():
        found += [f"{table}: {' '.join(text.split())[:160]}" for table in _scanned(plan or {}) if table in after]
    explained = sum(plan is not None for plan in plans.values())
    return Looked(explained, len(plans) - explained, found)


async def _plan(connection: Any, text: str) -> Any:
    """The plan of a statement whose values are not known; None where it has none without them."""
    try:
        explained = await connection.prepare(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}")
        nothing = [None] * len(explained.get_parameters())
        return json.loads(await explained.fetchval(*nothing))[0]["Plan"]
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        return None


def _scanned(plan: dict[str, Any]) -> Iterator[str]:
    if plan.get("Node Type") == "Seq Scan":
        yield plan["Relation Name"]
    for inner in plan.get("Plans", ()):
        yield from _scanned(inner)
