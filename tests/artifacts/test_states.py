import json
from typing import Any

import httpx
import pytest

from registry.admission.push import Pushed, push
from registry.admission.releasing import Publisher
from registry.artifacts.jobs import publish_next
from registry.artifacts.sql_releases import Release
from registry.artifacts.states import FOLLOWS, State, content_state, may_follow, upload_status
from registry.artifacts.steps import Scan, Signature, Steps
from registry.content.terms import OPEN_TERMS
from tests.artifacts.publishing import Artifact, push_parts, put, state, tags
from tests.artifacts.test_worker_checks import attach, everything_is_due
from tests.content.faults import all_time_passes
from tests.content.spaces import execute, fetch
from tests.pushing import OCI_MANIFEST

HELLO = "users/alice/hello"
SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json"


async def signed(connection: Any, release: Release) -> Signature:
    """Whether the release has a signature, be it of anybody."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM manifests WHERE subject = $1 AND artifact_type = $2)", release.digest, SIGNATURE
    )
    return Signature.COUNTED if found else Signature.WAIT


def found(answer: Scan) -> Any:
    """A scan that finds this."""

    async def scan(_: Any, __: Release) -> Scan:
        return answer

    return scan


SIGNED = Steps(signature=signed)


async def submit(client: httpx.AsyncClient, shelf: Any, artifact: Artifact, steps: Steps) -> Release:
    """Push all of an artifact where these steps stand before its publication."""
    await push_parts(client, artifact)
    pushed = Pushed(artifact.raw, OCI_MANIFEST, artifact.version, ())
    receipt = await push(shelf, artifact.name, pushed, OPEN_TERMS, Publisher(steps=steps))
    assert receipt.release is not None
    return receipt.release


async def test_what_must_be_signed_waits_and_is_published_when_it_is(client: httpx.AsyncClient, shelf: Any) -> None:
    release = await submit(client, shelf, Artifact(), SIGNED)
    assert release.state is State.AWAITING_SIGNATURE
    assert await fetch(shelf, "SELECT state FROM manifests WHERE digest = $1", Artifact().digest) == "held"
    assert await tags(client) == {"1.0.0": Artifact().digest}
    await attach(client, Artifact().raw, b"{}", SIGNATURE)
    assert await publish_next(shelf, SIGNED)
    assert await state(shelf, Artifact()) == "published"
    assert "latest" in await tags(client)


async def test_what_nobody_signs_in_time_expires_with_its_bytes_and_its_number_is_free(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await submit(client, shelf, Artifact(), SIGNED)
    await everything_is_due(shelf)
    assert await publish_next(shelf, SIGNED)
    assert await state(shelf, Artifact()) == "awaiting-signature"
    await execute(shelf, "UPDATE releases SET pushed_at = pushed_at - interval '73 hours'")
    await everything_is_due(shelf)
    assert await publish_next(shelf, SIGNED)
    assert await state(shelf, Artifact()) == "expired"
    await all_time_passes(shelf)
    assert await fetch(shelf, "SELECT count(*) FROM blobs") == 0
    await push_parts(client, Artifact())
    assert (await put(client, Artifact())).status_code == 201
    assert await state(shelf, Artifact()) == "published"


async def test_malicious_content_is_rejected_and_pulled_by_nobody(client: httpx.AsyncClient, shelf: Any) -> None:
    release = await submit(client, shelf, Artifact(), Steps(scan=found(Scan.MALICIOUS)))
    assert release.state is State.REJECTED
    assert json.loads(release.reason or "")["reason"] == "MALICIOUS_CONTENT_DETECTED"
    assert (await client.get(f"/v2/{HELLO}/manifests/1.0.0")).status_code == 403


async def test_a_scan_that_takes_its_time_is_waited_for(client: httpx.AsyncClient, shelf: Any) -> None:
    release = await submit(client, shelf, Artifact(), Steps(scan=found(Scan.WAIT)))
    assert release.state is State.SCANNING
    await everything_is_due(shelf)
    assert await publish_next(shelf, Steps(scan=found(Scan.CLEAN)))
    assert await state(shelf, Artifact()) == "published"


async def test_tags_that_are_pushed_while_a_release_waits_move_when_it_is_published(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    await submit(client, shelf, Artifact(), SIGNED)
    assert (await put(client, Artifact(), "stable")).status_code == 201
    assert await tags(client) == {"1.0.0": Artifact().digest}
    await attach(client, Artifact().raw, b"{}", SIGNATURE)
    assert await publish_next(shelf, SIGNED)
    assert (await tags(client))["stable"] == Artifact().digest


@pytest.mark.parametrize("state_", list(State))
def test_each_state_leads_where_the_table_says_and_says_what_it_is(state_: State) -> None:
    ends = {State.REJECTED, State.UNPUBLISHED, State.EXPIRED}
    assert (FOLLOWS[state_] == frozenset()) is (state_ in ends)
    assert not may_follow(state_, State.RECEIVED)
    assert (content_state(state_) == "live") is (state_ is State.PUBLISHED)
    assert (upload_status(state_) == "completed") is (state_ is State.PUBLISHED)
