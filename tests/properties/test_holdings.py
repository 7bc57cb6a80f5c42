"""What a namespace uses is the sum over its distinct digests, after any sequence of actions, several at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.content import blobs, holdings, jobs, manifests, repositories
from registry.content.terms import Terms
from registry.core.digest import parse_digest
from registry.core.errors import ManifestBlobUnknown, NotFound, QuotaExceeded, Unsupported
from tests.content.spaces import (
    accounts,
    execute,
    fetch,
    grace_passes,
    held,
    make_namespace,
    put_blob,
    put_manifest,
    used,
)
from tests.pushing import EMPTY, digest, image

REPOS: Final = ("team/a", "team/b", "other/c")
CONTENTS: Final = (EMPTY, b"one", b"two", b"three")
TERMS: Final = Terms(quota=900)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Small blobs, whose uploads are one statement, and no references to what is absent."""
    return environ | {"SMALL_BLOB": "16KiB", "SPARSE_MANIFESTS": "none"}


@pytest.fixture
async def registry(shelf: Any) -> AsyncIterator[Any]:
    """One with accounts."""
    async with accounts(shelf):
        yield shelf


async def do_blob(shelf: Any, name: str, content: bytes) -> None:
    await put_blob(shelf, name, content, TERMS)


async def do_image(shelf: Any, name: str, content: bytes) -> None:
    await put_manifest(shelf, name, image(content), "latest", terms=TERMS)


async def do_both(shelf: Any, name: str, content: bytes) -> None:
    """The same bytes as a blob and as a manifest count once."""
    await put_blob(shelf, name, image(content), TERMS)


async def do_mount(shelf: Any, name: str, content: bytes) -> None:
    await blobs.mount(shelf, list(REPOS), name, parse_digest(digest(content)), TERMS)


async def do_delete_blob(shelf: Any, name: str, content: bytes) -> None:
    await blobs.delete(shelf, name, parse_digest(digest(content)), TERMS)


async def do_delete_image(shelf: Any, name: str, content: bytes) -> None:
    await manifests.delete(shelf, name, parse_digest(digest(image(content))), TERMS)


async def do_delete_repository(shelf: Any, name: str, _: bytes) -> None:
    await repositories.delete(shelf, name, None)


async def do_sweep(shelf: Any, *_: Any) -> None:
    await jobs.sweep(shelf, timedelta())


async def do_let_time_pass(shelf: Any, *_: Any) -> None:
    await execute(shelf, "UPDATE review SET due = clock_timestamp()")
    await jobs.sweep(shelf, timedelta())


ACTIONS: Final[tuple[Callable[..., Awaitable[None]], ...]] = (
    do_blob,
    do_blob,
    do_image,
    do_both,
    do_mount,
    do_delete_blob,
    do_delete_image,
    do_delete_repository,
    do_sweep,
    do_let_time_pass,
)
STEP = st.tuples(st.sampled_from(ACTIONS), st.sampled_from(REPOS), st.sampled_from(CONTENTS))


async def attempt(shelf: Any, action: Callable[..., Awaitable[None]], name: str, content: bytes) -> None:
    with suppress(NotFound, Unsupported, ManifestBlobUnknown, QuotaExceeded):
        await action(shelf, name, content)


async def settle(shelf: Any) -> None:
    """Whatever the sweep has been asked to look at in namespaces, it has looked at."""
    waiting = "SELECT count(*) FROM review WHERE kind = 'holding'"
    while await fetch(shelf, waiting) or await fetch(shelf, "SELECT count(*) FROM repositories WHERE state <> 'live'"):
        await execute(shelf, "UPDATE review SET due = clock_timestamp() WHERE kind = 'holding'")
        await jobs.sweep(shelf)


# Feature: gati-registry, proposed property: byte quotas count distinct digests exactly
@pytest.mark.timeout(600)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(STEP, min_size=1, max_size=6), min_size=1, max_size=6))
async def test_the_sum_is_that_of_the_distinct_digests(registry: Any, batches: list[list[Any]]) -> None:
    """The actions of a batch run at once; what they use is known exactly after each."""
    await execute(registry, "TRUNCATE namespaces, blobs, review, outbox, doomed CASCADE")
    spaces = [await make_namespace(registry, slug) for slug in ("team", "other")]
    for batch in batches:
        await asyncio.gather(*(attempt(registry, *step) for step in batch))
        await settle(registry)
        for space in spaces:
            assert await used(registry, space) == await held(registry, space)
    for name in REPOS:
        with suppress(NotFound):
            await repositories.delete(registry, name, None)
    await grace_passes(registry)
    assert [await used(registry, space) for space in spaces] == [0, 0]
    await holdings.fold(registry)
    rows = await fetch(registry, "SELECT json_agg(bytes) FROM usage")
    assert set(json.loads(rows or "[]")) <= {0}
