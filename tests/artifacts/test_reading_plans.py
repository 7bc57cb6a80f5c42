"""How the database finds what lists of artifacts show: by indexes, whatever there is besides."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from registry.artifacts import sql_reading as sql
from registry.artifacts.sql_reading import Asked, Range
from registry.namespaces.catalog import Pushes, Visible
from registry.search import sql as search
from registry.search.model import Filters, Wish

ARTIFACTS = 2000
SEEN = Visible(
    everything=False,
    visibilities=["internal"],
    namespaces=[1],
    repositories=[],
    only_namespaces=None,
    only_repositories=None,
    closed=[],
    stale=[],
    pushes=Pushes(everywhere=False, namespaces=[], repositories=[]),
)
LARGE = {"releases", "tags", "manifests", "dependencies", "refs"}


class Explaining:
    """A connection that tells how it would find what is asked for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.plans: list[Any] = []

    async def fetch(self, statement: str, *values: Any) -> Any:
        """The rows; the plan is kept."""
        self.plans.append(json.loads(await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *values)))
        return await self._connection.fetch(statement, *values)

    async def fetchrow(self, statement: str, *values: Any) -> Any:
        """The first row; the plan is kept."""
        return next(iter(await self.fetch(statement, *values)), None)


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """Every step of a plan."""
    if isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for value in plan.values():
            yield from nodes(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from nodes(value)


def scanned(plans: list[Any]) -> set[str]:
    """The tables that are read from their start to their end."""
    return {step["Relation Name"] for step in nodes(plans) if step["Node Type"] == "Seq Scan"}


@pytest.fixture
async def crowded(shelf: Any) -> Any:
    """A registry with many artifacts, in a namespace that the caller reads."""
    async with shelf.db.connection() as connection:
        await connection.execute(
            """
            INSERT INTO namespaces (kind, slug, visibility) VALUES ('org', 'crowd', 'public');
            INSERT INTO repositories (name, namespace, gated) SELECT 'orgs/crowd/a' || i,
                (SELECT id FROM namespaces WHERE slug = 'crowd'), true FROM generate_series(1, 2000) AS i;
            INSERT INTO artifacts (repo, type, latest, description, capabilities, language, engines)
                SELECT id, 'module-node', '1.1.0', 'Keeps values of ' || name, ARRAY['db:read'], 'typescript', '^2.0.0'
                FROM repositories;
            INSERT INTO releases (repo, version, tag, precedence, digest, type, state, published_at)
                SELECT id, '1.' || v || '.0', '1.' || v || '.0', '0011001' || v || '0010~',
                    'sha256:' || encode(sha256((name || v)::bytea), 'hex'), 'module-node', 'published', now()
                FROM repositories, generate_series(0, 1) AS v;
            INSERT INTO manifests (repo, digest, type, bytes) SELECT repo, digest, 'x', '{}' FROM releases;
            INSERT INTO refs (repo, parent, digest, role) SELECT repo, digest, digest, 'blob' FROM releases;
            INSERT INTO tags (repo, name, digest) SELECT repo, tag, digest FROM releases;
            INSERT INTO tags (repo, name, digest) SELECT repo, 'latest', digest FROM releases WHERE version = '1.1.0';
            INSERT INTO dependencies (release, ordinal, reference, target, wanted, relation)
                SELECT l.id, 0, 'x', 'orgs/crowd/a' || (l.id % 2000), '^1.0.0', 'dependency' FROM releases l;
            ANALYZE;
            """
        )
        yield connection


async def test_no_list_reads_all_releases_tags_or_manifests_to_show_a_page(crowded: Any) -> None:
    """Each is one statement."""
    explaining, name = Explaining(crowded), "orgs/crowd/a7"
    one = Range(None, 21, writer=False)
    steps: list[Callable[[], Awaitable[Any]]] = [
        lambda: sql.artifacts_of(explaining, "orgs/crowd", one, [], SEEN),
        lambda: sql.versions(explaining, name, one, []),
        lambda: sql.dependents(explaining, name, (0, 0), 21, SEEN),
        lambda: sql.batch(explaining, [Asked(f"@{at}", "org", "orgs/", "crowd", f"/a{at}") for at in range(200)], SEEN),
        lambda: sql.artifact(explaining, name, writer=False),
        lambda: sql.by_version(explaining, name, "1.1.0"),
        lambda: sql.by_tag(explaining, name, "latest"),
        lambda: sql.family(explaining, name, "sha256:x", 10),
        lambda: sql.referrers(explaining, name, "sha256:x", ["x"], 10),
    ]
    for at, step in enumerate(steps, 1):
        found = await step()
        assert len(explaining.plans) == at
        assert found or at > 7
        assert scanned(explaining.plans[-1:]) & LARGE == set(), at


async def test_a_search_is_one_statement_that_reads_no_releases_but_the_latest(crowded: Any) -> None:
    explaining = Explaining(crowded)
    wish = Wish("a77", Filters(types=("module-node",), capabilities=("db",)), "relevance", True, 1, 20)  # noqa: FBT003
    found = await search.find(explaining, wish, None, SEEN)
    assert len(explaining.plans) == 1
    assert found.items[0].name == "orgs/crowd/a77"
    assert found.total == len([at for at in range(1, ARTIFACTS + 1) if "a77" in f"a{at}"])
    assert scanned(explaining.plans) & LARGE == set()
