"""Pages of long lists: exact, and read from an index."""

import json
from typing import Any, Final

import pytest

from registry.content import sql_manifests
from registry.content.sql_manifests import Place
from registry.core.listing import Listing
from registry.namespaces import sql as namespaces

_ROWS: Final = 20_000
_DIGEST: Final = "'sha256:' || lpad(to_hex(i), 64, '0')"


class Explained:
    """A connection that adds up how many rows each statement read, besides its answer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.rows = 0.0

    async def fetchrow(self, statement: str, *given: Any) -> Any:
        """The row; its plan is counted."""
        found = await self._connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *given)
        self._count(json.loads(found)[0]["Plan"])
        return await self._connection.fetchrow(statement, *given)

    def _count(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            self.rows += node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for inner in node.get("Plans", ()):
            self._count(inner)


@pytest.fixture
async def long(server: Any) -> Any:
    """A connection to a registry with long lists: tags, repositories, referrers of one subject pushed at one time."""
    async with server.shelf().db.connection() as connection:
        await _fill(connection)
        yield Explained(connection)


async def _fill(connection: Any) -> None:
    await connection.execute(f"INSERT INTO repositories (name) SELECT 'r' || i FROM generate_series(1, {_ROWS}) i")
    repo = await connection.fetchval("SELECT id FROM repositories WHERE name = 'r1'")
    await connection.execute(
        "INSERT INTO manifests (repo, digest, type, bytes, subject, descriptor, pushed_at) "
        f"SELECT {repo}, {_DIGEST}, 't', '', 's', i::text, 'epoch'::timestamptz + (i / 7) * interval '1 microsecond' "
        f"FROM generate_series(1, {_ROWS}) i"
    )
    await connection.execute(
        f"INSERT INTO tags (repo, name, digest) SELECT {repo}, lpad(i::text, 6, '0'), {_DIGEST} "
        f"FROM generate_series(1, {_ROWS}) i"
    )
    await connection.execute("ANALYZE repositories, manifests, tags")


@pytest.mark.parametrize("after", ["", "010000", f"{_ROWS - 50:06}"])
async def test_a_page_of_tags_reads_only_its_tags(long: Explained, after: str) -> None:
    found = await sql_manifests.tags_after(long, "r1", after, 100)
    assert found.more == (after != f"{_ROWS - 50:06}")
    assert len((found.items or "").split(",")) == (100 if found.more else 50)
    assert long.rows < 200


@pytest.mark.parametrize("after", ["", "r5", "r9999"])
async def test_a_page_of_repositories_reads_only_its_names(long: Explained, after: str) -> None:
    found = await namespaces.names_after(long, after, 100, None)
    assert found.more == (after != "r9999")
    assert long.rows < 200


@pytest.mark.parametrize("after", [None, (1000, f"sha256:{7003:064x}"), (10**18 - 1, "sha256:")])
async def test_a_page_of_referrers_reads_only_its_referrers(long: Explained, after: tuple[int, str] | None) -> None:
    found = await sql_manifests.referrers(long, "r1", "s", None, Place(after, 100, 1_000_000))
    first = 7002 if after and after[0] == 1000 else _ROWS
    assert (found.items or "").split(",") == [str(i) for i in range(first, first - 100, -1)]
    assert long.rows < 300


@pytest.mark.parametrize("size", [0, 1, 3, 7, 21, 22, 50])
async def test_pages_of_every_size_are_exact(server: Any, size: int) -> None:
    async with server.shelf().db.connection() as connection:
        await connection.execute("INSERT INTO repositories (name) VALUES ('r1')")
        repo = await connection.fetchval("SELECT id FROM repositories")
        await connection.execute(
            "INSERT INTO manifests (repo, digest, type, bytes, subject, descriptor, pushed_at) "
            f"SELECT {repo}, {_DIGEST}, 't', '', 's', i::text, now() FROM generate_series(1, 21) i"
        )
        await connection.execute(
            f"INSERT INTO tags (repo, name, digest) SELECT {repo}, 't' || i, {_DIGEST} FROM generate_series(1, 21) i"
        )
        tags, last = list[str](), ""
        while (found := await sql_manifests.tags_after(connection, "r1", last, size)).more and found.last:
            tags, last = [*tags, *_items(found)], found.last
        referrers, after = list[str](), None
        while True:
            got = await sql_manifests.referrers(connection, "r1", "s", None, Place(after, size, 1000))
            referrers += _items(got)
            if not (got.more and got.last):
                break
            at, _, digest = got.last.partition("-")
            after = int(at), digest
    assert [*tags, *_items(found)] == (sorted(f'"t{i}"' for i in range(1, 22)) if size else [])
    assert referrers == ([str(i) for i in range(21, 0, -1)] if size else [])


def _items(found: Listing) -> list[str]:
    return found.items.split(",") if found.items else []
