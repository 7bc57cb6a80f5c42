"""The client that publishes: its start, a module of 20 MB, and a model of 1 GiB beside `oras push` of the same file."""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.contenders import ROOT
from benchmarks.load import RequestFailed
from benchmarks.plan import GIB, MIB
from benchmarks.rows import Row, Sample
from benchmarks.stand import NotOffered, Stand

_SERIAL: Final = count()
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789 (){};=.\n"
_SECONDS: Final = 300
_STARTS: Final = 9
_BLOCK: Final = 4 * MIB
_GATI: Final = (sys.executable, "-m", "registry.cli")


def _timed(command: tuple[str, ...], folder: Path, home: Path) -> float:
    environ = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise RequestFailed(f"{' '.join(command[:6])} ended with {ended.returncode}: {ended.stderr[-300:].strip()}")
    return time.monotonic() - begun


def _start(stand: Stand) -> Sample:
    """The middle one of several starts."""
    seconds = [_timed((*_GATI, "--version"), stand.folder, stand.folder) for _ in range(_STARTS)]
    return Sample(value=statistics.median(seconds) * 1000)


@dataclass(frozen=True, slots=True)
class Module:
    """A module of so many bytes in files of 20 KB, packed, judged and published until it can be pulled."""

    size: int

    def prepare(self, stand: Stand) -> None:
        """Write its files."""
        self.folder(stand)

    def folder(self, stand: Stand) -> Path:
        """Its folder; the files are text that compresses as programs do."""
        return stand.once(f"module {self.size}", lambda: self._write(stand.folder / "module"))

    def _write(self, folder: Path) -> Path:
        dice = random.Random(0)  # noqa: S311 - text, not a secret
        words = ["".join(dice.choices(_LETTERS, k=dice.randrange(2, 12))) for _ in range(4000)]
        (folder / "dist").mkdir(parents=True)
        (folder / "dist" / "index.js").write_text("module.exports = 1;\n")
        for number in range(self.size // 20_000):
            text = " ".join(dice.choices(words, k=3000))[:20_000]
            (folder / "dist" / f"{number:04}.js").write_text(text)
        config = {"type": "node", "entry": "dist/index.js"}
        known = {"name": "large", "version": "0.0.0", "type": "module-node", "config": config}
        (folder / "gati-module.json").write_text(json.dumps(known))
        return folder

    def measure(self, stand: Stand) -> Sample:
        """Publish it under a name that has nothing yet, so that all of it is sent."""
        folder, name = self.folder(stand), f"users/publish{next(_SERIAL)}"
        words = ("module", "publish", str(folder), "--version", "1.0.0", "--namespace", name)
        return Sample(value=_timed((*_GATI, *words, "--registry", stand.contender.url), folder, stand.folder))


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose weights have so many bytes."""

    size: int

    def prepare(self, stand: Stand) -> None:
        """Write its manifest and its weights."""
        self.folder(stand)

    def folder(self, stand: Stand) -> Path:
        """Its folder."""
        return stand.once(f"model {self.size}", lambda: self._write(stand.folder / "model"))

    def _write(self, folder: Path) -> Path:
        folder.mkdir()
        config = {
            "modelFormat": "safetensors",
            "modelKind": "llm",
            "modelFile": "model.safetensors",
            "runtime": "transformers",
        }
        types = [{"name": f"Text{end}", "fields": {"text": "string"}} for end in ("Input", "Output")]
        card = {"dataset": "none", "trainingDate": "2026-01-01", "usageExamples": ["none"]}
        known = {"name": "large", "version": "1.0.0", "type": "model", "config": config, "gtypes": types}
        known |= {"modelCard": card, "benchmarks": {"inferenceTime": "1ms", "memoryUsage": "1GB"}}
        (folder / "gati-module.json").write_text(json.dumps(known))
        block = os.urandom(_BLOCK)
        with (folder / "model.safetensors").open("wb") as file:
            file.write(self._header(""))
            for at in range(0, self.size, _BLOCK):
                file.write(block[: min(_BLOCK, self.size - at)])
        return folder

    def _header(self, mark: str) -> bytes:
        tensor = {"dtype": "U8", "shape": [self.size], "data_offsets": [0, self.size]}
        text = json.dumps({"__metadata__": {"mark": f"{mark:>20}"}, "weights": tensor}).encode()
        return len(text).to_bytes(8, "little") + text

    def _marked(self, folder: Path) -> str:
        """Make the weights unlike all before; a name for what they are published as."""
        mark = f"p{os.getpid()}n{next(_SERIAL)}"
        with (folder / "model.safetensors").open("r+b") as file:
            file.write(self._header(mark))
        return mark

    def measure(self, stand: Stand) -> Sample:
        """The time of gati, divided by that of oras; the one that begins changes with the round."""
        folder, oras = self.folder(stand), _oras()
        turns = [("gati", self._gati), ("oras", lambda stand, folder: self._oras(stand, folder, oras))]
        taken = {name: turn(stand, folder) for name, turn in (turns if stand.round % 2 else reversed(turns))}
        note = f"gati {taken['gati']:.2f} s, oras {taken['oras']:.2f} s"
        return Sample(value=taken["gati"] / taken["oras"], note=note)

    def _gati(self, stand: Stand, folder: Path) -> float:
        name = f"users/{self._marked(folder)}"
        words = ("model", "publish", str(folder), "--namespace", name, "--registry", stand.contender.url)
        return _timed((*_GATI, *words), folder, stand.folder)

    def _oras(self, stand: Stand, folder: Path, oras: str) -> float:
        reference = f"{stand.contender.address}:{stand.contender.port}/oras/{self._marked(folder)}:v1"
        return _timed((oras, "push", "--plain-http", reference, "model.safetensors"), folder, stand.folder)


def _oras() -> str:
    install = ROOT / "tests" / "clients" / "install"
    place = subprocess.run([install, "--print-path"], capture_output=True, text=True, check=True).stdout.strip()
    found = next((path for one in place.split(":") if (path := Path(one, "oras")).exists()), None)
    if found is None:
        raise NotOffered("oras is not built: run tests/clients/install")
    return str(found)


_MODULE: Final = Module(20_000_000)
_MODEL: Final = Model(GIB)
ROWS: Final = (
    Row(
        name="client-start",
        title="gati --version",
        unit="ms",
        measure=_start,
        lower_is_better=True,
        ours_only=True,
    ),
    Row(
        name="publish-20m",
        title="gati module publish of 20 MB in 1,000 files, to published",
        unit="s",
        measure=_MODULE.measure,
        prepare=_MODULE.prepare,
        lower_is_better=True,
        ours_only=True,
        writes=True,
        most_rounds=5,
    ),
    Row(
        name="publish-1g",
        title="gati model publish of 1 GiB: time, beside oras push of that file",
        unit="x",
        measure=_MODEL.measure,
        prepare=_MODEL.prepare,
        lower_is_better=True,
        ours_only=True,
        writes=True,
        most_rounds=5,
    ),
)
