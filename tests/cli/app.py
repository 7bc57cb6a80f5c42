"""A project that artifacts of a depot are installed into."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Ended, Gati
from tests.cli.depot import Depot


class App:
    """A project, and the client that installs into it."""

    def __init__(self, folder: Path, gati: Gati, depot: Depot) -> None:
        self.folder = folder
        self.modules = folder / "gati_modules"
        self.gati = gati
        self._depot = depot

    def run(self, *words: str) -> Ended:
        """`gati module …` in the project, however it ends."""
        return self.gati.run("module", *words, "--dir", str(self.folder), "--registry", self._depot.url)

    def __call__(self, *words: str) -> Ended:
        """The same, which must succeed."""
        ended = self.run(*words)
        assert ended.status == 0, ended.err
        return ended

    @property
    def cache(self) -> Path:
        """Where the client of this user keeps what it fetched."""
        return self.gati.home / ".cache" / "gati"

    def listed(self, *words: str) -> Any:
        """The rows of `gati module list`."""
        return self("list", *words, "--json").document["items"]

    def files(self) -> tuple[str, str]:
        """What the files of the project say."""
        return (self.folder / "gati.modules.json").read_text(), (self.folder / "gati.lock").read_text()

    def texts(self) -> dict[str, str]:
        """What the module of each artifact holds."""
        return {name: (self.modules / name / "index.js").read_text() for name in self.versions()}

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def versions(self) -> dict[str, str]:
        """What is there: versions by repository, as the files themselves say."""
        found = {}
        for path in self.modules.glob("*/*/*/.gati/manifest.json"):
            repository = str(path.parents[1].relative_to(self.modules))
            found[repository] = json.loads(path.read_text())["version"]
        return found

    def tree(self) -> dict[str, bytes | str]:
        """Everything in the project, to compare."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            found[name] = "folder" if path.is_dir() else path.read_bytes()
        return found
