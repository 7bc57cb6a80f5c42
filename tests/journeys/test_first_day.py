import json
import signal
from collections.abc import Callable

import httpx

from tests.journeys.conftest import Served
from tests.pushing import EMPTY, OCI_MANIFEST, digest, image


def push(client: httpx.Client, name: str, *layers: bytes, tag: str = "latest") -> bytes:
    for content in (EMPTY, *layers):
        place = client.post(f"/v2/{name}/blobs/uploads/").headers["location"]
        assert client.put(place, params={"digest": digest(content)}, content=content).status_code == 201
    raw = image(*layers)
    answer = client.put(f"/v2/{name}/manifests/{tag}", content=raw, headers={"Content-Type": OCI_MANIFEST})
    assert answer.status_code == 201, answer.text
    return raw


def test_what_was_pushed_is_there_after_a_stop_a_start_and_a_kill(serve: Callable[..., Served]) -> None:
    served = serve()
    with httpx.Client(base_url=served.url) as client:
        raw = push(client, "library/alpine", b"layer" * 100_000)
    for end in (served.stop, served.kill):
        end()
        served.start()
        with httpx.Client(base_url=served.url) as client:
            assert client.get("/v2/library/alpine/manifests/latest").content == raw
            assert client.get(f"/v2/library/alpine/blobs/{digest(b'layer' * 100_000)}").content == b"layer" * 100_000
    assert served.stop() == 0


def test_a_second_registry_on_the_same_directory_is_refused_in_words(serve: Callable[..., Served]) -> None:
    served = serve()
    refused = served.command("serve")
    assert refused.returncode != 0
    assert str(served.data) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_several_processes_share_everything(serve: Callable[..., Served]) -> None:
    served = serve(WEB_PROCESSES="2")
    content = bytes(range(256)) * 2000
    with httpx.Client(base_url=served.url) as client:
        place = client.post("/v2/a/blobs/uploads/").headers["location"]
    for at in range(0, len(content), 100_000):
        with httpx.Client(base_url=served.url) as client:
            piece = content[at : at + 100_000]
            assert client.patch(place, content=piece).headers["range"] == f"0-{at + len(piece) - 1}"
    with httpx.Client(base_url=served.url) as client:
        assert client.put(place, params={"digest": digest(content)}).status_code == 201
        assert client.get(f"/v2/a/blobs/{digest(content)}").content == content
        assert client.get("/metrics").status_code == 200
    assert served.signal(signal.SIGINT) == 0


def test_the_operator_sees_what_is_configured_and_what_is_lost(serve: Callable[..., Served]) -> None:
    served = serve(SMALL_BLOB="0")
    with httpx.Client(base_url=served.url) as client:
        push(client, "a", b"content")
    assert "FAIL" not in served.command("doctor").stdout
    assert json.loads(served.command("fsck", "--rehash", "--json").stdout)["missing"] == []
    [path] = (served.data / "storage" / "blobs").rglob(f"{digest(b'content')[7:]}-*")
    path.write_bytes(b"cOntent")
    assert served.command("fsck").returncode == 0
    damaged = served.command("fsck", "--rehash")
    assert (damaged.returncode, digest(b"content") in damaged.stdout) == (1, True)
    path.unlink()
    served.stop()
    lost = served.command("fsck")
    assert (lost.returncode, digest(b"content") in lost.stdout) == (1, True)


def test_bad_settings_are_all_told_at_once(serve: Callable[..., Served]) -> None:
    served = serve()
    served.settings |= {"PORT": "x", "ACCESS": "perhaps"}
    refused = served.command("serve")
    assert refused.returncode == 2
    assert "PORT" in refused.stderr
    assert "ACCESS" in refused.stderr
    served.settings |= {"PORT": "0", "ACCESS": "auto", "HOST": "0.0.0.0"}
    assert "ACCESS=open" in served.command("serve").stderr


def test_a_closed_registry_challenges_and_says_why(serve: Callable[..., Served]) -> None:
    served = serve(ACCESS="closed")
    with httpx.Client(base_url=served.url) as client:
        answer = client.get("/v2/")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")
        refused = client.get("/token", params={"service": "gati-registry"}, auth=("admin", "not the password"))
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
        token = client.get("/token", params={"service": "gati-registry"}).json()["token"]
        assert client.get("/v2/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
