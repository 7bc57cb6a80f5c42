"""The bytes of a version, as downloads give them."""

import io
import tarfile
from typing import Any

import httpx
import pytest

from tests.pushing import digest, push_blob
from tests.web.artifact_rows import Made, release

FIRST, SECOND = b"first " * 20_000, b"second"


async def made(client: httpx.AsyncClient, shelf: Any, one: Made) -> str:
    """A release whose layers are there; where its bytes are."""
    for layer in one.layers:
        await push_blob(client, one.repository, layer)
    async with shelf.db.connection() as connection:
        await release(connection, one)
        await connection.execute(
            "INSERT INTO refs (repo, parent, digest, role) SELECT m.repo, m.digest, d, 'blob' FROM manifests m "
            "JOIN repositories r ON r.id = m.repo, unnest($3::text[]) AS d WHERE r.name = $1 AND m.digest = $2",
            *(one.repository, digest(one.raw), list({digest(layer) for layer in one.layers})),
        )
    home, _, name = one.repository.rpartition("/")
    return f"/v1/artifacts/{home.replace('/', '~')}/{name}/{one.version}"


@pytest.mark.parametrize("content", [FIRST, SECOND])
async def test_a_single_layer_comes_as_it_is_whole_or_in_part(
    client: httpx.AsyncClient, shelf: Any, content: bytes
) -> None:
    path = await made(client, shelf, Made("users/alice/hello", layers=(content,)))
    whole = await client.get(path)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["docker-content-digest"] == digest(content)
    assert whole.headers["content-disposition"].startswith("attachment; ")
    part = await client.get(path, headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(content)}"
    other = await client.get(path, headers={"Range": "bytes=2-5", "If-Range": '"another"'})
    assert other.content == content
    assert (await client.get(path, headers={"Range": "bytes=999999-"})).status_code == 416
    assert (await client.get(path, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
    head = await client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(content)))


async def test_several_layers_come_as_one_tar_the_same_each_time(client: httpx.AsyncClient, shelf: Any) -> None:
    path = await made(client, shelf, Made("users/alice/hello", layers=(FIRST, SECOND, FIRST)))
    answers = [await client.get(path) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].content == answers[1].content
    assert int(answers[0].headers["content-length"]) == len(answers[0].content)
    with tarfile.open(fileobj=io.BytesIO(answers[0].content)) as archive:
        found = {one.name: one for one in archive.getmembers()}
        assert set(found) == {digest(one).replace(":", "-") for one in (FIRST, SECOND)}
        for one in (FIRST, SECOND):
            member = archive.extractfile(found[digest(one).replace(":", "-")])
            assert member is not None
            assert member.read() == one
        assert {(one.mtime, one.uid, one.uname) for one in found.values()} == {(0, 0, "")}
    assert (await client.get(path, headers={"If-None-Match": answers[0].headers["etag"]})).status_code == 304
    assert (await client.head(path)).headers["content-length"] == answers[0].headers["content-length"]


@pytest.mark.parametrize(("state", "status"), [("received", 200), ("rejected", 403), ("unpublished", 410)])
async def test_what_is_not_published_is_no_download(
    client: httpx.AsyncClient, shelf: Any, state: str, status: int
) -> None:
    path = await made(client, shelf, Made("users/alice/hello", state=state))
    answer = await client.get(path)
    assert answer.status_code == status
    if status == 410:
        assert answer.json()["code"] == "VERSION_UNPUBLISHED"
