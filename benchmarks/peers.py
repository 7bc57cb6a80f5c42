"""The peers, started on a free port of 127.0.0.1 with data directories of their own; closed: with accounts."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import closed
from benchmarks.closed import PUBLIC, Accounts
from benchmarks.contenders import ADDRESS, DEBIAN, DISTRIBUTION, ROOT, ZOT, Contender, Starter, free_port, launch
from benchmarks.load import Absent
from benchmarks.process_cost import Server

_DISTRIBUTION_CONFIG: Final = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{address}:{port}"}}
"""
_DISTRIBUTION_AUTH: Final = """\
auth:
  htpasswd: {{realm: bench, path: {users}}}
"""
_WRITE: Final = ["read", "create", "update", "delete"]

Configure = Callable[[Path, int, Path | None], str]
"""The configuration of a server in this folder, on this port, with this file of accounts."""


def _distribution_config(folder: Path, port: int, users: Path | None) -> str:
    text = _DISTRIBUTION_CONFIG + (_DISTRIBUTION_AUTH if users else "")
    return text.format(folder=folder / "store", address=ADDRESS, port=port, users=users)


def _zot_config(folder: Path, port: int, users: Path | None) -> str:
    http: dict[str, Any] = {"address": ADDRESS, "port": str(port)}
    if users:
        http["auth"] = {"htpasswd": {"path": str(users)}}
        public = {"anonymousPolicy": ["read"], "defaultPolicy": _WRITE}
        http["accessControl"] = {"repositories": {f"{PUBLIC}/**": public, "**": {"defaultPolicy": _WRITE}}}
    storage = {"rootDirectory": str(folder / "store"), "gc": False, "dedupe": True}
    log = {"level": "error", "output": "/dev/null"}
    return json.dumps({"distSpecVersion": "1.1.1", "storage": storage, "http": http, "log": log})


def _starter(kind: tuple[str, str], program: str, configure: Configure, *, is_closed: bool) -> Starter:
    name, title = kind

    def start(folder: Path) -> Contender:
        port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        config = folder.with_name(f"{folder.name}.yml")
        users = folder.with_name(f"{folder.name}.htpasswd") if is_closed else None
        accounts = closed.htpasswd(users) if users else Accounts()
        config.write_text(configure(folder, port, users))
        environ = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
        process, seconds = launch([program, "serve", str(config)], environ, port)
        server = Server((process.pid,))
        found = Contender(name, port, "peer", server, title + (", htpasswd" if is_closed else ""), folder=folder)
        found.process, found.started_in, found.accounts = process, seconds, accounts
        return found

    return start


def distribution(*, is_closed: bool = False) -> Starter:
    """The CNCF distribution, version 3, as `tests/clients/install` builds it.

    Raises:
        Absent: it is not built.
    """
    install = ROOT / "tests" / "clients" / "install"
    place = subprocess.run([install, "--print-path"], capture_output=True, text=True, check=True).stdout.strip()
    program = Path(place) / "registry"
    if not program.exists():
        raise Absent("distribution v3 is not built: run tests/clients/install")
    kind = (DISTRIBUTION, "CNCF distribution v3")
    return _starter(kind, str(program), _distribution_config, is_closed=is_closed)


def debian(*, is_closed: bool = False) -> Starter:
    """Debian's docker-registry.

    Raises:
        Absent: it is not installed.
    """
    kind = (DEBIAN, "Debian's docker-registry 2.8")
    program = _program("docker-registry", "Debian's docker-registry is not installed: apt install docker-registry")
    return _starter(kind, program, _distribution_config, is_closed=is_closed)


def zot(*, is_closed: bool = False) -> Starter:
    """The zot that PATH leads to.

    Raises:
        Absent: it leads to none.
    """
    program = _program("zot", "zot is not there: put its program into a directory of PATH")
    return _starter((ZOT, "zot"), program, _zot_config, is_closed=is_closed)


def _program(name: str, without: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Absent(without)
    return found
