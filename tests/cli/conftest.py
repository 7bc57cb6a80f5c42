"""`gati` in a home of its own, and a registry for it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from registry.cli.__main__ import main
from tests.cli.stand_in import StandIn, standing_in

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document that it printed."""
        return json.loads(self.out)


class MemoryKeyring(KeyringBackend):
    """A keyring that works."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.secrets: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.secrets[service, username]


class Typed(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


class Gati:
    """The client, run in this process; `home` is its user's."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.config = home / ".config" / "gati" / "credentials.json"
        self.docker = home / "docker" / "config.json"
        self._capture = capture
        self._patch = patch

    def run(self, *words: str, stdin: str = "", typed: bool = False) -> Ended:
        """Run a command, however it ends."""
        self._patch.setattr(sys, "stdin", Typed(stdin) if typed else io.StringIO(stdin))
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = self._capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    def __call__(self, *words: str, stdin: str = "") -> Ended:
        """Run a command that must succeed."""
        ended = self.run(*words, stdin=stdin)
        assert ended.status == 0, ended.err
        return ended

    def process(self, *words: str) -> subprocess.Popen[str]:
        """A command in a process of its own."""
        command = [sys.executable, "-m", "registry.cli", *words]
        return subprocess.Popen(
            command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def login(self, registry: str, *words: str) -> Ended:
        """Log alice in."""
        return self("login", registry, "--username", "alice", "--password-stdin", *words, stdin="correct horse\n")

    def kept(self) -> Any:
        """What `credentials.json` says."""
        return json.loads(self.config.read_text())


@pytest.fixture
def gati(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Gati]:
    """The client, in an empty home and without a keyring."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("GATI_REGISTRY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    yield Gati(home, capsys, monkeypatch)
    keyring.set_keyring(before)


@pytest.fixture
def ring(gati: Gati) -> MemoryKeyring:
    """A keyring that works, from here on."""
    found = MemoryKeyring()
    keyring.set_keyring(found)
    return found


@pytest.fixture
def registry() -> Iterator[StandIn]:
    """A stand-in for a registry."""
    with standing_in() as found:
        yield found
