import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from registry import worker
from registry.content import jobs
from registry.core.errors import Unavailable
from registry.infra.jobs.outbox import deliver
from tests.pushing import digest, push_blob, push_image

PAUSES = worker.Pauses(timedelta(milliseconds=1), timedelta(hours=1))


async def test_a_fact_reaches_its_handler_once(client: httpx.AsyncClient, shelf: Any) -> None:
    named = await push_image(client, "a", b"x")
    seen: list[dict[str, Any]] = []

    async def note(fact: dict[str, Any]) -> None:
        seen.append(fact)

    assert await deliver(shelf.db, {"tag.moved": [note]}) == 2
    assert await deliver(shelf.db, {"tag.moved": [note]}) == 0
    assert [(fact["tag"], fact["to"], fact["from"]) for fact in seen] == [("latest", named, None)]


async def test_a_handler_that_fails_gets_the_fact_three_times(client: httpx.AsyncClient, shelf: Any) -> None:
    await push_image(client, "a")
    tries: list[str] = []

    async def fail(fact: dict[str, Any]) -> None:
        tries.append(fact["kind"])
        raise ValueError

    for _ in range(5):
        await deliver(shelf.db, {"manifest.pushed": [fail]})
        async with shelf.db.connection() as connection:
            await connection.execute("UPDATE outbox SET due = clock_timestamp()")
    assert tries == ["manifest.pushed"] * 3


async def test_the_worker_sweeps_and_ends_when_told(client: httpx.AsyncClient, shelf: Any, server: Any) -> None:
    named = await push_blob(client, "a", b"garbage")
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(shelf, server.access().realm, PAUSES, stop))
    while (await client.get(f"/v2/a/blobs/{named}")).status_code == 200:  # noqa: ASYNC110 - let the worker run
        await asyncio.sleep(0)
    stop.set()
    await task
    assert (await client.head(f"/v2/a/blobs/{named}")).status_code == 404


async def test_the_worker_waits_for_a_database_that_is_gone(
    shelf: Any, monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    stop, tries = asyncio.Event(), []

    async def gone(*_: Any) -> int:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise Unavailable("The database does not answer.") if len(tries) % 2 else ValueError

    monkeypatch.setattr(worker, "deliver", gone)
    await worker.run(shelf, server.access().realm, PAUSES, stop)
    assert len(tries) == 3


async def test_a_referrer_without_its_subject_goes_after_its_time(client: httpx.AsyncClient, shelf: Any) -> None:
    subject = await push_image(client, "a", b"x")
    reference = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1}
    size = len((await client.get(f"/v2/a/manifests/{subject}")).content)
    referrer = await push_image(client, "a", reference="r", subject=reference | {"size": size})
    kept = await push_image(client, "a", b"y", reference="kept", subject=reference | {"size": size})
    assert (await client.delete("/v2/a/manifests/r")).status_code == 202
    assert (await client.delete(f"/v2/a/manifests/{subject}")).status_code == 202
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
        await connection.execute("UPDATE manifests SET pushed_at = 'epoch'")
    await jobs.sweep(shelf)
    assert (await client.get(f"/v2/a/manifests/{referrer}")).status_code == 404
    assert (await client.get(f"/v2/a/manifests/{kept}")).status_code == 200


async def test_a_former_child_that_is_pulled_by_digest_stays(client: httpx.AsyncClient, shelf: Any) -> None:
    child = await push_image(client, "a", b"x", reference="c")
    size = len((await client.get(f"/v2/a/manifests/{child}")).content)
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": size}
    index = b'{"schemaVersion":2,"manifests":[%s]}' % str(entry).replace("'", '"').encode()
    media_type = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
    assert (await client.put("/v2/a/manifests/i", content=index, headers=media_type)).status_code == 201
    assert (await client.delete("/v2/a/manifests/c")).status_code == 202
    assert (await client.delete(f"/v2/a/manifests/{digest(index)}")).status_code == 202
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
        await connection.execute("UPDATE manifests SET pushed_at = 'epoch'")
    assert (await client.get(f"/v2/a/manifests/{child}")).status_code == 200
    await jobs.sweep(shelf)
    assert (await client.get(f"/v2/a/manifests/{child}")).status_code == 200
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
        await connection.execute("UPDATE manifests SET pulled_at = 'epoch'")
    await jobs.sweep(shelf)
    assert (await client.get(f"/v2/a/manifests/{child}")).status_code == 200


async def test_an_expired_upload_leaves_nothing(client: httpx.AsyncClient, shelf: Any) -> None:
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    await client.patch(place, content=b"half")
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE uploads SET expires_at = clock_timestamp()")
    await jobs.sweep(shelf)
    assert (await client.get(place)).status_code == 404
    assert list(shelf.store.keys()) == []
