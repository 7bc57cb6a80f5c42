"""Which files of a folder are packed; secrets and what tools leave behind never are."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from registry.artifacts import globs
from registry.cli import ignoring
from registry.cli.problems import Problem

IGNORE: Final = ".gatiignore"
MOST: Final = 100_000
_TOOLS: Final = ignoring.words(
    ".git .hg .svn CVS node_modules gati_modules .DS_Store Thumbs.db __pycache__/ .venv/ *.swp *~ .gatiignore"
)
_SECRETS: Final = ignoring.words(
    ".env .env.* !.env.example !.env.sample !.env.template !.env.dist .npmrc .netrc .pypirc .git-credentials "
    "id_rsa id_dsa id_ecdsa id_ed25519 *.p12 *.pfx *.jks *.keystore *.kdbx .ssh/ .aws/ .gnupg/ .docker/config.json"
)
_KEY: Final = re.compile(rb"\s*-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_KEY_HEAD: Final = 256
_IGNORE_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder: its path from there with `/`, and where its content lies."""

    path: str
    place: Path
    size: int
    is_executable: bool = False


@dataclass(slots=True)
class Choice:
    """What is packed, in the order of the bytes of the paths, and what is not: secrets, and what tools leave."""

    files: list[File] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)


def choose(root: Path, wanted: Sequence[str] | None = None, leave: Sequence[Path] = ()) -> Choice:
    """The files of a folder that the globs `wanted` name (None: all), without what `.gatiignore` names.

    `leave` are files and folders that are something else, such as what is being built.

    Raises:
        Problem: there are too many, one is no file, or a link that leads out of the folder.
    """
    rules = ignoring.patterns(_text(root / IGNORE))
    _check(wanted or ())
    left = {path.resolve() for path in leave}
    choice = Choice()
    for path, place in _walk(root, "", rules, choice):
        if (left and place.resolve() in left) or not _is_wanted(path, wanted):
            continue
        if ignoring.is_ignored(path, _SECRETS, is_folder=False) or _is_key(place):
            choice.secrets.append(path)
            continue
        choice.files.append(_file(root, path, place))
        if len(choice.files) > MOST:
            raise Problem(
                f"{root} has more than {MOST} files.", f"Name what is to be packed in `files`, or in {IGNORE}."
            )
    choice.files.sort(key=lambda file: os.fsencode(file.path))
    return choice


def _walk(root: Path, below: str, rules: Sequence[ignoring.Pattern], choice: Choice) -> Iterator[tuple[str, Path]]:
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except OSError as error:
        raise Problem(f"{root / below} cannot be read: {error.strerror}.") from error
    for entry in entries:
        path = f"{below}{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignoring.is_ignored(path, _TOOLS, is_folder=is_folder):
            choice.tools.append(path)
        elif is_folder and ignoring.is_ignored(path, _SECRETS, is_folder=True):
            choice.secrets.append(path)
        elif not ignoring.is_ignored(path, rules, is_folder=is_folder):
            if is_folder:
                yield from _walk(root, f"{path}/", rules, choice)
            else:
                yield path, root / path


def _check(wanted: Sequence[str]) -> None:
    for glob in wanted:
        why = globs.fault(glob)
        if why is not None:
            raise Problem(f"The glob {glob[:200]!r} of `files` {why}.", "Write one such as dist/** or package.json.")


def _is_wanted(path: str, wanted: Sequence[str] | None) -> bool:
    """Whether a glob of `files` means a file, or a folder that it lies in."""
    if wanted is None:
        return True
    return any(globs.matches(glob, path) or globs.matches(f"{glob.rstrip('/')}/**", path) for glob in wanted)


def _file(root: Path, path: str, place: Path) -> File:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise Problem(f"The name {path!r} is not UTF-8.", f"Rename it, or name it in {IGNORE}.") from error
    place = _target(root, path, place) if place.is_symlink() else place
    found = place.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{place} is no file.", f"Remove it, or name it in {IGNORE}.")
    return File(path, place, found.st_size, bool(found.st_mode & stat.S_IXUSR))


def _target(root: Path, path: str, place: Path) -> Path:
    """The file that a link means: it is packed in its place, for archives of artifacts have no links."""
    try:
        found = place.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise Problem(f"The link {path} leads nowhere.", f"Remove it, or name it in {IGNORE}.") from error
    if not found.is_relative_to(root.resolve()):
        raise Problem(
            f"The link {path} leads out of {root}.", f"Put the file itself there, or name the link in {IGNORE}."
        )
    return found


def _is_key(place: Path) -> bool:
    try:
        if not place.is_file():
            return False
        with place.open("rb") as file:
            return _KEY.match(file.read(_KEY_HEAD)) is not None
    except OSError as error:
        raise Problem(
            f"{place} cannot be read: {error.strerror}.", f"Name it in {IGNORE} if it is not meant."
        ) from error


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_IGNORE_LIMIT + 1)
        if len(content) > _IGNORE_LIMIT:
            raise Problem(f"{path} is larger than {_IGNORE_LIMIT >> 20} MiB.")
        return content.decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is not UTF-8.") from error
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from error
