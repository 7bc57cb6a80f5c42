import asyncio
import errno
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.content import jobs, sql_uploads, uploads
from registry.content.chunks import Chunk
from registry.infra.storage import directory, hashing
from registry.infra.storage.keys import upload_key
from tests.content.faults import Action, all_time_passes, before, everything_falls_due, lost_after, lost_before
from tests.pushing import digest, push_blob

CONTENT = bytes(range(256)) * 10
NAMED = digest(CONTENT)


async def opened(client: httpx.AsyncClient, content: bytes = b"") -> str:
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    if content:
        assert (await client.patch(place, content=content)).status_code == 202
    return str(place)


async def close(client: httpx.AsyncClient, place: str, content: bytes = b"") -> httpx.Response:
    return await client.put(place, params={"digest": NAMED}, content=content)


async def expect_whole(client: httpx.AsyncClient, shelf: Any) -> None:
    """The blob is there, once, and stays."""
    assert (await client.get(f"/v2/a/blobs/{NAMED}")).content == CONTENT
    await jobs.sweep(shelf, timedelta())
    assert (await client.get(f"/v2/a/blobs/{NAMED}")).content == CONTENT
    assert len(list(shelf.store.keys())) == 1


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


@pytest.mark.parametrize("lose", [lost_before, lost_after])
@pytest.mark.parametrize("step", ["finishing", "finish"])
async def test_a_final_put_whose_answer_was_lost_succeeds_when_it_comes_again(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Action], Action], step: str
) -> None:
    """Whether the commit came through or not, nobody knows: 503, and the same request again makes the blob."""
    place = await opened(client)
    monkeypatch.setattr(sql_uploads, step, lose(getattr(sql_uploads, step)))
    answer = await close(client, place, CONTENT)
    assert (refused(answer), "retry-after" in answer.headers) == ((503, "UNAVAILABLE"), True)
    for _ in range(2):
        assert (await close(client, place, CONTENT)).status_code == 201
    await expect_whole(client, shelf)


async def test_a_repeated_final_put_needs_no_bytes_once_they_are_complete(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT)
    monkeypatch.setattr(sql_uploads, "finish", lost_before(sql_uploads.finish))
    assert (await close(client, place)).status_code == 503
    assert (await close(client, place)).status_code == 201
    await expect_whole(client, shelf)


async def test_a_repeated_final_put_does_not_promise_a_blob_that_has_gone(client: httpx.AsyncClient) -> None:
    place = await opened(client, CONTENT)
    assert (await close(client, place)).status_code == 201
    assert (await client.delete(f"/v2/a/blobs/{NAMED}")).status_code == 202
    assert refused(await close(client, place)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_repeated_final_put_with_another_digest_is_refused(client: httpx.AsyncClient) -> None:
    place = await opened(client, CONTENT)
    assert (await close(client, place)).status_code == 201
    other = await client.put(place, params={"digest": digest(b"other")})
    assert refused(other) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_disk_that_is_full_at_the_rename_is_507_and_the_upload_goes_on(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    place = await opened(client, CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        assert refused(await close(client, place)) == (507, "STORAGE_FULL")
    assert (await client.head(f"/v2/a/blobs/{NAMED}")).status_code == 404
    assert (await close(client, place)).status_code == 201
    await expect_whole(client, shelf)


async def test_after_a_restart_of_the_machine_the_stored_bytes_are_read_again(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT[:100])
    monkeypatch.setattr(hashing, "_BOOT", b"another")
    file = shelf.store.path(upload_key(place.rpartition("/")[2]))
    file.write_bytes(b"x" * 100)
    assert refused(await close(client, place, CONTENT[100:])) == (400, "DIGEST_INVALID")
    place = await opened(client, CONTENT[:100])
    monkeypatch.setattr(hashing, "_BOOT", b"a third")
    assert (await close(client, place, CONTENT[100:])).status_code == 201
    await expect_whole(client, shelf)


async def test_a_database_that_fails_in_the_middle_of_an_upload_is_503_and_the_upload_goes_on(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT[:100])
    monkeypatch.setattr(sql_uploads, "advance", lost_before(sql_uploads.advance))
    answer = await client.patch(place, content=CONTENT[100:], headers={"Content-Range": f"100-{len(CONTENT) - 1}"})
    assert (refused(answer), answer.headers["retry-after"]) == ((503, "UNAVAILABLE"), "1")
    assert (await client.get(place)).headers["range"] == "0-99"
    assert (await close(client, place, CONTENT[100:])).status_code == 201
    await expect_whole(client, shelf)


async def test_a_database_that_fails_between_two_pieces_does_not_end_a_long_upload(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.content.uploads._RENEW_SECONDS", -1.0)
    monkeypatch.setattr(sql_uploads, "renew", lost_before(sql_uploads.renew))
    assert (await close(client, await opened(client), CONTENT)).status_code == 201
    await expect_whole(client, shelf)


async def test_an_upload_past_its_expiry_lives_while_it_is_written(client: httpx.AsyncClient, shelf: Any) -> None:
    place = await opened(client, CONTENT[:10])

    async def pieces() -> AsyncIterator[bytes]:
        yield CONTENT[10:20]
        await all_time_passes(shelf)
        yield CONTENT[20:]

    assert (await client.patch(place, content=pieces())).status_code == 202
    assert (await close(client, place)).status_code == 201
    await expect_whole(client, shelf)


async def test_an_upload_past_its_expiry_lives_while_its_final_put_comes_again(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT)
    monkeypatch.setattr(sql_uploads, "finish", lost_before(sql_uploads.finish))
    assert (await close(client, place)).status_code == 503
    monkeypatch.setattr(sql_uploads, "finish", before(sql_uploads.finish, lambda: all_time_passes(shelf)))
    assert (await close(client, place)).status_code == 201
    await expect_whole(client, shelf)


@pytest.mark.parametrize("full", [False, True])
async def test_an_upload_that_nobody_finishes_leaves_nothing(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """Before or after its bytes were moved."""

    async def stop(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    place = await opened(client, CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(directory, "_in_thread", stop) if full else None
        patch.setattr(sql_uploads, "finish", lost_before(sql_uploads.finish))
        assert (await close(client, place)).status_code == (507 if full else 503)
    await all_time_passes(shelf)
    assert list(shelf.store.keys()) == []
    assert (await close(client, place)).status_code == 404


async def test_a_patch_while_another_holds_the_session_is_503_and_later_taken(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT[:10])
    monkeypatch.setattr(directory, "_LOCK_SECONDS", -1.0)
    with shelf.store.path(upload_key(place.rpartition("/")[2])).open() as dead:
        fcntl.flock(dead, fcntl.LOCK_EX)
        answer = await client.patch(place, content=CONTENT[10:])
        assert (refused(answer), "retry-after" in answer.headers) == ((503, "UNAVAILABLE"), True)
        assert (await client.get(place)).headers["range"] == "0-9"
    assert (await client.patch(place, content=CONTENT[10:])).status_code == 202
    assert (await close(client, place)).status_code == 201


@pytest.mark.parametrize("forged", ["another upload's", "damaged", "cut", "empty", "none"])
async def test_a_hash_state_that_is_not_of_this_upload_is_never_used(
    client: httpx.AsyncClient, shelf: Any, forged: str
) -> None:
    """Whoever can write to that column can make an upload slower, not wrong."""
    other, place = await opened(client, CONTENT[1:101]), await opened(client, CONTENT[:100])
    async with shelf.db.connection() as connection:
        read = "SELECT hash_state FROM uploads WHERE id = $1"
        own, foreign = [await connection.fetchval(read, one.rpartition("/")[2]) for one in (place, other)]
        states = {"another upload's": foreign, "damaged": bytes([own[0] ^ 1]) + own[1:], "cut": own[:-1], "empty": b""}
        write = "UPDATE uploads SET hash_state = $2 WHERE id = $1"
        await connection.execute(write, place.rpartition("/")[2], states.get(forged))
    assert (await close(client, place, CONTENT[100:])).status_code == 201
    assert (await client.get(f"/v2/a/blobs/{NAMED}")).content == CONTENT


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("more", [-1, 1])
async def test_a_stream_of_another_length_than_its_range_leaves_the_session_where_it_is(
    client: httpx.AsyncClient, shelf: Any, method: str, more: int
) -> None:
    place = await opened(client, CONTENT[:100])

    async def stream() -> AsyncIterator[bytes]:
        yield CONTENT[100:]

    headers = {"Content-Range": f"100-{len(CONTENT) - 1 + more}"}
    answer = await client.request(method, place, params={"digest": NAMED}, content=stream(), headers=headers)
    assert refused(answer) == (400, "SIZE_INVALID")
    assert (await client.get(place)).headers["range"] == "0-99"
    assert (await close(client, place, CONTENT[100:])).status_code == 201
    await expect_whole(client, shelf)


async def test_a_patch_that_meets_a_cancel_leaves_nothing(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, locked = await opened(client), directory.DirectoryStore.locked

    @asynccontextmanager
    async def late(store: Any, *arguments: Any) -> AsyncIterator[int]:
        assert (await client.delete(place)).status_code == 204
        await jobs.sweep(shelf)
        async with locked(store, *arguments) as descriptor:
            yield descriptor

    monkeypatch.setattr(directory.DirectoryStore, "locked", late)
    assert refused(await client.patch(place, content=CONTENT)) == (404, "BLOB_UPLOAD_UNKNOWN")
    await everything_falls_due(shelf)
    assert list(shelf.store.keys()) == []


async def test_a_whole_blob_in_one_post_that_fails_leaves_no_session(client: httpx.AsyncClient, shelf: Any) -> None:
    """Nobody knows its name, so it would only count against the repository's limit."""
    object.__setattr__(shelf.policy, "max_blob_size", 5)

    async def stream() -> AsyncIterator[bytes]:
        yield CONTENT

    for content, status in ((b"wrong", 400), (stream(), 413)):
        answer = await client.post("/v2/a/blobs/uploads/", params={"digest": NAMED}, content=content)
        assert answer.status_code == status
    async with shelf.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM uploads") == 0
    await everything_falls_due(shelf)
    assert list(shelf.store.keys()) == []


async def test_a_post_without_any_body_opens_a_session(client: httpx.AsyncClient) -> None:
    """Curl and others send no Content-Length then."""
    request = client.build_request("POST", "/v2/a/blobs/uploads/", params={"digest": NAMED})
    request.headers.pop("content-length", None)
    answer = await client.send(request)
    assert answer.status_code == 202
    assert (await close(client, answer.headers["location"], CONTENT)).status_code == 201


async def test_bytes_under_two_algorithms_are_two_blobs_that_go_one_by_one(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    short, long = [await push_blob(client, "a", CONTENT, algorithm) for algorithm in ("sha256", "sha512")]
    assert (await client.delete(f"/v2/a/blobs/{short}")).status_code == 202
    await jobs.sweep(shelf, timedelta())
    await jobs.sweep(shelf, timedelta())
    assert (await client.get(f"/v2/a/blobs/{short}")).status_code == 404
    found = await client.get(f"/v2/a/blobs/{long}")
    assert (found.content, found.headers["docker-content-digest"]) == (CONTENT, long)


async def test_a_write_that_is_cancelled_ends_before_its_file_is_closed() -> None:
    """The number of a closed file soon belongs to another upload."""
    begun, go, done = threading.Event(), threading.Event(), []

    def write() -> None:
        begun.set()
        go.wait(30)
        done.append(True)

    task = asyncio.create_task(directory._in_thread(write))
    while not begun.is_set():  # noqa: ASYNC110 - let the thread begin
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
async def test_chunks_that_could_not_be_made_durable_are_gone(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The kernel reports a lost page once: a closing PUT that comes again must not find success in what is left."""
    place = await opened(client, CONTENT)
    monkeypatch.setattr(os, "fdatasync", failing_once(os.fdatasync, code))
    assert (await close(client, place)).status_code == (500 if code == errno.EIO else 507)
    assert refused(await close(client, place)) == (404, "BLOB_UPLOAD_UNKNOWN")
    await everything_falls_due(shelf)
    assert list(shelf.store.keys()) == []
    assert (await close(client, await opened(client), CONTENT)).status_code == 201


async def test_chunks_that_could_not_be_made_durable_are_gone_without_the_database(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await opened(client, CONTENT)
    monkeypatch.setattr(os, "fdatasync", failing_once(os.fdatasync, errno.EIO))
    monkeypatch.setattr(sql_uploads, "delete", lost_before(sql_uploads.delete))
    assert (await close(client, place)).status_code == 500
    assert refused(await close(client, place)) == (400, "DIGEST_INVALID")


async def test_a_folder_that_could_not_be_synced_is_synced_when_the_put_comes_again(
    client: httpx.AsyncClient, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, synced = await opened(client, CONTENT), list[Path]()
    folder = shelf.store.root / "blobs" / "sha256" / NAMED[7:9]
    folder.mkdir()
    shelf.store._synced.add(folder)

    def sync(path: Path) -> None:
        synced.append(path)
        if len(synced) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(directory, "_sync_directory", sync)
    assert (await close(client, place)).status_code == 500
    assert (await close(client, place)).status_code == 201
    assert synced == [folder, folder]
    await expect_whole(client, shelf)


def failing_once(call: Callable[[int], None], code: int) -> Callable[[int], None]:
    left = [code]

    def act(descriptor: int) -> None:
        if left:
            raise OSError(left.pop(), os.strerror(code))
        call(descriptor)

    return act


async def test_what_came_is_written_before_an_upload_that_is_cancelled_twice_ends(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of its descriptor is that of another upload as soon as it is closed."""
    came, writing, go_on = asyncio.Event(), threading.Event(), threading.Event()
    put = directory.UploadFile.put

    def slow(file: directory.UploadFile, piece: memoryview) -> None:
        writing.set()
        go_on.wait(10)
        put(file, piece)

    async def pieces() -> AsyncIterator[bytes]:
        yield CONTENT * 100
        came.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(directory.UploadFile, "put", slow)
    session = await uploads.start(shelf, "a", "anybody", "sha256")
    task = asyncio.ensure_future(uploads.append(shelf, session, Chunk(pieces())))
    await came.wait()
    task.cancel()
    await asyncio.to_thread(writing.wait, 10)
    task.cancel()
    await asyncio.sleep(0.05)
    is_over = task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_over
    assert (await uploads.status(shelf, session)).received == len(CONTENT) * 100
