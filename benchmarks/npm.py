"""npm and verdaccio: what installing packages takes elsewhere. verdaccio is fetched by npm when it is asked for."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import httpx

from benchmarks.contenders import ADDRESS, Contender, free_port, launch
from benchmarks.load import Absent, RequestFailed
from benchmarks.process_cost import Server

VERDACCIO: Final = "verdaccio"
_SECONDS: Final = 300
_NEEDS: Final = {
    "private": True,
    "dependencies": {VERDACCIO: "6"},
    "overrides": {"node-fetch": "2.7.0"},  # it asks for a tag that mirrors do not have
}
_CONFIG: Final = """\
storage: {folder}/store
auth: {{htpasswd: {{file: {folder}/htpasswd}}}}
uplinks: {{}}
packages: {{'**': {{access: $all, publish: $all}}}}
log: {{type: stdout, level: fatal}}
"""


def verdaccio(folder: Path) -> Contender:
    """A verdaccio that anybody may publish to.

    Raises:
        Absent: npm or node is not there, or cannot fetch it.
    """
    npm, node = _program("npm"), _program("node")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(_NEEDS))
    _run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    config = folder / "verdaccio.yaml"
    config.write_text(_CONFIG.format(folder=folder))
    port = free_port()
    program = folder / "node_modules" / ".bin" / VERDACCIO
    command = [node, str(program), "--config", str(config), "--listen", f"{ADDRESS}:{port}"]
    process, seconds = launch(command, dict(os.environ), port, "/-/ping")
    found = Contender(VERDACCIO, port, "peer", Server((process.pid,)), "npm install from verdaccio 6", folder=folder)
    found.process, found.started_in, found.only = process, seconds, VERDACCIO
    return found


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Absent(f"{name} is not installed")
    return found


def _run(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Absent(f"{command[0]} took more than {_SECONDS} s") from error
    if ended.returncode:
        raise Absent(f"{' '.join(command[:2])} ended with {ended.returncode}: {ended.stderr[-300:].strip()}")


def publish(http: httpx.Client, name: str, archive: bytes) -> None:
    """Publish a package, version 1.0.0, whose archive this is."""
    file = f"{name}-1.0.0.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    shasum = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    dist = {"integrity": integrity, "shasum": shasum, "tarball": str(http.base_url.join(f"/{name}/-/{file}"))}
    version = {"name": name, "version": "1.0.0", "_id": f"{name}@1.0.0", "dist": dist}
    data = base64.b64encode(archive).decode()
    kept = {file: {"content_type": "application/octet-stream", "data": data, "length": len(archive)}}
    known: dict[str, object] = {"_id": name, "name": name, "dist-tags": {"latest": "1.0.0"}}
    answer = http.put(f"/{name}", json=known | {"versions": {"1.0.0": version}, "_attachments": kept})
    if answer.status_code != 201:
        raise RequestFailed(f"PUT /{name}: answered {answer.status_code}: {answer.text[:200]}")


def install(url: str, names: list[str], folder: Path) -> list[str]:
    """A project in `folder` that wants these packages, and the command that installs them, with a cache of its own."""
    wanted = {"name": "app", "version": "1.0.0", "dependencies": dict.fromkeys(names, "^1.0.0")}
    (folder / "package.json").write_text(json.dumps(wanted))
    more = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    return [_program("npm"), "install", "--registry", url, "--cache", str(folder / ".cache"), *more]
