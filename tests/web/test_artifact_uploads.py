"""Artifacts sent in one piece."""

import base64
import json

import pytest

from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import GATI_MANIFEST, GATI_MANIFEST_LAYER
from tests.pushing import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, digest
from tests.web.layouts import Piece, packed, post
from tests.web.spaces import Org


@pytest.fixture(autouse=True)
async def _no_blobs(org: Org) -> None:
    """No row tells of a blob in the storage of another test."""
    await org.town.run("TRUNCATE blobs, uploads, doomed, review CASCADE")


def path(org: Org, name: str = "hello", version: str = "1.0.0") -> str:
    """Where an artifact of the organisation goes."""
    return f"/v1/artifacts/{org.slug}/{name}/{version}"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
async def test_a_layout_is_published_like_any_push_and_the_receipt_says_so(org: Org, mode: str) -> None:
    piece = Piece("hello")
    answer = await post(org.town, path(org), packed(piece.files, mode), org.writer)
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["location"] == f"/v1/artifacts/orgs~{org.slug}/hello/1.0.0"
    assert answer.headers["location"] == f"/v1/uploads/{receipt['uploadId']}"
    shown = await org.town.call("GET", answer.headers["location"], key=org.writer)
    assert (shown.status_code, shown.json()["uploadId"]) == (200, receipt["uploadId"])
    for one, status in ((org.reader, 404), (org.stranger, 404), (None, 401)):
        assert (await org.town.call("GET", answer.headers["location"], key=one)).status_code == status
    metadata = await org.town.call("GET", f"{path(org)}/metadata", key=org.writer)
    assert (metadata.json()["digest"], metadata.json()["type"]) == (digest(piece.manifest), "module-external")
    stored = await org.town.call("GET", f"{path(org)}/manifest", key=org.writer)
    assert stored.content == piece.config


async def test_the_same_body_again_is_the_same_upload(org: Org) -> None:
    body = packed(Piece("hello").files)
    first, second = [(await post(org.town, path(org), body, org.writer)) for _ in range(2)]
    assert (first.status_code, first.json()) == (202, second.json())
    changed = packed(Piece("hello", more={"description": "Another"}).files)
    refused = await post(org.town, path(org), changed, org.writer)
    assert (refused.status_code, refused.json()["code"]) == (409, "ARTIFACT_ALREADY_EXISTS")


async def test_a_body_of_another_digest_leaves_nothing_behind(org: Org) -> None:
    piece = Piece("hello")
    wrong = digest(b"something else")
    answer = await post(org.town, path(org), packed(piece.files), org.writer, X_Artifact_Digest=wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "DIGEST_MISMATCH")
    assert await org.town.run("SELECT count(*) FROM blob_links") == 0
    assert await org.town.run("SELECT count(*) FROM uploads WHERE state = 'open'") == 0
    missing = await org.town.call("GET", path(org), key=org.writer)
    assert missing.status_code == 404


async def test_a_signature_is_kept_beside_the_artifact_and_verified_by_nobody(org: Org) -> None:
    body = packed(Piece("hello").files)
    text = base64.b64encode(b"a signature").decode()
    for _ in range(2):
        answer = await post(org.town, path(org), body, org.writer, X_Signature=text)
        assert answer.status_code == 202, answer.text
    found = (await org.town.call("GET", f"{path(org)}/signatures", key=org.writer)).json()
    assert found["verified"] is False
    assert [one["artifactType"] for one in found["items"]] == ["application/vnd.gati.signature.v1"]
    bad = await post(org.town, path(org), body, org.writer, X_Signature="no base64 ?")
    assert bad.status_code == 400


async def test_only_writers_send_and_a_key_for_reading_does_not(org: Org) -> None:
    body = packed(Piece("hello").files)
    for one, status in ((org.reader, 403), (org.stranger, 404), (None, 401)):
        assert (await post(org.town, path(org), body, one)).status_code == status


HOSTILE = {
    "no layout": {"index.json": b"{}"},
    "no index": {"oci-layout": b"{}"},
    "a stranger": Piece("hello").files | {"etc/passwd": b"x"},
    "an escape": Piece("hello").files | {"../x": b"x"},
    "no artifact": {"oci-layout": b"{}", "index.json": b'{"schemaVersion": 2, "manifests": []}'},
    "a lie": Piece("hello").files | {f"blobs/sha256/{'0' * 64}": b"x"},
    "two readings": {"oci-layout": b"{}", "index.json": b'{"schemaVersion": 2, "manifests": [], "manifests": []}'},
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_layout_of_an_artifact_is_refused_and_nothing_is_published(org: Org, name: str) -> None:
    answer = await post(org.town, path(org), packed(HOSTILE[name]), org.writer)
    assert answer.status_code == 400, answer.text
    assert answer.json()["suggestions"]
    assert await org.town.run("SELECT count(*) FROM releases") == 0
    assert await org.town.run("SELECT count(*) FROM uploads WHERE state = 'open'") == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"X_Artifact_Digest": "md5:x"}, 400),
        ({"X_Artifact_Digest": "sha512:" + "0" * 128}, 400),
    ],
)
async def test_what_a_body_is_must_be_said_rightly(org: Org, headers: dict[str, str], status: int) -> None:
    answer = await post(org.town, path(org), packed(Piece("hello").files), org.writer, **headers)
    assert answer.status_code == status


async def test_the_version_of_the_path_is_that_of_the_artifact(org: Org) -> None:
    body = packed(Piece("hello", "2.0.0").files)
    assert (await post(org.town, path(org), body, org.writer)).status_code == 400
    assert (await post(org.town, path(org, version="latest"), body, org.writer)).status_code == 400
    done = await post(org.town, path(org, version="2.0.0"), body, org.writer)
    assert (done.status_code, done.json()["status"]) == (202, "completed")


def runnable() -> dict[str, bytes]:
    """The layout of an image for two platforms, whose Gati manifest refers to it."""
    kind = BY_NAME["module-oci"]
    _, media_type, layer = kind.example_layers[0]
    blobs = {layer}
    children = []
    for architecture in ("amd64", "arm64"):
        config = json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}}).encode()
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind.artifact_type}
        parts = {"config": descriptor(config, kind.config_type), "layers": [descriptor(layer, media_type)]}
        raw = json.dumps(body | parts).encode()
        blobs |= {config, raw}
        children.append(descriptor(raw, OCI_MANIFEST) | {"platform": {"os": "linux", "architecture": architecture}})
    main = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": kind.artifact_type, "manifests": children}
    index = json.dumps(main).encode()
    gati = json.dumps(dict(kind.example) | {"name": "image", "version": "1.0.0"}).encode()
    referrer = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": GATI_MANIFEST,
            "config": descriptor(EMPTY, "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(gati, GATI_MANIFEST_LAYER)],
            "subject": descriptor(index, OCI_INDEX),
        }
    ).encode()
    blobs |= {index, gati, referrer, EMPTY}
    listed = [descriptor(index, OCI_INDEX), descriptor(referrer, OCI_MANIFEST)]
    files = {f"blobs/{digest(one).replace(':', '/')}": one for one in blobs}
    top = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": top} | files


async def test_an_image_for_several_platforms_comes_with_what_refers_to_it(org: Org) -> None:
    answer = await post(org.town, path(org, "image"), packed(runnable()), org.writer)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] in {"received", "published"}
    layers = (await org.town.call("GET", f"{path(org, 'image')}/layers", key=org.writer)).json()["items"]
    assert {one["platform"]["architecture"] for one in layers} == {"amd64", "arm64"}
