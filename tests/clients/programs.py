"""Client programs as a user runs them, and the registry that they talk to."""

import json
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx
import pytest

from tests.clients.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Image, digest

PATIENCE: Final = 60
"""Seconds until a command counts as hanging."""
ANY_MANIFEST: Final = {"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}, */*"}


def absent(reason: str) -> NoReturn:
    """Leave the test out, or fail it where none may be left out."""
    if os.environ.get("REQUIRE_CLIENTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def _places() -> str:
    """Where programs lie. The distribution's come before others: a docker elsewhere may lack what its daemon has."""
    command = [str(Path(__file__).with_name("install")), "--print-path"]
    built = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return os.pathsep.join([built, "/usr/bin", "/usr/sbin", "/sbin", os.environ.get("PATH", os.defpath)])


def find_program(name: str) -> str:
    """The path of a client's program; the test is left out where it is not installed."""
    return shutil.which(name, path=_places()) or absent(f"{name} is not installed: run tests/clients/install")


@dataclass(frozen=True, slots=True)
class Program:
    """A client on this machine: its path, its environment and the words before each command's own."""

    path: str
    environ: dict[str, str]
    words: tuple[str, ...] = field(default=())

    def run(
        self, *words: str | Path, stdin: bytes = b"", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command, however it ends."""
        command = [self.path, *self.words, *map(str, words)]
        return subprocess.run(
            command, env=self.environ, input=stdin, cwd=cwd, capture_output=True, check=False, timeout=PATIENCE
        )

    def raw(self, *words: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> bytes:
        """The output of a command that must succeed."""
        done = self.run(*words, stdin=stdin, cwd=cwd)
        said = (done.stderr + done.stdout[-2000:]).decode(errors="replace")
        assert done.returncode == 0, f"{' '.join(map(str, done.args))} ended with {done.returncode}:\n{said}"
        return done.stdout

    def __call__(self, *words: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> str:
        """The output of a command that must succeed, as text without the last line end."""
        return self.raw(*words, stdin=stdin, cwd=cwd).decode().rstrip("\n")

    def fails(self, *words: str | Path) -> str:
        """What a command complains of that must not succeed."""
        done = self.run(*words)
        assert done.returncode != 0, f"{' '.join(map(str, done.args))} succeeded:\n{done.stdout.decode()}"
        return (done.stderr + done.stdout).decode()

    def wordy(self, *words: str) -> "Program":
        """The same program with words before each command's own."""
        return Program(self.path, self.environ, (*self.words, *words))


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry under test, seen without a client between."""

    http: httpx.Client

    @property
    def host(self) -> str:
        """`address:port`, as references begin."""
        return self.http.base_url.netloc.decode()

    def new(self, hint: str) -> str:
        """The name of a repository that nobody has used before, without the host."""
        return f"{hint}/{secrets.token_hex(5)}"

    def reference(self, repository: str, tag: str = "v1") -> str:
        """What a user writes: `host/repository:tag`, or `@digest`."""
        return f"{self.host}/{repository}{'@' if ':' in tag else ':'}{tag}"

    def manifest(self, repository: str, reference: str) -> bytes:
        """The manifest of a tag or digest that must be there."""
        answer = self.http.get(f"/v2/{repository}/manifests/{reference}", headers=ANY_MANIFEST)
        assert answer.status_code == 200, f"{reference}: {answer.status_code} {answer.text}"
        return answer.content

    def has(self, repository: str, reference: str) -> bool:
        """Whether there is a manifest of this tag or digest."""
        return self.http.head(f"/v2/{repository}/manifests/{reference}", headers=ANY_MANIFEST).status_code == 200

    def blob(self, repository: str, named: str) -> bytes:
        """The content of a blob that must be there."""
        answer = self.http.get(f"/v2/{repository}/blobs/{named}")
        assert answer.status_code == 200, f"{named}: {answer.status_code} {answer.text}"
        return answer.content

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository."""
        found: list[str] = self.http.get(f"/v2/{repository}/tags/list").json()["tags"] or []
        return found

    def referrers(self, repository: str, subject: str) -> list[dict[str, Any]]:
        """The descriptors of what refers to a manifest: from the API, or where there is none, from the fallback tag."""
        answer = self.http.get(f"/v2/{repository}/referrers/{subject}")
        if answer.status_code == 404:
            answer = self.http.get(f"/v2/{repository}/manifests/{subject.replace(':', '-')}", headers=ANY_MANIFEST)
        found: list[dict[str, Any]] = json.loads(answer.content)["manifests"] if answer.status_code == 200 else []
        return found

    def push_blob(self, repository: str, content: bytes) -> None:
        """Push a blob by POST and PUT."""
        begun = self.http.post(f"/v2/{repository}/blobs/uploads/")
        place = self.http.base_url.join(begun.headers["location"])
        ended = self.http.put(place.copy_merge_params({"digest": digest(content)}), content=content)
        assert ended.status_code == 201, ended.text

    def push_manifest(self, repository: str, reference: str, content: bytes) -> str:
        """Push a manifest; its digest."""
        headers = {"Content-Type": json.loads(content)["mediaType"]}
        answer = self.http.put(f"/v2/{repository}/manifests/{reference}", content=content, headers=headers)
        assert answer.status_code == 201, answer.text
        return digest(content)

    def push(self, repository: str, image: Image, tag: str = "v1") -> str:
        """Push an image under a tag; its reference."""
        self.push_blob(repository, image.layer)
        self.push_blob(repository, image.config)
        self.push_manifest(repository, tag, image.manifest)
        return self.reference(repository, tag)


def digests_in(text: str) -> list[str]:
    """The sha256 digests that a client's output names, in order."""
    return re.findall(r"sha256:[0-9a-f]{64}", text)
