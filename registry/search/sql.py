"""The statement of a search. It takes a connection."""

import json
from collections.abc import Sequence
from typing import Any, Final

from registry.artifacts.sql_reading import ARTIFACT, DEPRECATED, Artifact
from registry.namespaces import sql
from registry.namespaces.catalog import Visible
from registry.search.model import Facet, Found, Wish

RANGES: Final = 5000
_COLUMNS: Final = tuple(Artifact.__slots__)
_FACETS: Final = ("types", "capabilities", "languages", "licenses")
_SORTS: Final = {
    "relevance": "rank",
    "updated": "updated_at",
    "created": "created_at",
    "name": "name",
}


async def ranges(connection: Any) -> list[str]:
    """The versions of Gati that artifacts say they work with, as npm ranges, each once."""
    rows = await connection.fetch(
        "SELECT DISTINCT engines FROM artifacts WHERE engines IS NOT NULL AND latest IS NOT NULL LIMIT $1", RANGES
    )
    return [row["engines"] for row in rows]


async def find(connection: Any, wish: Wish, admitted: Sequence[str] | None, seen: Visible | None) -> Found:
    """A page of published artifacts that are seen; `admitted`: their range of versions of Gati is one of these."""
    condition, values = sql.seen_by(seen, 10, is_published=True)
    filters = wish.filters
    order = f"{_SORTS[wish.sort]} {'DESC' if wish.is_descending else 'ASC'}, name"
    rows = await connection.fetch(
        _FIND.format(artifact=ARTIFACT, deprecated=DEPRECATED, seen=condition, order=order),
        wish.text.strip().lower(),
        list(filters.types),
        [word.lower() for word in filters.keywords],
        list(filters.capabilities),
        [word.lower() for word in filters.languages],
        [word.lower() for word in filters.licenses],
        None if admitted is None else list(admitted),
        wish.size,
        (wish.page - 1) * wish.size,
        *values,
    )
    items = [Artifact(**{name: row[name] for name in _COLUMNS}) for row in rows if row["name"] is not None]
    facets = {name: [Facet(**one) for one in json.loads(rows[0][f"of_{name}"])] for name in _FACETS}
    return Found(items, rows[0]["total"], **facets)


_FIND: Final = """
WITH seen AS (
    SELECT a.repo, {artifact}, split_part(r.name, '/', -1) AS short,
        '@' || split_part(r.name, '/', -2) || '/' || split_part(r.name, '/', -1) AS handle,
        artifact_words(a.description, a.keywords, a.topics, a.category)
            || to_tsvector('pg_catalog.simple', translate(r.name, '/-_.', '    ')) AS words
    FROM repositories r JOIN artifacts a ON a.repo = r.id LEFT JOIN namespaces n ON n.id = r.namespace
    WHERE r.state = 'live' AND a.latest IS NOT NULL AND {seen}
        AND (cardinality($2::text[]) = 0 OR a.type = ANY ($2))
        AND (cardinality($5::text[]) = 0 OR lower(a.language) = ANY ($5))
        AND (cardinality($6::text[]) = 0 OR lower(a.license) = ANY ($6))
        AND ($7::text[] IS NULL OR a.engines = ANY ($7))
        AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS k (word) WHERE NOT EXISTS (
            SELECT FROM unnest(a.keywords || a.topics) AS o (word) WHERE lower(o.word) = k.word))
        AND NOT EXISTS (SELECT FROM unnest($4::text[]) AS k (name) WHERE NOT EXISTS (
            SELECT FROM unnest(a.capabilities) AS o (name) WHERE o.name = k.name OR starts_with(o.name, k.name || ':')))
), found AS MATERIALIZED (
    SELECT *, CASE WHEN $1::text = '' THEN 0
        WHEN $1 IN (short, name, handle) THEN 4
        WHEN starts_with(short, $1) THEN 3
        WHEN words @@ plainto_tsquery('pg_catalog.simple', $1)
            THEN 2 + least(ts_rank(words, plainto_tsquery('pg_catalog.simple', $1)), 0.9)
        ELSE 1 END AS rank
    FROM seen
    WHERE $1 = '' OR $1 IN (short, name, handle) OR strpos(short, $1) > 0
        OR words @@ plainto_tsquery('pg_catalog.simple', $1)
), page AS (
    SELECT *, row_number() OVER (ORDER BY {order}) AS place, {deprecated}
    FROM found a ORDER BY {order} LIMIT $8 OFFSET $9
), sums AS (
    SELECT (SELECT count(*) FROM found) AS total,
    (SELECT coalesce(json_agg(f), '[]') FROM (SELECT type AS value, count(*) FROM found
        GROUP BY type ORDER BY count(*) DESC, type LIMIT 50) f)::text AS types,
    (SELECT coalesce(json_agg(f), '[]') FROM (SELECT c AS value, count(*) FROM found, unnest(capabilities) AS c
        GROUP BY c ORDER BY count(*) DESC, c LIMIT 50) f)::text AS capabilities,
    (SELECT coalesce(json_agg(f), '[]') FROM (SELECT language AS value, count(*) FROM found WHERE language IS NOT NULL
        GROUP BY language ORDER BY count(*) DESC, language LIMIT 50) f)::text AS languages,
    (SELECT coalesce(json_agg(f), '[]') FROM (SELECT license AS value, count(*) FROM found WHERE license IS NOT NULL
        GROUP BY license ORDER BY count(*) DESC, license LIMIT 50) f)::text AS licenses
)
SELECT s.total, s.types AS of_types, s.capabilities AS of_capabilities, s.languages AS of_languages,
    s.licenses AS of_licenses, p.name, p.visibility, p.type, p.description, p.homepage, p.category, p.topics,
    p.keywords, p.capabilities, p.license, p.language, p.engines, p.latest, p.deprecated, p.revision,
    p.created_at, p.updated_at
FROM sums s LEFT JOIN page p ON true ORDER BY p.place
"""
