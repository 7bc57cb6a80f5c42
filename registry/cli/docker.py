"""The file in which docker keeps credentials: podman, skopeo, oras, crane, cosign and helm read it too.

An entry is `auth`, base64 of `account:secret` (docker/cli, `cli/config/configfile`). It is never `identitytoken`:
clients differ in what they do with one.
"""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from registry.cli import private_files
from registry.cli.problems import Problem

_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HELPER_SECONDS: Final = 60
_WITHOUT: Final = "Mend it, or use --no-docker."


class DockerConfig:
    """`config.json` of docker, or of a folder that DOCKER_CONFIG names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        configured = environ.get("DOCKER_CONFIG")
        self.path = (Path(configured) if configured else Path.home() / ".docker") / "config.json"

    def check(self, host: str) -> None:
        """See whether an entry could be written.

        Raises:
            Problem: the file is none of docker's.
        """
        self._helper(self._read(), host)

    def store(self, host: str, account: str, secret: str) -> str:
        """Write the entry of a registry; where its secret lies, as a person calls it.

        Raises:
            Problem: the file or the helper that it names does not take it.
        """
        content = self._read()
        helper = self._helper(content, host)
        if helper is None:
            entry = {"auth": base64.b64encode(f"{account}:{secret}".encode()).decode()}
        else:
            entry = {}
            document = {"ServerURL": host, "Username": account, "Secret": secret}
            self._call(helper, "store", json.dumps(document))
        self._write(content, self._auths(content) | {host: entry})
        return str(self.path) if helper is None else f"docker-credential-{helper}"

    def erase(self, host: str) -> None:
        """Remove the entry of a registry, if there is one.

        Raises:
            Problem: the file or the helper that it names refuses.
        """
        content = self._read()
        helper = self._helper(content, host)
        if helper is not None:
            self._call(helper, "erase", host)
        auths = self._auths(content)
        if auths.pop(host, None) is not None:
            self._write(content, auths)

    def shadow(self, host: str) -> Path | None:
        """The file of podman's own that has an entry of the registry, which podman and skopeo take before docker's."""
        return next((path for path in _podman_files(self._environ) if _mentions(path, host)), None)

    def _helper(self, content: Mapping[str, Any], host: str) -> str | None:
        helpers = content.get("credHelpers")
        name = (helpers.get(host) if isinstance(helpers, dict) else None) or content.get("credsStore")
        if not name:
            return None
        if not isinstance(name, str) or _HELPER.fullmatch(name) is None:
            raise Problem(f"{self.path} names a credential helper that cannot be a program: {name!r}.", _WITHOUT)
        return name

    def _call(self, helper: str, verb: str, said: str) -> None:
        program = f"docker-credential-{helper}"
        try:
            done = subprocess.run(  # noqa: S603 - the user's own configuration names it, as for docker
                [program, verb], input=said, capture_output=True, text=True, check=False, timeout=_HELPER_SECONDS
            )
        except FileNotFoundError as error:
            raise Problem(
                f"{self.path} says that {program} keeps credentials, but there is no such program.",
                f"Install it, remove the word {helper} from that file, or use --no-docker.",
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Problem(f"{program} {verb} did not end well: {error}.", _WITHOUT) from error
        words = f"{done.stderr} {done.stdout}".strip()
        if done.returncode and not (verb == "erase" and "not found" in words):
            raise Problem(f"{program} {verb} failed: {words or f'status {done.returncode}'}.", _WITHOUT)

    def _auths(self, content: Mapping[str, Any]) -> dict[str, Any]:
        auths = content.get("auths") or {}
        if not isinstance(auths, dict):
            raise Problem(f"`auths` in {self.path} is not an object.", _WITHOUT)
        return dict(auths)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(private_files.read(self.path) or b"{}")
        except ValueError as error:
            raise Problem(f"{self.path} is not JSON.", _WITHOUT) from error
        if not isinstance(content, dict):
            raise Problem(f"{self.path} is not a JSON object.", _WITHOUT)
        return content

    def _write(self, content: Mapping[str, Any], auths: Mapping[str, Any]) -> None:
        text = json.dumps(dict(content) | {"auths": auths}, indent="\t", ensure_ascii=False)
        private_files.write(self.path, text.encode() + b"\n")


def _podman_files(environ: Mapping[str, str]) -> list[Path]:
    """Where podman looks first (containers-auth.json(5))."""
    if environ.get("REGISTRY_AUTH_FILE"):
        return [Path(environ["REGISTRY_AUTH_FILE"])]
    folders = [environ.get("XDG_RUNTIME_DIR"), environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")]
    return [Path(folder) / "containers" / "auth.json" for folder in folders if folder]


def _mentions(path: Path, host: str) -> bool:
    try:
        auths = json.loads(private_files.read(path) or b"{}").get("auths")
    except (ValueError, AttributeError, Problem):
        return False
    return isinstance(auths, dict) and host in auths
