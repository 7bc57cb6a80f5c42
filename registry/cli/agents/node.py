"""JavaScript agents: node, in namespaces of its own, with no network, and no file but the agent's and those granted."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, Final

from registry.cli.agents.model import Agent, Limits, Setting, Streams
from registry.cli.problems import Missing, Refused

_NAMESPACES: Final = (
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--pid",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
)
_TOOLS: Final = ("unshare", "setpriv", "prlimit", "mount", "pivot_root")
_OWN: Final = 96 << 20
"""Bytes that node needs beside the values of a program."""

_FILES: Final = 256
_PROCESSES: Final = 64
_PROBE: Final = 10.0
_HEAP: Final = 20
_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs that a JS agent needs, by name."""

    paths: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.paths[name]


def tools() -> Tools:
    """The programs of this machine that keep a JS agent in.

    Raises:
        Refused: one is missing, or namespaces are not to be had: what, and how to get it.
    """
    if not sys.platform.startswith("linux"):
        raise _refused("namespaces are a feature of Linux", "Run it on Linux, or in a virtual machine with it.")
    found = {name: shutil.which(name) for name in (*_TOOLS, "node")}
    if found["node"] is None:
        raise _refused("node is not installed", "Install Node.js, and see that node is on your PATH.")
    lacking = [name for name in _TOOLS if found[name] is None]
    if lacking:
        raise _refused(f"{', '.join(lacking)} of util-linux is not installed", "Install the package util-linux.")
    paths = {name: path for name, path in found.items() if path is not None}
    _probe(paths["unshare"])
    return Tools(paths)


def _probe(unshare: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the program that PATH has
            [unshare, *_NAMESPACES, "/bin/true"], capture_output=True, timeout=_PROBE, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refused(
            f"unshare does not work: {error}", "See whether it works by hand: unshare --user true."
        ) from error
    if done.returncode != 0:
        told = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise _refused(
            f"this machine gives no namespaces to its users ({told.rstrip('.')})",
            "Its administrator can allow them: sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces, "
            "with AppArmor kernel.apparmor_restrict_unprivileged_userns=0; in a container, run it with fewer limits.",
        )


def _refused(reason: str, way: str) -> Refused:
    return Refused(
        f"A JavaScript agent runs only where it cannot reach the network or your files, and here {reason}.",
        way,
        "WASM agents run everywhere.",
        code="NO_SANDBOX",
    )


def run(agent: Agent, limits: Limits, setting: Setting) -> int:
    """Run an agent to its end; its exit status.

    Raises:
        Refused: it cannot be kept in here, or its time was over.
        Problem: it has no such entry.
    """
    found = tools()
    entry = _entry(agent)
    with tempfile.TemporaryDirectory(prefix="gati-agent-") as root:
        command = _command(found, agent, entry, (Path(root), limits, setting))
        return _ended(command, limits, setting.streams)


def _entry(agent: Agent) -> str:
    entry = str(agent.config.get("entry"))
    place = agent.folder / entry
    if not place.is_file() or not place.resolve().is_relative_to(agent.folder.resolve()):
        raise Missing(f"The agent has no file {entry!r}.", "See config.entry of its Gati manifest.")
    return entry.removeprefix("./")


def _command(found: Tools, agent: Agent, entry: str, box: tuple[Path, Limits, Setting]) -> list[str]:
    root, limits, setting = box
    node = Path(found["node"]).resolve()
    seen = [(str(mount.folder), mount.guest, "rw" if mount.is_writable else "ro") for mount in setting.mounts]
    if not node.is_relative_to("/usr"):
        seen.append((str(node.parent.parent), str(node.parent.parent), "ro"))
    script = files(__package__ or "") / "box.sh"
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp"} | dict(setting.environment)  # noqa: S108 - its own
    words = [word for mount in seen for word in mount]
    return [
        *(found["unshare"], *_NAMESPACES, "/bin/sh", "-c", script.read_text(), "box"),
        *(str(root), str(agent.folder.resolve()), str(limits.memory), *words, "--"),
        *(found["setpriv"], "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
        *(found["prlimit"], f"--data={limits.memory + _OWN}", f"--cpu={max(1, round(limits.seconds * limits.cores))}"),
        *(f"--nofile={_FILES}", f"--nproc={_PROCESSES}", f"--fsize={limits.memory}", "--core=0"),
        *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items())),
        *(str(node), f"--max-old-space-size={max(_HEAP, limits.memory // _BYTES)}", f"/agent/{entry}"),
        *setting.arguments,
    ]


def _ended(command: list[str], limits: Limits, streams: Streams) -> int:
    cores = sorted(os.sched_getaffinity(0))[: limits.cores]
    with _open(streams.stdin, "rb") as stdin, _open(streams.stdout, "wb") as stdout, _open(streams.stderr, "wb") as err:
        started = subprocess.Popen(  # noqa: S603 - the programs that PATH has
            command, stdin=stdin, stdout=stdout, stderr=err, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        )
        try:
            os.sched_setaffinity(started.pid, cores)
            status = started.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            told = f"The agent ran for {limits.seconds:g} s, which is all it may (maxDuration)."
            raise Refused(told, code="TIME_LIMIT") from None
        finally:
            started.kill()
            started.wait()
    if status < 0:
        return 128 - status
    return status


class _Inherited:
    """The stream of `gati` itself."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        pass


def _open(path: Path | None, mode: str) -> "IO[Any] | _Inherited":
    return _Inherited() if path is None else path.open(mode)
