"""The container image: its recipe, and the image itself where this machine can build one."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
BASE, IMAGE = "localhost/gati-base", "localhost/gati-registry"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gati-registry" / "image"
REQUIRED = bool(os.environ.get("REQUIRE_CLIENTS"))
# Serve, wait until it is healthy, push and pull a blob, stop in order.
USE = """
set -eu
id -u
gati-registry serve >/dev/null & registry=$!
until python -m registry.admin.healthy; do kill -0 $registry; done
python - <<'END'
import hashlib, os, urllib.request
content = b"hello"
digest = "sha256:" + hashlib.sha256(content).hexdigest()
base = "http://127.0.0.1:" + os.environ["PORT"] + "/v2/demo/blobs/"
push = urllib.request.Request(base + "uploads/?digest=" + digest, data=content, method="POST")
push.add_header("Content-Type", "application/octet-stream")
print(urllib.request.urlopen(push).status, urllib.request.urlopen(base + digest).read().decode())
END
kill -TERM $registry
wait $registry
echo stopped
gati-registry fsck --rehash
"""


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_is_not_root_and_names_no_mirror() -> None:
    text = DOCKERFILE.read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert last.index("USER ") < last.index("ENTRYPOINT")
    assert re.match(r"(#.*\n)*ARG BASE=", text)
    assert "http" not in text
    assert "--require-hashes" in text


def run(command: list[str], seconds: int = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL, cwd=ROOT
    )


def missing() -> str:
    """What this machine lacks to build an image; empty when nothing."""
    tools = [tool for tool in ("buildah", "debootstrap", "apt-get") if shutil.which(tool) is None]
    if os.geteuid() != 0:
        tools.append("root")
    return ", ".join(tools)


def mirror() -> tuple[str, str]:
    """The package mirror and the release of this machine, as apt has them."""
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
    for line in found.stdout.splitlines():
        uri, release, component = line.split()
        if component == "main" and re.fullmatch(r"[a-z]+", release) and uri.rstrip("/").endswith("/debian"):
            return uri, release
    pytest.skip("apt names no Debian mirror")


def pip_configuration(path: Path) -> None:
    """What pip of this machine uses to reach its index, for the build alone."""
    listed = run([sys.executable, "-m", "pip", "config", "list"]).stdout
    names = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"}
    parser = ConfigParser(interpolation=None)
    parser["global"] = {
        match[1]: match[2]
        for match in re.finditer(r"^\S+\.([a-z-]+)='(.*)'$", listed, re.MULTILINE)
        if match[1] in names
    }
    parser["global"]["cert"] = f"/{CERTIFICATES}"
    with path.open("w") as file:
        parser.write(file)


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command, on a store of its own that holds the base image."""
    if lacking := missing():
        assert not REQUIRED, f"an image cannot be built without {lacking}"
        pytest.skip(f"an image cannot be built without {lacking}")
    folder = tmp_path_factory.mktemp("image")
    command = ["buildah", "--root", f"{folder}/store", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]
    make_base(command, folder / "base")
    yield command
    run([*command, "rm", "--all"])
    shutil.rmtree(folder, ignore_errors=True)


def make_base(buildah: list[str], folder: Path) -> None:
    """A Debian with Python, of this machine's mirror and with its certificates, as the base image."""
    uri, release = mirror()
    archive = CACHE / f"base-{release}.tar"
    if not archive.exists():
        bootstrap(release, folder, uri, archive)
    container = run([*buildah, "from", "scratch"]).stdout.strip()
    steps = [["add", "-q", container, str(archive), "/"]]
    if Path("/", CERTIFICATES).exists():
        steps.append(["copy", "-q", container, f"/{CERTIFICATES}", f"/{CERTIFICATES}"])
    for step in (*steps, ["commit", "-q", container, BASE], ["rm", container]):
        done = run([*buildah, *step])
        assert done.returncode == 0, done.stderr


def bootstrap(release: str, folder: Path, uri: str, archive: Path) -> None:
    """Keep a fresh Debian as an archive, so that the next run need not make one."""
    include = "--include=ca-certificates,python3,python3-venv"
    made = run(["debootstrap", "--variant=minbase", include, release, str(folder), uri])
    if made.returncode != 0:
        pytest.skip(f"debootstrap cannot make a base here: {made.stdout[-300:]}")
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(f".{os.getpid()}")
    without = "--exclude=./var/cache/apt/archives/*.deb"
    packed = run(["tar", "--create", "--file", str(unfinished), "--directory", str(folder), without, "."])
    assert packed.returncode == 0, packed.stderr
    unfinished.rename(archive)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def image(buildah: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The buildah command, its store holding the built image."""
    secret = tmp_path_factory.mktemp("secret") / "pip.conf"
    pip_configuration(secret)
    given = ["--build-arg", f"BASE={BASE}", "--secret", f"id=pip,src={secret}"]
    how = ["--isolation", "chroot", "--format", "docker", "--pull-never"]
    done = run([*buildah, "build", *how, *given, "--tag", IMAGE, "."])
    if done.returncode != 0 and "Could not fetch URL" in done.stderr + done.stdout:
        pytest.skip("pip in a container does not reach its index here")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return buildah


@pytest.mark.xdist_group("image")
@pytest.mark.timeout(600)
def test_the_image_serves_as_an_ordinary_user_and_stops_in_order(image: list[str]) -> None:
    container = run([*image, "from", "--pull-never", IMAGE]).stdout.strip()
    settings = ["--env", "ACCESS=open", "--env", "HOST=127.0.0.1", "--env", "PORT=18519"]
    done = run([*image, "run", "--isolation", "chroot", *settings, container, "--", "sh", "-c", USE], 120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[:3] == ["10001", "201 hello", "stopped"]
    assert done.stdout.endswith("Nothing is lost.\n")


@pytest.mark.xdist_group("image")
@pytest.mark.timeout(600)
def test_the_image_has_no_installer_and_refuses_to_be_open_by_accident(image: list[str]) -> None:
    container = run([*image, "from", "--pull-never", IMAGE]).stdout.strip()
    start = [*image, "run", "--isolation", "chroot", container, "--"]
    refused = run([*start, "gati-registry", "serve"], 60)
    assert refused.returncode != 0
    assert "Write ACCESS=open" in refused.stderr
    assert run([*start, "python", "-c", "import pip"], 60).returncode != 0
    asked = "{{.Docker.Config.User}} {{.Docker.Config.Healthcheck.Test}}"
    described = run([*image, "inspect", "--type", "image", "--format", asked, IMAGE]).stdout
    assert described.strip() == "10001:10001 [CMD python -m registry.admin.healthy]"
