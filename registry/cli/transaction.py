"""A change of a project that happens whole or not at all, however it ends.

New folders of artifacts and new files of the project are made aside, in `gati_modules/.gati/`. Then a journal says what
is about to be exchanged, the exchange is done by renames, and the journal goes: that is the moment in which it has
happened. Whoever finds a journal finds an exchange that was cut off, and takes it back.
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from registry.artifacts import references
from registry.cli import application, lockfile
from registry.cli.problems import Problem
from registry.core.errors import MalformedManifest

MODULES: Final = "gati_modules"
STATE: Final = f"{MODULES}/.state.json"
FILES: Final = (application.FILE, lockfile.FILE, STATE)
_ASIDE: Final = f"{MODULES}/.gati"
_LARGEST: Final = 8 << 20


def move(source: Path, target: Path) -> None:
    """Rename, over what is there if that is a file."""
    source.replace(target)


def remove(path: Path) -> None:
    """Have nothing at a path."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


class Transaction:
    """Changes of the project in a folder, done by `commit`, undone by `rollback` and when `with` ends without `commit`.

    The caller keeps other processes out.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._aside = project / _ASIDE
        self._journal = self._aside / "journal.json"
        self._folders: dict[str, bool] = {}
        self._files: dict[str, bool] = {}

    def __enter__(self) -> Self:
        self._refuse_links()
        self.recover()
        return self

    def __exit__(self, *_: object) -> None:
        self.recover()

    def recover(self) -> bool:
        """Take back what was cut off before, and clean up; whether there was something to take back.

        Raises:
            Problem: it cannot be done; then nothing else should be either.
        """
        if not self._aside.exists():
            return False
        try:
            cut_off = self._journal.exists()
            if cut_off:
                self._undo(self._read())
                self._journal.unlink()
            shutil.rmtree(self._aside)
            self._prune()
        except OSError as error:
            raise Problem(f"{self._aside} cannot be cleaned up: {error.strerror}.") from error
        return cut_off

    def folder(self, repository: str) -> Path:
        """Where the new content of an artifact's folder is to be made; nothing is there yet."""
        path = self._aside / "new" / repository
        path.parent.mkdir(parents=True, exist_ok=True)
        self._folders[repository] = True
        return path

    def drop(self, repository: str) -> None:
        """Have no folder of this artifact."""
        self._folders[repository] = False

    def write(self, name: str, content: bytes | None) -> None:
        """Have a file of the project hold `content`; None: have none."""
        if content is None:
            self._files[name] = False
            return
        path = self._aside / "files" / name.rpartition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._files[name] = True

    def commit(self) -> None:
        """Do it, if there is anything to do.

        Raises:
            Problem: the disk is full, or something cannot be renamed; all is as it was.
        """
        try:
            if self._folders or self._files:
                self._exchange()
        except OSError as error:
            raise Problem(f"The project cannot be changed: {error.strerror} ({error.filename}).") from error

    def _exchange(self) -> None:
        self._aside.mkdir(parents=True, exist_ok=True)
        before = {
            "folders": {name: os.path.lexists(self._module(name)) for name in self._folders},
            "files": {name: self._keep(name) for name in self._files},
        }
        self._note(before)
        for name, is_new in self._folders.items():
            self._swap(name, is_new=is_new)
        for name, is_new in self._files.items():
            if is_new:
                move(self._aside / "files" / name.rpartition("/")[2], self._project / name)
            else:
                (self._project / name).unlink(missing_ok=True)
        self._journal.unlink()
        _settle(self._project)

    def _module(self, repository: str) -> Path:
        return self._project / MODULES / repository

    def _old(self, repository: str) -> Path:
        return self._aside / "old" / repository

    def _keep(self, name: str) -> bool:
        """Keep a copy of a file of the project; whether there is one."""
        path, copy = self._project / name, self._aside / "kept" / name.rpartition("/")[2]
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, copy)
        except FileNotFoundError:
            return False
        return True

    def _note(self, before: Mapping[str, Any]) -> None:
        draft = self._aside / "journal.draft"
        with draft.open("wb") as file:
            file.write(json.dumps(before).encode())
            file.flush()
            os.fsync(file.fileno())
        move(draft, self._journal)

    def _swap(self, repository: str, *, is_new: bool) -> None:
        path, old = self._module(repository), self._old(repository)
        if os.path.lexists(path):
            old.parent.mkdir(parents=True, exist_ok=True)
            move(path, old)
        if is_new:
            path.parent.mkdir(parents=True, exist_ok=True)
            move(self._aside / "new" / repository, path)

    def _read(self) -> Mapping[str, Mapping[str, bool]]:
        """The journal; it came with the project, and may name nothing but what a project has."""
        try:
            with self._journal.open("rb") as file:
                found = json.loads(file.read(_LARGEST))
            folders, files = dict(found["folders"]), dict(found["files"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._strange() from error
        if not (all(map(_is_repository, folders)) and set(files) <= set(FILES)):
            raise self._strange()
        return {"folders": folders, "files": files}

    def _strange(self) -> Problem:
        return Problem(
            f"{self._journal} is no journal of gati.", f"Remove {self._aside}, then run gati module install."
        )

    def _undo(self, before: Mapping[str, Mapping[str, bool]]) -> None:
        """Put back what was; done again where it was cut off itself."""
        for name, was_there in before["folders"].items():
            path, old = self._module(name), self._old(name)
            if was_there and not os.path.lexists(old):
                continue
            if not old.parent.resolve().is_relative_to(self._aside.resolve()):
                raise self._strange()
            if os.path.lexists(path):
                remove(path)
            if was_there:
                move(old, path)
        for name, was_there in before["files"].items():
            kept = self._aside / "kept" / name.rpartition("/")[2]
            if not was_there:
                (self._project / name).unlink(missing_ok=True)
            elif kept.exists():
                move(kept, self._project / name)

    def _prune(self) -> None:
        """Remove folders of namespaces that hold nothing any more, and `gati_modules` itself."""
        modules = self._project / MODULES
        for kind in ("users", "orgs"):
            if (modules / kind).is_dir():
                for slug in (modules / kind).iterdir():
                    _remove_empty(slug)
            _remove_empty(modules / kind)
        _remove_empty(modules)

    def _refuse_links(self) -> None:
        """A link would have the project's artifacts written elsewhere.

        Raises:
            Problem: there is one.
        """
        modules = self._project / MODULES
        inner = [modules / kind for kind in ("users", "orgs")]
        aside = [self._aside, *(self._aside / name for name in ("new", "old", "files", "kept"))]
        slugs = [slug for kind in inner if kind.is_dir() for slug in kind.iterdir()]
        for path in (modules, *inner, *slugs, *aside):
            if path.is_symlink():
                raise Problem(f"{path} is a symbolic link: artifacts would be written somewhere else.", "Remove it.")


def _remove_empty(path: Path) -> None:
    with suppress(OSError):
        path.rmdir()


def _settle(folder: Path) -> None:
    """Have the renames last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_repository(name: str) -> bool:
    try:
        return references.parse(name).repository == name
    except MalformedManifest:
        return False
