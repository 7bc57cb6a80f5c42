"""The commands beside `serve`: what they print, and what their exit status says."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.admin.conftest import ROOT, Serve, Served, command, environment

CONTENT = b"a blob of some length"


def push(served: Served, content: bytes = CONTENT) -> str:
    """Push a blob; its digest."""
    begun = httpx.post(f"{served.url}/v2/demo/blobs/uploads/")
    assert begun.status_code == 202
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    url = httpx.URL(served.url).join(begun.headers["Location"])
    done = httpx.put(url, params={"digest": digest}, content=content)
    assert done.status_code == 201
    return digest


def push_image(served: Served, digest: str, size: int) -> str:
    """Push an image of one layer that is its own configuration; its digest."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size}
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": part, "layers": []}).encode()
    done = httpx.put(f"{served.url}/v2/demo/manifests/v1", content=body, headers={"Content-Type": kind})
    assert done.status_code == 201
    return "sha256:" + hashlib.sha256(body).hexdigest()


def settings_of(tmp_path: Path) -> dict[str, str]:
    return {"GATI_DATA_DIR": str(tmp_path / "data")}


def stored(tmp_path: Path, digest: str) -> Path:
    """The file of a blob."""
    encoded = digest.partition(":")[2]
    (found,) = (tmp_path / "data" / "storage" / "blobs").rglob(f"{encoded}-*")
    return found


def test_fsck_is_clean_beside_a_running_registry_and_after_it(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    push_image(served, push(served), len(CONTENT))
    beside = command(["fsck", "--rehash"], settings_of(tmp_path))
    assert beside.status == 0
    assert beside.out == "1 blobs and 1 manifests compared.\nNothing is lost.\n"
    assert served.end() == 0
    assert command(["fsck", "--rehash"], settings_of(tmp_path)).out == beside.out


def test_fsck_finds_a_blob_without_bytes(serve: Serve, tmp_path: Path) -> None:
    digest = push(serve())
    stored(tmp_path, digest).unlink()
    ended = command(["fsck"], settings_of(tmp_path))
    assert ended.status == 1
    assert f"missing: blob without bytes: {digest}" in ended.out
    assert ended.out.endswith("Content is lost.\n")


def test_fsck_finds_a_blob_of_another_length(serve: Serve, tmp_path: Path) -> None:
    digest = push(serve())
    with stored(tmp_path, digest).open("ab") as file:
        file.write(b"!")
    found = json.loads(command(["fsck", "--json"], settings_of(tmp_path)).out)
    assert (found["resized"], found["clean"]) == ([digest], False)


def test_fsck_finds_changed_bytes_when_it_reads_them(serve: Serve, tmp_path: Path) -> None:
    digest = push(serve())
    stored(tmp_path, digest).write_bytes(CONTENT[::-1])
    assert command(["fsck"], settings_of(tmp_path)).status == 0
    ended = command(["fsck", "--rehash", "--json"], settings_of(tmp_path))
    assert ended.status == 1
    assert json.loads(ended.out)["corrupt"] == [digest]


def test_fsck_reports_an_old_object_without_a_row_and_loses_nothing_by_it(serve: Serve, tmp_path: Path) -> None:
    known = stored(tmp_path, push(serve()))
    stray = known.with_name(known.name[:-36] + "00000000-0000-4000-8000-000000000000")
    young = known.with_name(known.name[:-36] + "00000000-0000-4000-8000-000000000001")
    for path in (stray, young):
        path.write_bytes(b"left behind")
    os.utime(stray, (1_000_000_000, 1_000_000_000))
    ended = command(["fsck", "--json"], settings_of(tmp_path))
    assert ended.status == 0
    assert json.loads(ended.out)["stray"] == [stray.relative_to(tmp_path / "data" / "storage").as_posix()]


def test_fsck_reports_references_that_are_allowed_to_lead_nowhere(serve: Serve, tmp_path: Path) -> None:
    served, absent = serve(SPARSE_MANIFESTS="all"), "sha256:" + "0" * 64
    parent = push_image(served, absent, 7)
    ended = command(["fsck"], settings_of(tmp_path))
    assert ended.status == 0
    assert f"absent: reference to content that is not here: demo@{parent}: {absent}" in ended.out


@pytest.mark.parametrize("name", ["fsck", "sweep"])
def test_there_is_nothing_to_look_at_before_the_first_start(name: str, tmp_path: Path) -> None:
    ended = command([name], settings_of(tmp_path))
    assert ended.status == 1
    assert f"There is no registry in {tmp_path}/data yet" in ended.err
    assert not (tmp_path / "data").exists()


def test_sweep_takes_what_is_due_and_says_so(serve: Serve, tmp_path: Path) -> None:
    served = serve(GRACE="1ms", JOBS="off")
    digest = push(served)
    ended = command(["sweep"], settings_of(tmp_path) | {"GRACE": "1ms"})
    assert ended.status == 0
    assert ended.out == "2 reviewed, 0 upload sessions expired, 0 stored objects removed.\n"
    assert httpx.head(f"{served.url}/v2/demo/blobs/{digest}").status_code == 404


def test_worker_sweeps_for_a_registry_without_jobs_of_its_own(serve: Serve, tmp_path: Path) -> None:
    served = serve(GRACE="1ms", JOBS="off")
    digest = push(served)
    settings = environment(settings_of(tmp_path) | {"GRACE": "1ms", "SWEEP_INTERVAL": "10ms"})
    worker = subprocess.Popen(
        [sys.executable, "-m", "registry", "worker"], cwd=ROOT, env=settings, stdout=subprocess.PIPE
    )
    with httpx.Client() as client:
        looks = 0
        while client.get(f"{served.url}/v2/demo/blobs/{digest}").status_code == 200:
            looks += 1
            assert looks < 20_000
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=60)
    assert (worker.returncode, out) == (0, b"The worker runs.\n")


def states(out: str) -> dict[str, str]:
    """State of each subject that `doctor` printed."""
    lines = [line.partition(":")[0].split(maxsplit=1) for line in out.splitlines()]
    return {subject: state for state, subject in lines}


def test_doctor_finds_a_running_registry_well(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    ended = command(["doctor"], settings_of(tmp_path) | {"PORT": served.url.rpartition(":")[2]})
    assert ended.status == 0, ended.out
    assert "is taken by the running registry" in ended.out
    assert "schema: current" in ended.out
    assert "FAIL" not in states(ended.out).values()


def test_doctor_starts_nothing_and_makes_nothing(tmp_path: Path) -> None:
    ended = command(["doctor"], settings_of(tmp_path) | {"PORT": "0"})
    assert ended.status == 0
    assert "the first serve makes it" in ended.out
    assert not (tmp_path / "data").exists()


def test_doctor_says_what_is_wrong_and_keeps_the_password(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {
            "PORT": str(taken.getsockname()[1]),
            "DATABASE_URL": "postgresql://gati:s3cret-word@127.0.0.1:1/gati",
            "STORAGE_URL": str(tmp_path / "file" / "blobs"),
            "TLS_CERTIFICATE": str(tmp_path / "file"),
            "TLS_KEY": str(tmp_path / "file"),
            "ACCESS": "open",
        }
        ended = command(["doctor"], settings)
    assert ended.status == 1
    found = states(ended.out)
    assert {subject for subject, state in found.items() if state == "FAIL"} == {"storage", "TLS", "port", "database"}
    assert found["access"] == "warn"
    assert "DATABASE_URL=***" in ended.out
    assert "s3cret" not in ended.out + ended.err


def test_doctor_fails_when_the_reserve_is_reached(tmp_path: Path) -> None:
    ended = command(["doctor"], settings_of(tmp_path) | {"PORT": "0", "DISK_RESERVE": "900000TiB"})
    assert ended.status == 1
    assert "uploads are refused until there is more" in ended.out


def test_help_lists_the_commands_without_loading_the_server() -> None:
    code = "import sys, registry.__main__ as m; m.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("serve", "worker", "migrate", "sweep", "doctor", "fsck"):
        assert f"  {name} " in ended.stdout
    assert "web-process" not in ended.stdout
    assert "'asyncpg'" not in ended.stdout
    assert "'starlette'" not in ended.stdout


def test_a_command_of_the_server_in_the_client_installation_names_what_to_install() -> None:
    code = "import sys; sys.modules['asyncpg'] = None; import registry.__main__ as m; m.main(['serve'])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'gati-registry[server]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_command_is_an_error_of_use() -> None:
    ended = command(["server"], {})
    assert ended.status == 2
    assert "No such command" in ended.err


def test_a_database_of_another_version_is_refused_with_commands_to_copy(tmp_path: Path) -> None:
    cluster = tmp_path / "data" / "pg"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    ended = command(["serve"], settings_of(tmp_path))
    assert ended.status == 1
    sentence, *commands = ended.err.splitlines()
    assert sentence.startswith("gati-registry: The database in ")
    assert [line.startswith("  ") for line in commands] == [True, True, True]
    assert commands[-1].split()[0] == "mv"
