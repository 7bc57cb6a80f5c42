"""What reads cost in a repository of 5,000 releases: statements that find their rows by indexes."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from registry.content import sql_blobs, sql_manifests
from registry.content.sql_manifests import Place

NAME = "users/alice/many"
MANY = 5000
TABLES = ("manifests", "refs", "tags", "releases", "blobs", "blob_links")

FILL = """
INSERT INTO repositories (name, gated) VALUES ('users/alice/many', true);
INSERT INTO blobs (digest, size, content) SELECT 'sha256:b' || n, 1, 'x' FROM generate_series(0, 5000) n;
INSERT INTO blob_links (repo, digest) SELECT r.id, b.digest FROM repositories r, blobs b;
INSERT INTO manifests (repo, digest, type, bytes, state)
SELECT id, 'sha256:m' || n, 'a/b', 'm', CASE n % 2 WHEN 0 THEN 'live' ELSE 'held' END
FROM repositories, generate_series(1, 5000) n;
INSERT INTO manifests (repo, digest, type, bytes, subject, descriptor)
SELECT id, 'sha256:s' || n, 'a/b', 's', 'sha256:m' || n, '{}' FROM repositories, generate_series(1, 5000) n;
INSERT INTO refs (repo, parent, digest, role)
SELECT id, 'sha256:m' || n, 'sha256:b' || n, 'blob' FROM repositories, generate_series(1, 5000) n;
INSERT INTO refs (repo, parent, digest, role)
SELECT id, kind || n, 'sha256:b0', 'blob'
FROM repositories, generate_series(1, 5000) n, unnest(ARRAY['sha256:m', 'sha256:s']) kind;
INSERT INTO releases (repo, version, tag, precedence, digest, type, state)
SELECT id, '1.0.' || n, '1.0.' || n, n::text, 'sha256:m' || n, 'agent',
    CASE n % 2 WHEN 0 THEN 'published' ELSE 'scanning' END
FROM repositories, generate_series(1, 5000) n;
INSERT INTO tags (repo, name, digest) SELECT repo, tag, digest FROM releases;
ANALYZE;
"""


class Meter:
    """Counts rows that a transaction reads of the tables of content."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._before: dict[str, Any] = {}

    async def _rows(self) -> dict[str, Any]:
        rows = await self.connection.fetch(
            "SELECT relname, coalesce(seq_tup_read, 0) AS scanned, coalesce(idx_tup_fetch, 0) AS fetched "
            "FROM pg_stat_xact_user_tables WHERE relname = ANY ($1)",
            TABLES,
        )
        return {row["relname"]: row for row in rows}

    async def start(self) -> None:
        """Count from here on."""
        self._before = await self._rows()

    async def read(self) -> tuple[int, int]:
        """How many rows were read without an index, and how many were found by one."""
        now = await self._rows()
        scanned, fetched = (
            sum(row[kind] - self._before[name][kind] for name, row in now.items()) for kind in ("scanned", "fetched")
        )
        return scanned, fetched


@pytest.fixture
async def meter(server: Any, database_url: str) -> AsyncIterator[Meter]:
    """A repository with 5,000 releases, every second one held, each with a referrer."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(FILL)
    async with connection.transaction():
        found = Meter(connection)
        await found.start()
        yield found
    await connection.close()


async def test_reads_of_a_gated_repository_find_their_rows_by_indexes(meter: Meter) -> None:
    connection = meter.connection
    for number in (1, 2):
        by_tag = await sql_manifests.by_tag(connection, NAME, f"1.0.{number}")
        by_digest = await sql_manifests.by_digest(connection, NAME, f"sha256:s{number}")
        assert by_tag is not None
        assert by_digest is not None
        assert by_tag.state == by_digest.state == ("held" if number % 2 else "live")
        blob = await sql_blobs.select(connection, NAME, f"sha256:b{number}")
        assert blob is not None
        assert blob.reach == ("writers" if number % 2 else "all")
        place = Place(None, 10, 1000, is_writer=False)
        listed = await sql_manifests.referrers(connection, NAME, f"sha256:m{number}", None, place)
        assert listed.items == (None if number % 2 else "{}")
    scanned, fetched = await meter.read()
    assert scanned == 0
    assert fetched < 200


async def test_a_blob_of_every_release_is_found_readable_by_the_first_that_is(meter: Meter) -> None:
    blob = await sql_blobs.select(meter.connection, NAME, "sha256:b0")
    assert blob is not None
    assert blob.reach == "all"
    scanned, fetched = await meter.read()
    assert scanned == 0
    assert fetched < 200


async def test_a_page_of_tags_reads_no_more_than_it_passes_over(meter: Meter) -> None:
    found = await sql_manifests.shown_tags_after(meter.connection, NAME, "1.0.3", 10, all_of_them=False)
    assert found.items is not None
    assert len(found.items.split(",")) == 10
    assert (found.more, found.is_for_all) == (True, False)
    scanned, fetched = await meter.read()
    assert scanned == 0
    assert fetched < 500


async def test_what_a_writer_sees_is_for_all_where_nothing_is_hidden(meter: Meter) -> None:
    connection = meter.connection
    await connection.execute("UPDATE releases SET state = 'published'")
    await connection.execute("UPDATE manifests SET state = 'live'")
    for writer in (True, False):
        found = await sql_manifests.shown_tags_after(connection, NAME, "", 10_000, all_of_them=writer)
        assert found.items is not None
        assert len(found.items.split(",")) == MANY
        assert (found.more, found.is_for_all) == (False, True)
