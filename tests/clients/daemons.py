"""Daemons of clients, started in folders of their own."""

import subprocess
from collections import deque
from pathlib import Path
from threading import Event, Thread
from typing import Final

PATIENCE: Final = 60.0
"""Seconds for a daemon to start, and to stop."""


class Daemon:
    """A running daemon, from the line in which it says that it is ready (`greeting`) until `stop`."""

    def __init__(self, command: list[str], environ: dict[str, str], ready: str) -> None:
        self._lines: deque[str] = deque(maxlen=30)
        self._event = Event()
        self._ready = False
        self.greeting = ""
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        if not self._event.wait(PATIENCE) or not self._ready:
            self.stop()
            raise AssertionError(f"{command[0]} did not start:\n{''.join(self._lines)}")

    def _read(self, ready: str) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.append(line)
                if ready in line and not self._ready:
                    self._ready = True
                    self.greeting = line
                    self._event.set()
        self._event.set()

    def stop(self) -> None:
        """End it, in order if it can."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()


def containerd(path: str, environ: dict[str, str], folder: Path) -> Daemon:
    """A containerd without the Kubernetes part, listening on `folder/containerd.sock`."""
    settings = folder / "containerd.toml"
    settings.write_text(
        f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
"""
    )
    return Daemon([path, "--config", str(settings)], environ, "containerd successfully booted")


def dockerd(path: str, environ: dict[str, str], folder: Path, registry: str) -> Daemon:
    """A Docker daemon on the containerd of the same folder, listening on `folder/docker.sock`, without a network."""
    settings = folder / "daemon.json"
    settings.write_text("{}")
    options = {
        "config-file": settings,
        "containerd": folder / "containerd.sock",
        "data-root": folder / "docker",
        "exec-root": folder / "docker-exec",
        "pidfile": folder / "docker.pid",
        "host": f"unix://{folder}/docker.sock",
        "insecure-registry": registry,
        "bridge": "none",
        "iptables": "false",
        "ip6tables": "false",
        "ip-forward": "false",
        "ip-masq": "false",
        "storage-driver": "vfs",
    }
    return Daemon([path, *(f"--{name}={value}" for name, value in options.items())], environ, "API listen on")
