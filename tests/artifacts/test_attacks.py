"""Hostile artifacts pushed through /v2: refused with a reason and a place, at a bounded cost, and nothing stays."""

import gzip
import json
import tarfile
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from registry.artifacts.catalogue import BY_NAME
from registry.content import repositories
from tests.artifacts.making import entry, tar, tgz
from tests.artifacts.publishing import Artifact, described, publish, push_parts, put, reason, tags
from tests.pushing import OCI_MANIFEST, digest, push_blob, push_manifest

NODE = BY_NAME["module-node"]
ARCHIVE = NODE.layers[0].media_type
TABLES = ("manifests", "refs", "tags", "releases", "dependencies", "artifacts", "tombstones", "outbox", "repositories")
CODE = entry("dist/index.js", b"export default 1")


async def written(shelf: Any) -> dict[str, list[str]]:
    """All rows that a manifest leaves, as text."""
    async with shelf.db.connection() as connection:
        return {
            table: [row[0] for row in await connection.fetch(f"SELECT x::text FROM {table} x ORDER BY 1")]
            for table in TABLES
        }


@asynccontextmanager
async def unwritten(shelf: Any) -> AsyncIterator[None]:
    """Nothing is written meanwhile."""
    before = await written(shelf)
    yield
    assert await written(shelf) == before


def packed(data: bytes) -> Artifact:
    """A module whose code is this archive."""
    return Artifact(kind="module-node", layers=(("hello.tgz", ARCHIVE, data),))


def told(answer: httpx.Response) -> dict[str, Any]:
    """The detail of a refusal, which has all that a person needs."""
    error = answer.json()["errors"][0]
    assert error["message"].endswith(".")
    assert error["code"] == "MANIFEST_INVALID"
    assert error["detail"]["suggestion"]
    found: dict[str, Any] = error["detail"]
    return found


ARCHIVES = {
    "a path out of the folder": tgz(CODE, entry("../../evil.js", b"x")),
    "an absolute path": tgz(CODE, entry("/etc/cron.d/evil", b"x")),
    "a path with backslashes": tgz(CODE, entry("..\\evil.js", b"x")),
    "a link out of the folder": tgz(CODE, entry("etc", kind=tarfile.SYMTYPE, linkname="/etc")),
    "a hard link": tgz(CODE, entry("passwd", kind=tarfile.LNKTYPE, linkname="dist/index.js")),
    "a device": tgz(CODE, entry("sda", kind=tarfile.BLKTYPE)),
    "a pipe": tgz(CODE, entry("pipe", kind=tarfile.FIFOTYPE)),
    "a file that runs as root": tgz(CODE, entry("su", b"x", mode=0o4755)),
    "a file twice": tgz(CODE, CODE),
    "a file twice, where case is one": tgz(CODE, entry("DIST/index.js", b"evil")),
    "another archive behind its end": tgz(CODE) + tgz(entry("evil.js", b"x")),
    "bytes behind its end": gzip.compress(tar([CODE]) + b"evil" * 600),
    "an end in the middle": tgz(CODE)[:-20],
    "a path that a second header gives it": tgz(CODE, entry("ok", b"x", pax_headers={"path": "../evil.js"})),
    "no archive at all": b"MZ" + bytes(200),
}


async def test_an_archive_that_does_harm_where_it_is_unpacked_is_refused(client: httpx.AsyncClient, shelf: Any) -> None:
    for data in ARCHIVES.values():
        await push_parts(client, packed(data))
    async with unwritten(shelf):
        for name, data in ARCHIVES.items():
            answer = await put(client, packed(data))
            assert answer.status_code == 400, name
            detail = told(answer)
            assert (detail["document"], detail["pointer"]) == ("layer", "/layers/0"), name


def deep(levels: int) -> bytes:
    return b'{"name":"hello","version":"1.0.0","config":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


GOOD = json.dumps(dict(BY_NAME["module-external"].example) | {"name": "hello", "version": "1.0.0"})
CONFIGS: dict[str, tuple[bytes, str]] = {
    "a key twice": (GOOD.replace('"version"', '"version": "9.0.0", "version"').encode(), ""),
    "not a number": (GOOD.replace('"1.0.0"', "NaN").encode(), ""),
    "a number that is too large": (GOOD.replace('"1.0.0"', "1e999").encode(), ""),
    "no end of brackets": (deep(5000), ""),
    "two documents": ((GOOD + GOOD).encode(), ""),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), ""),
    "no UTF-8": (GOOD.encode().replace(b"hello", b"hel\xff"), ""),
    "half a character": (GOOD.replace('"hello"', '"hel\\ud800"').encode(), ""),
    "the character that ends texts": (GOOD.replace('"hello"', '"hello\\u0000"').encode(), ""),
    "a list": (b"[]", ""),
    "nothing": (b"", ""),
    "another name": (GOOD.replace('"hello"', '"goodbye"').encode(), "/name"),
    "a name that climbs": (GOOD.replace('"hello"', '"../hello"').encode(), "/name"),
    "another version": (GOOD.replace('"1.0.0"', '"1.0.1"').encode(), "/version"),
    "no version": (GOOD.replace('"1.0.0"', '"latest"').encode(), "/version"),
    "values without end": (GOOD[:-1].encode() + b', "x": [' + b"1," * 150_000 + b"1]}", ""),
}


def configured(raw: bytes) -> tuple[bytes, bytes]:
    """An OCI manifest of a module with this Gati manifest, and that."""
    kind = BY_NAME["module-external"]
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind.artifact_type,
        "config": described(raw, kind.config_type),
        "layers": [described(b"{}", "application/vnd.oci.empty.v1+json")],
    }
    return json.dumps(body).encode(), raw


async def test_a_gati_manifest_with_two_readings_or_of_something_else_is_refused(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    for content in (b"{}", *(raw for raw, _ in CONFIGS.values())):
        await push_blob(client, "users/alice/hello", content)
    async with unwritten(shelf):
        for name, (raw, pointer) in CONFIGS.items():
            answer = await push_manifest(client, "users/alice/hello", configured(raw)[0], "1.0.0")
            assert answer.status_code == 400, name
            detail = told(answer)
            assert detail["pointer"] == pointer or detail["pointer"].startswith("/config"), name
            assert len(json.dumps(detail)) < 2000, name


async def peak_of(action: Callable[[], Any]) -> tuple[Any, int]:
    """What an action answers, and the bytes of memory that it took at once beside what was there."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        answer = await action()
        return answer, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


async def test_a_bomb_is_not_expanded_in_the_push(client: httpx.AsyncClient, shelf: Any) -> None:
    bomb = gzip.compress(tar([CODE, entry("zeros", bytes(60 << 20))]), 9)
    assert len(bomb) < 64 << 10
    artifact = packed(bomb)
    await push_parts(client, artifact)
    answer, size = await peak_of(lambda: put(client, artifact))
    assert size < 8 << 20
    assert answer.status_code in {201, 400}
    async with shelf.db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM releases WHERE state = 'published'") == 0
    assert await published(client) == []


async def published(client: httpx.AsyncClient) -> list[str]:
    """The versions that /v1 shows as published."""
    answer = await client.get("/v1/artifacts/users~alice/hello/versions")
    return [one["version"] for one in answer.json().get("items", ()) if one["state"] == "published"]


@pytest.mark.parametrize("name", ["no end of brackets", "values without end"])
async def test_a_gati_manifest_costs_no_more_than_its_limit_allows(client: httpx.AsyncClient, name: str) -> None:
    manifest, config = configured(CONFIGS[name][0])
    for content in (config, b"{}"):
        await push_blob(client, "users/alice/hello", content)
    answer, size = await peak_of(lambda: push_manifest(client, "users/alice/hello", manifest, "1.0.0"))
    assert answer.status_code == 400
    assert size < 48 << 20


async def test_a_graph_is_cut_off_at_its_limit_and_what_names_itself_is_a_circle(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    many = [{"name": f"@alice/dep-{number}", "version": "*"} for number in range(1001)]
    itself = [{"name": "@alice/hello", "version": "^1.0.0"}]
    absent = [{"name": "@alice/absent", "version": "^1.0.0"}]
    for needs, status in ((many, 400), (itself, 422), (absent, 422)):
        artifact = Artifact(more={"dependencies": needs})
        await push_parts(client, artifact)
        async with unwritten(shelf):
            answer = await put(client, artifact)
            assert answer.status_code == status, answer.text
            assert told(answer)["pointer"] in {"", "/dependencies", "/dependencies/0", "/dependencies/0/name"}


async def test_what_a_manifest_says_of_its_content_is_not_believed(client: httpx.AsyncClient, shelf: Any) -> None:
    good = Artifact(kind="module-binary")
    await push_parts(client, good)
    platform = dict(good.row.example["config"]["platforms"][0])
    lies = {
        "/config/platforms/0/sha256": replace(good, more={"config": platforms(platform | {"sha256": "0" * 64})}),
        "/config/platforms/0/arch": replace(good, more={"config": platforms(platform | {"arch": "arm64"})}),
        "/annotations/org.opencontainers.image.version": replace(
            good, annotations={"org.opencontainers.image.version": "2.0.0"}
        ),
    }
    for pointer, artifact in lies.items():
        await push_parts(client, artifact)
        async with unwritten(shelf):
            answer = await put(client, artifact)
            assert (answer.status_code, told(answer)["pointer"]) == (400, pointer)


def platforms(*found: dict[str, Any]) -> dict[str, Any]:
    return {"type": "binary", "platforms": list(found)}


async def test_a_type_is_what_the_artifact_is_and_not_what_it_is_called(client: httpx.AsyncClient, shelf: Any) -> None:
    body = json.loads(Artifact().raw)
    await push_parts(client, Artifact())
    await push_parts(client, Artifact(kind="plugin"))
    for kind in ("plugin", "module-node", "module-wasm"):
        other = body | {"artifactType": BY_NAME[kind].artifact_type}
        async with unwritten(shelf):
            answer = await push_manifest(client, "users/alice/hello", json.dumps(other).encode(), "1.0.0")
            assert (answer.status_code, told(answer)["pointer"]) == (400, "/config/mediaType")


async def test_lists_tell_what_the_content_says_and_not_what_annotations_claim(client: httpx.AsyncClient) -> None:
    claimed = {
        "org.opencontainers.image.description": "<script>claimed</script>",
        "org.opencontainers.image.title": "claimed",
        "org.opencontainers.image.licenses": "claimed",
        "org.opencontainers.image.version": "1.0.0",
        "org.opencontainers.image.authors": "claimed",
    }
    await publish(client, Artifact(more={"description": "what it is", "license": "MIT"}, annotations=claimed))
    for path in (
        "/v1/artifacts/users~alice/hello",
        "/v1/artifacts/users~alice/hello/versions",
        "/v1/search?query=hello",
    ):
        answer = await client.get(path)
        assert "what it is" in answer.text
        assert "claimed" not in answer.text


async def test_a_version_names_the_same_bytes_for_ever(client: httpx.AsyncClient, shelf: Any) -> None:
    first = Artifact()
    named = await publish(client, first, tags=())
    other = replace(first, more={"description": "other bytes"})
    await push_parts(client, other)
    plain = json.dumps(json.loads(first.raw) | {"artifactType": "application/x-plain"}).encode()
    async with unwritten(shelf):
        assert reason(await put(client, other)) == (409, "ARTIFACT_ALREADY_EXISTS", None)
        by_digest = await put(client, other, other.digest, ("1.0.0",))
        assert (by_digest.status_code, reason(by_digest)[1]) == (409, "ARTIFACT_ALREADY_EXISTS")
        for reference, asked in (
            ("1.0.0", ()),
            ("latest", ()),
            (digest(plain), ("1.0.0",)),
            (digest(plain), ("latest",)),
        ):
            answer = await client.put(
                f"/v2/users/alice/hello/manifests/{reference}",
                content=plain,
                headers={"Content-Type": OCI_MANIFEST},
                params=[("tag", tag) for tag in asked],
            )
            assert answer.status_code == 409, (reference, asked, answer.text)
    assert await tags(client) == {"1.0.0": named, "latest": named}


async def test_an_unpublished_version_is_gone_and_its_number_is_nobodys(client: httpx.AsyncClient) -> None:
    first, second = Artifact(), Artifact(version="1.1.0", more={"description": "the second"})
    gone, named = await publish(client, first), await publish(client, second)
    assert (await client.delete(f"/v2/users/alice/hello/manifests/{gone}")).status_code == 202
    for reference in (gone, "1.0.0"):
        for method in ("GET", "HEAD"):
            assert (await client.request(method, f"/v2/users/alice/hello/manifests/{reference}")).status_code == 404
    assert await tags(client) == {"1.1.0": named, "latest": named}
    for artifact in (first, replace(first, more={"description": "another"})):
        await push_parts(client, artifact)
        answer = await put(client, artifact)
        assert (answer.status_code, reason(answer)[1]) == (409, "VERSION_RETIRED")
    plain = json.dumps(json.loads(first.raw) | {"artifactType": "application/x-plain"}).encode()
    assert (await push_manifest(client, "users/alice/hello", plain, "1.0.0")).status_code == 409
    answer = await client.get("/v1/artifacts/users~alice/hello/1.0.0/metadata")
    assert answer.status_code == 410


async def test_a_repository_that_is_made_again_has_no_version_of_the_one_before(
    client: httpx.AsyncClient, shelf: Any
) -> None:
    first = Artifact()
    await publish(client, first)
    await repositories.delete(shelf, first.name, None)
    await push_parts(client, first)
    assert reason(await put(client, first))[:2] == (409, "VERSION_RETIRED")
    other = replace(first, more={"description": "of who has the name now"})
    await push_parts(client, other)
    assert reason(await put(client, other))[:2] == (409, "VERSION_RETIRED")
    await publish(client, replace(first, version="1.0.1"))
    assert await tags(client) == {
        "1.0.1": replace(first, version="1.0.1").digest,
        "latest": replace(first, version="1.0.1").digest,
    }


async def test_what_others_depend_on_is_not_taken_from_under_them(client: httpx.AsyncClient) -> None:
    needed = Artifact(name="users/alice/needed")
    named = await publish(client, needed)
    await publish(client, Artifact(more={"dependencies": [{"name": "@alice/needed", "version": "^1.0.0"}]}))
    for reference in (named, "1.0.0"):
        answer = await client.delete(f"/v2/users/alice/needed/manifests/{reference}")
        assert (answer.status_code, reason(answer)[1]) == (409, "HAS_DEPENDENTS")
        assert "users/alice/hello" in answer.text
    assert (await client.delete(f"/v2/users/alice/needed/blobs/{digest(needed.config)}")).status_code == 405
    assert (await client.get("/v2/users/alice/needed/manifests/1.0.0")).content == needed.raw
