import json

import httpx

from tests.pushing import EMPTY, OCI_INDEX, OCI_MANIFEST, digest, image, push_blob, push_image, push_manifest


async def test_an_image_comes_back_byte_for_byte(client: httpx.AsyncClient) -> None:
    named = await push_image(client, "library/alpine", b"layer" * 1000)
    for reference in ("latest", named):
        answer = await client.get(f"/v2/library/alpine/manifests/{reference}")
        assert (answer.status_code, answer.content) == (200, image(b"layer" * 1000))
        assert answer.headers["docker-content-digest"] == named
        assert answer.headers["content-type"] == OCI_MANIFEST
        head = await client.head(f"/v2/library/alpine/manifests/{reference}")
        assert head.headers["content-length"] == str(len(answer.content))
    blob = await client.get(f"/v2/library/alpine/blobs/{digest(b'layer' * 1000)}")
    assert blob.content == b"layer" * 1000
    assert (await client.get("/v2/library/alpine/tags/list")).json() == {"name": "library/alpine", "tags": ["latest"]}
    assert (await client.get("/v2/_catalog")).json() == {"repositories": ["library/alpine"]}


async def test_a_chunked_upload_goes_on_where_it_stands(client: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 1000
    place = (await client.post("/v2/a/b/blobs/uploads/")).headers["location"]
    first = await client.patch(place, content=content[:1000], headers={"Content-Range": "0-999"})
    assert (first.status_code, first.headers["range"]) == (202, "0-999")
    wrong = await client.patch(place, content=content[2000:3000], headers={"Content-Range": "2000-2999"})
    assert (wrong.status_code, wrong.headers["range"], wrong.headers["location"]) == (416, "0-999", place)
    assert (await client.get(place)).headers["range"] == "0-999"
    assert (await client.patch(place, content=content[1000:])).status_code == 202
    for _ in range(2):
        closed = await client.put(place, params={"digest": digest(content)})
        assert closed.status_code == 201, closed.text
    assert (await client.get(f"/v2/a/b/blobs/{digest(content)}")).content == content
    assert (await client.get(place)).status_code == 404


async def test_a_wrong_digest_leaves_nothing(client: httpx.AsyncClient) -> None:
    place = (await client.post("/v2/a/blobs/uploads/")).headers["location"]
    wrong = digest(b"other")
    refused = await client.put(place, params={"digest": wrong}, content=b"content")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert (await client.get(place)).status_code == 404
    assert (await client.head(f"/v2/a/blobs/{wrong}")).status_code == 404


async def test_sha512_is_a_first_class_digest(client: httpx.AsyncClient) -> None:
    await push_blob(client, "a", EMPTY)
    content = b"sha512"
    named = await push_blob(client, "a", content, "sha512")
    assert (await client.get(f"/v2/a/blobs/{named}")).content == content
    raw = image(EMPTY)
    answer = await push_manifest(client, "a", raw, digest(raw, "sha512"))
    assert answer.headers["docker-content-digest"] == digest(raw, "sha512")
    assert (await client.get(f"/v2/a/manifests/{digest(raw, 'sha512')}")).content == raw


async def test_referrers_list_what_names_the_subject(client: httpx.AsyncClient) -> None:
    subject = await push_image(client, "a", b"x")
    reference = {"mediaType": OCI_MANIFEST, "digest": subject, "size": len(image(b"x"))}
    raw = image(subject=reference, artifactType="application/vnd.test", annotations={"k": "v\ud800"})
    answer = await push_manifest(client, "a", raw, digest(raw))
    assert answer.headers["oci-subject"] == subject
    listed = await client.get(f"/v2/a/referrers/{subject}")
    assert listed.headers["content-type"] == OCI_INDEX
    [found] = listed.json()["manifests"]
    assert found["digest"] == digest(raw)
    assert found["artifactType"] == "application/vnd.test"
    filtered = await client.get(f"/v2/a/referrers/{subject}", params={"artifactType": "application/other"})
    assert (filtered.json()["manifests"], filtered.headers["oci-filters-applied"]) == ([], "artifactType")


async def test_mount_links_a_blob_of_another_repository(client: httpx.AsyncClient) -> None:
    named = await push_blob(client, "a", b"shared")
    for query in ({"mount": named, "from": "a"}, {"mount": named}):
        assert (await client.post("/v2/b/blobs/uploads/", params=query)).status_code == 201
    assert (await client.delete(f"/v2/a/blobs/{named}")).status_code == 202
    assert (await client.head(f"/v2/a/blobs/{named}")).status_code == 404
    assert (await client.get(f"/v2/b/blobs/{named}")).content == b"shared"
    absent = await client.post("/v2/b/blobs/uploads/", params={"mount": digest(b"no"), "from": "nowhere"})
    assert absent.status_code == 202


async def test_deleting_keeps_what_others_hold(client: httpx.AsyncClient) -> None:
    child = await push_image(client, "a", b"x", reference="child")
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_MANIFEST, "digest": child, "size": len(image(b"x"))}],
        }
    ).encode()
    await push_manifest(client, "a", index, "all", OCI_INDEX)
    refused = await client.delete(f"/v2/a/manifests/{child}")
    assert (refused.status_code, "allow" in refused.headers) == (405, True)
    held = await client.delete(f"/v2/a/blobs/{digest(b'x')}")
    assert (held.status_code, "allow" in held.headers) == (405, True)
    assert (await client.delete("/v2/a/manifests/child")).status_code == 202
    assert (await client.get(f"/v2/a/manifests/{child}")).status_code == 200
    assert (await client.delete(f"/v2/a/manifests/{digest(index)}")).status_code == 202
    assert (await client.get("/v2/a/manifests/all")).status_code == 404


async def test_ranges_of_a_blob(client: httpx.AsyncClient) -> None:
    named = await push_blob(client, "a", b"0123456789")
    for asked, status, content, stated in (
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
    ):
        answer = await client.get(f"/v2/a/blobs/{named}", headers={"Range": asked})
        assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, stated)
    for asked in ("bytes=10-", "bytes=5-0", "bytes=-0"):
        answer = await client.get(f"/v2/a/blobs/{named}", headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */10")
