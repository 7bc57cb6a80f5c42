"""The storage goes away while the registry runs: a disk that is unmounted, a directory that is moved."""

import hashlib
from pathlib import Path

import httpx

from registry.infra.storage.directory import DirectoryStore
from registry.infra.storage.keys import upload_key

CONTENT = b"a blob"


async def test_a_storage_that_is_gone_is_503_until_it_is_back(client: httpx.AsyncClient, tmp_path: Path) -> None:
    session = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    digest = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    blob = (await client.post("/v2/a/blobs/uploads/", params={"digest": digest}, content=CONTENT)).headers["location"]
    storage, away = tmp_path / "data" / "storage", tmp_path / "away"
    storage.rename(away)
    storage.mkdir()  # what is left of a disk that is not mounted
    refused = [
        await client.get("/ready"),
        await client.post("/v2/a/blobs/uploads/"),
        await client.patch(session, content=b"a"),
        await client.get(blob),
    ]
    for answer in refused:
        assert answer.status_code == 503
        assert "The storage cannot be written" in answer.text
        assert "retry-after" in answer.headers
    assert list(storage.iterdir()) == []
    storage.rmdir()
    away.rename(storage)
    assert (await client.get("/ready")).status_code == 200
    assert (await client.get(blob)).content == CONTENT
    assert (await client.patch(session, content=b"a")).status_code == 202


async def test_what_is_to_be_removed_is_not_forgotten_while_the_storage_is_gone(tmp_path: Path) -> None:
    store, key = DirectoryStore(tmp_path / "storage", 0), upload_key("0" * 36)
    store.prepare()
    store.path(key).touch()
    store.root.rename(tmp_path / "away")
    assert not await store.unlink(key)
    (tmp_path / "away").rename(store.root)
    assert await store.unlink(key)
    assert not store.holds(key)
    assert await store.unlink(key)
