"""What `gati doctor` looks at: each part of `gati` and what it works with, and what to do where it does not."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from registry import __version__
from registry.cli import lockfile, places, project
from registry.cli.addresses import Address
from registry.cli.agents import node
from registry.cli.api import Answer, Api, route
from registry.cli.application import FILE
from registry.cli.logins import Login, Logins
from registry.cli.problems import Problem
from registry.cli.ring import Ring
from registry.cli.run import Run
from registry.cli.session import Kept, address_of, logins_of
from registry.cli.sizes import shown

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
_SKEW: Final = 30.0
_SHORT: Final = 1 << 30
_NODE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of a part: how it is, in a sentence, and what to do about it."""

    part: str
    state: str
    told: str
    remedy: str = ""

    def document(self) -> dict[str, str]:
        """What `--json` prints."""
        found = {"part": self.part, "state": self.state, "message": self.told}
        return found | ({"suggestion": self.remedy} if self.remedy else {})


def findings(run: Run, folder: Path) -> list[Finding]:
    """All that there is to say; nothing that fails keeps the rest from being looked at."""
    logins = logins_of(run)
    found = [Finding("gati", OK, f"gati {__version__}.")]
    found += _of("login", lambda: _registry(run, logins))
    found += _of("docker", lambda: [_docker(run, logins)])
    found += _of("keyring", lambda: [_keyring()])
    found += _of("cache", lambda: [_cache(run)])
    found += [_wasm(), _node()]
    return found + _of("project", lambda: _project(folder))


def _of(part: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except Problem as problem:
        return [Finding(part, FAIL, problem.message, " ".join(problem.suggestions))]
    except OSError as error:
        return [Finding(part, FAIL, f"{error.filename or part}: {error.strerror or error}.")]


def _registry(run: Run, logins: Logins) -> list[Finding]:
    address = address_of(run, logins)
    login = logins.get(address.url)
    with Api(address, run.out) as api:
        before = time.time()
        try:
            answer = api.get("/v1/openapi.json")
        except Problem as problem:
            return [Finding("registry", FAIL, problem.message, " ".join(problem.suggestions))]
        middle = (before + time.time()) / 2
    return [_reached(address, answer), *_clock(answer, middle), _login(run, logins, address, login)]


def _reached(address: Address, answer: Answer) -> Finding:
    about: Any = answer.body.get("info")
    version = about.get("version") if isinstance(about, dict) else None
    told = f"{address.url} answers" + (f", with version {version} of its API" if version else "")
    if address.scheme == "https":
        return Finding("registry", OK, f"{told}. Its certificate is trusted.")
    if address.is_loopback:
        return Finding("registry", OK, f"{told}. It is on this machine, without TLS.")
    return Finding("registry", WARN, f"{told}, without TLS: others on the way can read all of it.", "Use https://.")


def _clock(answer: Answer, middle: float) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return [Finding("clock", WARN, "The registry does not tell its time.")]
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    skew = datetime.fromtimestamp(middle, UTC).timestamp() - theirs.timestamp()
    if abs(skew) <= _SKEW:
        return [Finding("clock", OK, "The clock of this machine agrees with that of the registry.")]
    way = "ahead of" if skew > 0 else "behind"
    told = f"The clock of this machine is {abs(skew):.0f} s {way} that of the registry: tokens may count as ended."
    return [Finding("clock", WARN, told, "Set it, for instance with timedatectl set-ntp true.")]


def _login(run: Run, logins: Logins, address: Address, login: Login | None) -> Finding:
    if login is None:
        told = f"You are not logged in to {address.url}: you can fetch what is public."
        return Finding("login", WARN, told, f"Run gati login {address.url} to publish.")
    with Api(address, run.out, Kept(logins, login, address, run.out)) as api:
        try:
            me = api.get(route("me")).body
        except Problem as problem:
            return Finding("login", FAIL, problem.message, " ".join(problem.suggestions))
    credential: Any = me.get("credential") or {}
    ends = f", until {credential['expiresAt']}" if credential.get("expiresAt") else ""
    return Finding("login", OK, f"You are {login.account}, by a {credential.get('kind', 'credential')}{ends}.")


def _docker(run: Run, logins: Logins) -> Finding:
    # Loaded here: the file of docker is nothing that other checks need.
    module = importlib.import_module("registry.cli.docker")
    address = address_of(run, logins)
    config = module.DockerConfig(run.environ)
    try:
        config.check(address.host)
    except Problem as problem:
        return Finding("docker", FAIL, problem.message, f"Mend {config.path}, or remove it.")
    other = config.shadow(address.host)
    if other is not None:
        told = f"podman uses the entry for {address.host} in {other}, not that of gati."
        return Finding("docker", WARN, told, f"Run podman logout {address.host}.")
    login = logins.get(address.url)
    if login is not None and login.in_docker:
        return Finding("docker", OK, f"docker, podman, oras and others are logged in to {address.host} with gati.")
    return Finding("docker", OK, f"{config.path} is in order; gati has no entry for {address.host} there.")


def _keyring() -> Finding:
    if Ring.works():
        return Finding("keyring", OK, "The keyring of this system keeps secrets.")
    told = "There is no keyring that works: secrets lie in a file that only you may read."
    return Finding("keyring", OK, told)


def _cache(run: Run) -> Finding:
    folder = places.cache(run.environ)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    size, count = _size(folder)
    free = shutil.disk_usage(folder).free
    told = f"{folder} holds {shown(size)} in {count} files; {shown(free)} are free."
    if free < _SHORT:
        return Finding("cache", WARN, told, f"Make room: {folder} may be removed, and is filled anew when needed.")
    return Finding("cache", OK, told)


def _size(folder: Path) -> tuple[int, int]:
    size = count = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(here) / name).lstat().st_size
            except FileNotFoundError:
                continue
            count += 1
    return size, count


def _wasm() -> Finding:
    if importlib.util.find_spec("wasmtime") is None:
        told = "wasmtime is not installed: WASM agents cannot be run."
        return Finding("wasm agents", WARN, told, "Install it: pip install 'gati-registry[agents]'.")
    return Finding("wasm agents", OK, "wasmtime is installed.")


def _node() -> Finding:
    try:
        found = node.tools()
        done = subprocess.run(  # noqa: S603 - the program that PATH has
            [found["node"], "--version"], capture_output=True, text=True, timeout=_NODE, check=False
        )
    except Problem as problem:
        return Finding("js agents", WARN, problem.message, problem.suggestions[0])
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("js agents", WARN, f"node does not work: {error}.", "Install Node.js anew.")
    return Finding("js agents", OK, f"node {done.stdout.strip()} runs in namespaces without a network.")


def _project(folder: Path) -> list[Finding]:
    if not any((folder / name).is_file() for name in (FILE, lockfile.FILE)):
        return [Finding("project", OK, f"{folder.absolute()} is no project that has installed something.")]
    found = project.load(folder)
    locked, missing, changed = found.lock.digests, [], []
    for name, digest in locked.items():
        if name not in found.installed or found.installed[name].digest != digest:
            missing.append(name)
        elif not found.is_intact(name, digest):
            changed.append(name)
    unlocked = [
        root.key for root in found.application.roots if not root.link and not set(root.repositories) & set(locked)
    ]
    remedy = "Run gati module install."
    rows = [
        (unlocked, f"{FILE} wants what {lockfile.FILE} does not have"),
        (missing, f"gati_modules does not have what {lockfile.FILE} says"),
        (changed, "gati_modules was changed since it was installed"),
    ]
    told = [Finding("project", FAIL, f"{what}: {', '.join(names[:10])}.", remedy) for names, what in rows if names]
    return told or [Finding("project", OK, f"{lockfile.FILE} and gati_modules agree: {len(locked)} artifacts.")]
