"""Installing many small modules into an empty project, with nothing cached: `gati`, and npm from verdaccio."""

import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import npm, script
from benchmarks.contenders import ROOT
from benchmarks.content import digest
from benchmarks.load import RequestFailed
from benchmarks.rows import Row, Sample
from benchmarks.script import Job, job
from benchmarks.stand import Stand

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz      \n"
_KIND: Final = "application/vnd.gati.module.node"
_SECONDS: Final = 300


def _files(number: int) -> dict[str, bytes]:
    """Four files of a small module, 6 KiB in all, of which no two modules have the same."""
    dice = random.Random(number)  # noqa: S311 - text, not a secret
    texts = {f"lib/{name}.js": "// " + "".join(dice.choices(_LETTERS, k=2048)) for name in "abc"}
    return {name: text.encode() for name, text in texts.items()} | {"index.js": b"module.exports = %d\n" % number}


def _packed(files: dict[str, bytes], prefix: str = "") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def _module(number: int) -> Job:
    """The push of a module."""
    name = f"users/bench/m{number:03}"
    layer = _packed(_files(number))
    known = {"name": f"m{number:03}", "version": "1.0.0", "config": {"type": "node", "entry": "index.js"}}
    config = json.dumps(known).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": f"{_KIND}.v1",
        "config": {"mediaType": f"{_KIND}.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": f"{_KIND}.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}],
    }
    blobs = (*script.put_small_blob(name, layer), *script.put_small_blob(name, config))
    return job(*blobs, script.put_manifest(name, "1.0.0", json.dumps(manifest).encode()))


@dataclass(frozen=True, slots=True)
class Installs:
    """So many modules, or packages of the same files."""

    count: int

    def push(self, stand: Stand) -> None:
        """Publish them, once."""
        stand.once(f"modules {self.count}", lambda: self._push(stand))

    def _push(self, stand: Stand) -> None:
        numbers = range(stand.plan.pieces(self.count))
        if not stand.contender.only:
            stand.push("users/bench/m000", [_module(number) for number in numbers], 4)
            return
        with stand.client() as http:
            for number in numbers:
                name = f"m{number:03}"
                files = _files(number) | {"package.json": json.dumps({"name": name, "version": "1.0.0"}).encode()}
                npm.publish(http, name, _packed(files, "package/"))

    def measure(self, stand: Stand) -> Sample:
        """Install them all into an empty folder, as an empty home has it."""
        names = [f"m{number:03}" for number in range(stand.plan.pieces(self.count))]
        with tempfile.TemporaryDirectory(prefix="install-", dir=stand.folder) as folder:
            place = Path(folder)
            if stand.contender.only:
                seconds = _timed(npm.install(stand.contender.url, names, place), place, {})
                found = [path.name for path in (place / "node_modules").glob("m*")]
            else:
                seconds = _gati(stand.contender.url, names, place)
                found = [path.name for path in (place / "gati_modules/users/bench").iterdir()]
        if sorted(found) != names:
            raise RequestFailed(f"{len(found)} of {len(names)} were installed")
        return Sample(value=seconds)


def _gati(url: str, names: list[str], folder: Path) -> float:
    wanted = {"registry": url, "dependencies": {f"@bench/{name}": "^1.0.0" for name in names}}
    (folder / "gati.modules.json").write_text(json.dumps(wanted))
    command = [sys.executable, "-m", "registry.cli", "module", "install", "--quiet", "--dir", str(folder)]
    return _timed(command, ROOT, {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache"), "GATI_REGISTRY": url})


def _timed(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    begun = time.monotonic()
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise RequestFailed(f"{' '.join(command[:5])} ended with {ended.returncode}: {ended.stderr[-300:].strip()}")
    return time.monotonic() - begun


_INSTALLS: Final = Installs(200)
ROWS: Final = (
    Row(
        name="install-200",
        title="200 small modules installed, beside npm and verdaccio",
        unit="s",
        measure=_INSTALLS.measure,
        prepare=_INSTALLS.push,
        lower_is_better=True,
        cold=True,
        rival=npm.VERDACCIO,
    ),
)
