"""`serve` as its operator meets it: starting, refusing to start, stopping, being killed."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import asyncpg
import httpx
import pytest

from registry.admin.healthy import is_healthy
from registry.config import load
from tests.admin.conftest import Serve, command


def push_blob(url: str, content: bytes, digest: str) -> httpx.Response:
    return httpx.post(
        f"{url}/v2/demo/blobs/uploads/",
        params={"digest": digest},
        content=content,
        headers={"Content-Type": "application/octet-stream"},
    )


HELLO = (b"hello", "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")


def has_postgres(data: Path) -> bool:
    """Whether a server process of this data directory is alive."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(data / "pg").encode() in entry.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_one_command_starts_a_registry_and_says_where(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    place = served.url.removeprefix("http://")
    assert httpx.get(f"{served.url}/v2/").status_code == 200
    assert f"data in     {tmp_path}/data" in served.banner
    assert "everybody on this machine" in served.banner
    assert f"docker push {place}/" in served.banner
    assert f"oras push --plain-http {place}/" in served.banner
    assert f"curl {served.url}/v2/_catalog" in served.banner


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_its_database(serve: Serve, tmp_path: Path, number: signal.Signals) -> None:
    served = serve()
    assert has_postgres(tmp_path / "data")
    assert served.end(number) == 0
    assert not has_postgres(tmp_path / "data")
    assert not (tmp_path / "data" / "pg" / "postmaster.pid").exists()


def test_content_is_there_after_a_stop_and_after_a_kill(serve: Serve) -> None:
    first = serve()
    assert push_blob(first.url, *HELLO).status_code == 201
    first.end()
    second = serve()
    assert httpx.get(f"{second.url}/v2/demo/blobs/{HELLO[1]}").content == HELLO[0]
    second.end(signal.SIGKILL)
    third = serve()
    assert httpx.get(f"{third.url}/v2/demo/blobs/{HELLO[1]}").content == HELLO[0]


def test_several_processes_share_port_database_and_storage(serve: Serve) -> None:
    served = serve(WEB_PROCESSES="2")
    assert push_blob(served.url, *HELLO).status_code == 201
    answers = [httpx.get(f"{served.url}/v2/demo/blobs/{HELLO[1]}").content for _ in range(20)]
    assert set(answers) == {HELLO[0]}
    assert served.end() == 0


def test_the_processes_of_a_killed_parent_leave_the_port_to_the_next(serve: Serve) -> None:
    first = serve(WEB_PROCESSES="2")
    assert httpx.get(f"{first.url}/v2/").status_code == 200
    first.end(signal.SIGKILL)
    second = serve(PORT=first.url.rpartition(":")[2], WEB_PROCESSES="2")
    assert second.url == first.url
    assert httpx.get(f"{second.url}/v2/").status_code == 200


def test_metrics_of_all_processes_are_added_up_on_their_own_port(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = serve(WEB_PROCESSES="2", METRICS_PORT=str(port))
    for _ in range(10):
        httpx.get(f"{served.url}/v2/")
    counted = 'http_requests_total{method="GET",route="version",status="200"} 10.0'
    while (
        counted not in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    ):  # answers from memory count within a second
        continue


def test_settings_may_come_from_a_file(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "gati.toml"
    file.write_text(f'gati_data_dir = "{tmp_path}/elsewhere"\nweb_processes = 2\n')
    served = serve("--config", str(file), GATI_DATA_DIR="")
    assert f"data in     {tmp_path}/elsewhere" in served.banner
    assert httpx.get(f"{served.url}/v2/").status_code == 200


def test_a_second_one_on_the_same_data_is_refused(serve: Serve, tmp_path: Path) -> None:
    first = serve()
    ended = command(["serve"], {"PORT": "0", "GATI_DATA_DIR": str(tmp_path / "data")})
    assert ended.status == 1
    assert f"in use by process {first.process.pid}" in ended.err
    assert httpx.get(f"{first.url}/v2/").status_code == 200


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = command(["serve"], {"PORT": port, "GATI_DATA_DIR": str(tmp_path / "data")})
    assert ended.status == 1
    assert ended.err.startswith(
        f"gati-registry: Port {port} of 127.0.0.1 cannot be listened on: address already in use."
    )
    assert not has_postgres(tmp_path / "data")


def test_a_data_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = command(["serve"], {"PORT": "0", "GATI_DATA_DIR": str(tmp_path / "file" / "data")})
    assert ended.status == 1
    assert f"The data directory {tmp_path}/file/data cannot be written: Not a directory." in ended.err


def test_a_storage_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    places = {"GATI_DATA_DIR": str(tmp_path / "data"), "STORAGE_URL": str(tmp_path / "file" / "blobs")}
    ended = command(["serve"], {"PORT": "0"} | places)
    assert ended.status == 1
    assert f"The storage directory {tmp_path}/file/blobs cannot be written" in ended.err


def test_bad_settings_end_it_with_status_2_and_all_their_names(tmp_path: Path) -> None:
    ended = command(["serve"], {"PORT": "many", "GRACE": "some", "GATI_DATA_DIR": str(tmp_path / "data")})
    assert ended.status == 2
    assert [line.split(":")[1] for line in ended.err.splitlines()] == [" PORT", " GRACE"]
    assert not (tmp_path / "data").exists()


def test_an_address_that_others_reach_is_refused_unless_access_is_written(tmp_path: Path) -> None:
    ended = command(["serve"], {"HOST": "0.0.0.0", "PORT": "0", "GATI_DATA_DIR": str(tmp_path / "data")})
    assert ended.status == 2
    assert "ACCESS=open" in ended.err
    assert not (tmp_path / "data").exists()


def test_an_open_registry_on_all_addresses_says_what_that_means(serve: Serve) -> None:
    served = serve(HOST="0.0.0.0", ACCESS="open")
    assert "EVERYBODY WHO REACHES THIS ADDRESS" in served.banner
    assert "pull, push and delete everything without a password" in served.banner
    assert httpx.get(f"{served.url}/v2/").status_code == 200


def test_a_closed_registry_says_so(serve: Serve) -> None:
    served = serve(ACCESS="closed")
    assert "those who have accounts" in served.banner
    assert httpx.get(f"{served.url}/v2/").status_code == 401


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    chain, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "90", *kind, *subject, "-keyout", key, "-out", chain],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("openssl makes no certificate here")
    return chain, key


def test_a_certificate_turns_on_https(serve: Serve, certificate: tuple[str, str], tmp_path: Path) -> None:
    served = serve(TLS_CERTIFICATE=certificate[0], TLS_KEY=certificate[1])
    assert served.url.startswith("https://")
    assert "--plain-http" not in served.banner
    where = {"PORT": served.url.rpartition(":")[2], "TLS_CERTIFICATE": certificate[0], "TLS_KEY": certificate[1]}
    assert is_healthy(load(where))
    doctor = command(["doctor"], where | {"GATI_DATA_DIR": str(tmp_path / "data")})
    assert "TLS: the certificate is good until" in doctor.out
    with httpx.Client(verify=ssl.create_default_context(cafile=certificate[0])) as client:
        assert client.get(f"{served.url}/v2/").status_code == 200


def test_a_certificate_without_its_key_is_a_sentence(certificate: tuple[str, str], tmp_path: Path) -> None:
    settings = {"PORT": "0", "TLS_CERTIFICATE": certificate[0], "GATI_DATA_DIR": str(tmp_path / "data")}
    wrong = command(["serve"], settings | {"TLS_KEY": certificate[0]})
    absent = command(["serve"], settings | {"TLS_KEY": str(tmp_path / "none.pem")})
    assert (wrong.status, absent.status) == (1, 1)
    assert "TLS_CERTIFICATE and TLS_KEY cannot be used" in wrong.err
    assert "TLS_CERTIFICATE and TLS_KEY cannot be read: No such file" in absent.err


def test_postgres_that_is_killed_comes_back_by_itself(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    assert push_blob(served.url, *HELLO).status_code == 201
    pid = int((tmp_path / "data" / "pg" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)
    statuses: list[int] = []
    with httpx.Client(timeout=30) as client:
        while not statuses or statuses[-1] != 200:
            statuses.append(client.get(f"{served.url}/v2/demo/blobs/{HELLO[1]}").status_code)
            assert len(statuses) < 10_000
    assert set(statuses) <= {200, 503}
    assert served.process.poll() is None


async def make_database(url: str, name: str) -> str:
    admin = await asyncpg.connect(url)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    head, _, tail = url.partition("@/")
    return f"{head}@/{name}?{tail.partition('?')[2]}"


@pytest.fixture
def external(database_url: str, worker_id: str) -> str:
    """The URL of an empty database on a server that `serve` did not start."""
    return asyncio.run(make_database(database_url, f"{worker_id}_external"))


def test_an_external_database_is_migrated_by_migrate_alone(serve: Serve, external: str) -> None:
    refused = command(["serve"], {"PORT": "0", "DATABASE_URL": external})
    assert refused.status == 1
    assert "run gati-registry migrate first" in refused.err
    assert "0001_content" in refused.err
    assert "applied 0001_content" in command(["migrate"], {"DATABASE_URL": external}).out
    assert command(["migrate"], {"DATABASE_URL": external}).out == "The schema is current.\n"
    served = serve(DATABASE_URL=external)
    assert httpx.get(f"{served.url}/ready").status_code == 200


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://gati:s3cret-word@127.0.0.1:1/gati", "connection refused"),
        ("postgresql://gati:s3cret-word@127.0.0.1:notaport/gati", "DATABASE_URL is no URL"),
        ("postgresql://gati:s3cret-word@/gati?host=/nowhere", "no such file"),
    ],
)
def test_a_database_that_does_not_answer_is_a_sentence_without_the_password(url: str, reason: str) -> None:
    ended = command(["serve"], {"PORT": "0", "DATABASE_URL": url})
    assert ended.status == 1
    assert reason in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "s3cret" not in ended.err


def test_the_log_is_one_json_object_a_line(serve: Serve) -> None:
    served = serve(LOG_LEVEL="info")
    httpx.get(f"{served.url}/v2/", headers={"X-Request-Id": "asked-for", "Authorization": "Bearer s3cret-word"})
    served.end()
    lines = [json.loads(line) for line in served.log().splitlines()]
    assert any(line.get("request_id") == "asked-for" for line in lines)
    assert "s3cret" not in served.log()


def test_what_a_command_started_for_itself_is_stopped_again(serve: Serve, tmp_path: Path) -> None:
    serve().end()
    assert command(["fsck"], {"GATI_DATA_DIR": str(tmp_path / "data")}).status == 0
    assert not has_postgres(tmp_path / "data")
