"""Projects made of templates: values asked for, files expanded, all of it there at once or nothing."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from registry.artifacts import globs, references, templating, versions
from registry.cli import application
from registry.cli.application import Application, Root
from registry.cli.output import printable
from registry.cli.problems import Clash, Problem
from registry.cli.run import Run
from registry.core.errors import ArtifactInvalid, Unprocessable

_FILES: Final = 20_000
_TEXT: Final = 8 << 20
_NOTES: Final = ".gati"
_NAMES: Final = ("name", "projectName", "project_name", "project")


@dataclass(frozen=True, slots=True)
class Template:
    """A template on this disk: its Gati manifest and the folder of its files."""

    manifest: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.manifest.get("name"))

    @property
    def config(self) -> Mapping[str, Any]:
        """What it says of itself."""
        config = self.manifest.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def variables(self) -> list[dict[str, Any]]:
        """What it wants to know."""
        return _objects(self.config.get("variables"))

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """Which files are made only sometimes."""
        return _objects(self.config.get("conditions"))

    def files(self) -> list[str]:
        """Its files, relative to its folder, that its globs name.

        Raises:
            Problem: there are too many, or one is no file.
        """
        wanted = [one for one in self.manifest.get("files") or ["**"] if isinstance(one, str)]
        found = sorted(path for path in _walk(self.folder) if any(globs.matches(glob, path) for glob in wanted))
        if len(found) > _FILES:
            raise Problem(f"The template {self.name} has more than {_FILES:,} files.")
        return found


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _walk(folder: Path) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        below = Path(here).relative_to(folder)
        folders[:] = sorted(name for name in folders if not (below == Path() and name in {_NOTES, ".git"}))
        for name in [*names, *(one for one in folders if (Path(here) / one).is_symlink())]:
            place = Path(here) / name
            if place.is_symlink() or not place.is_file():
                raise Problem(f"{below / name} of the template is no plain file.", code="UNSAFE_ARTIFACT")
            yield (below / name).as_posix()


def values_of(template: Template, given: Mapping[str, str], run: Run, project: str) -> dict[str, str]:
    """The value of every variable: given, else the name of the project for one that is called so, else asked for.

    Raises:
        Problem: one is missing and there is nobody to ask, or one cannot be.
    """
    names = [str(variable.get("name")) for variable in template.variables]
    known: dict[str, Any] = {name: project for name in _NAMES if name in names} | dict(given)
    can_ask = sys.stdin.isatty() and not run.is_sure
    try:
        templating.check_values(template.variables, dict(given) | {}) if not names else None
        so_far: dict[str, str] = {}
        for variable in template.variables:
            name = str(variable["name"])
            if name not in given and can_ask and templating.wants_asking(variable, so_far):
                known[name] = _asked(variable, known.get(name), so_far)
            so_far[name] = templating.check_value(variable, known.get(name), so_far)
        return templating.check_values(template.variables, known)
    except Unprocessable as error:
        raise told(error) from error


def told(error: Unprocessable) -> Problem:
    """What a value that cannot be means for a user."""
    detail = error.detail if isinstance(error.detail, dict) else {}
    name = detail.get("variable")
    return Problem(
        error.message,
        f"Give it with --var {name}=VALUE." if name else "Give others with --var NAME=VALUE.",
        code="BAD_VALUE",
    )


def _asked(variable: Mapping[str, Any], known: Any, before: Mapping[str, str]) -> str:
    """What the user types for a variable, asked again until it can be."""
    prompt = printable(str(variable.get("description") or variable["name"]))[:200]
    default = variable.get("default") if known is None else known
    shown = templating.check_value(variable, None, before) if default is not None and known is None else default
    options = [str(option) for option in variable.get("options") or []]
    while True:
        text: str = click.prompt(
            prompt,
            default=("" if not variable.get("required") else None) if shown is None else shown,
            type=click.Choice(options) if options and (shown is not None or variable.get("required")) else str,
            show_default=shown is not None and not variable.get("secret"),
            hide_input=bool(variable.get("secret")),
            err=True,
        )
        try:
            templating.check_value(variable, text, before)
        except Unprocessable as error:
            click.echo(printable(error.message), err=True)
            continue
        return text


def expanded(template: Template, values: Mapping[str, str], into: Path) -> list[str]:
    """Write the files of a template into an empty folder; their paths.

    Raises:
        Problem: a value would make a path that is not safe, or a file cannot be read or written.
    """
    kept = templating.kept(template.files(), template.conditions, values)
    try:
        made = templating.expand_paths(kept, values)
    except Unprocessable as error:
        raise told(error) from error
    try:
        for source, target in made.items():
            _expand(template.folder / source, into / target, values)
    except OSError as error:
        raise Problem(f"{error.filename or into} cannot be written: {error.strerror}.") from error
    return sorted(made.values())


def _expand(source: Path, target: Path, values: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.stat().st_size > _TEXT:
        shutil.copyfile(source, target)
    else:
        target.write_bytes(templating.expand_bytes(source.read_bytes(), values))
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def with_modules(template: Template, raw: bytes | None) -> bytes | None:
    """`gati.modules.json` of a new project: what its template wrote, and the modules that the template includes.

    Raises:
        Problem: a module is named in no way that a project can want it.
    """
    texts = [one for one in template.config.get("includesModules") or [] if isinstance(one, str)]
    if not texts:
        return raw
    found = application.parse(raw)
    home = str(template.manifest.get("namespace") or references.OFFICIAL).removeprefix("gati.dev/")
    return application.render(_wanting(found, [_root(text, home, template.config) for text in texts]))


def _wanting(found: Application, roots: Sequence[Root]) -> Application:
    return found.with_roots(root for root in roots if all(found.named(one) is None for one in root.repositories))


def _root(text: str, home: str, config: Mapping[str, Any]) -> Root:
    try:
        reference = references.parse(text)
    except ArtifactInvalid as error:
        raise Problem(f"The template includes a module that has no name: {error.message}") from error
    key = reference.repository or (
        f"@{reference.slug}/{reference.name}" if reference.slug else f"{home}/{reference.name}"
    )
    wanted = reference.digest or reference.version
    if wanted is None or not (reference.digest or versions.is_range(wanted)):
        pins = config.get("resolved")
        wanted = str(pins.get(text)) if wanted is not None and isinstance(pins, dict) and text in pins else "*"
    return application.check(Root(key, wanted))


def setup_of(template: Template, values: Mapping[str, str]) -> str:
    """What the template says is to be done next, with its values in it but for those that are secret."""
    hidden = {str(variable["name"]) for variable in template.variables if variable.get("secret")}
    shown = {name: "…" if name in hidden else value for name, value in values.items()}
    return templating.expand(str(template.config.get("setup") or ""), shown)


@contextmanager
def appearing(folder: Path, *, force: bool) -> Iterator[Path]:
    """A folder beside `folder` that takes its place when all went well.

    Raises:
        Clash: `folder` holds something, without `force`; with it what is new replaces files of the same name.
        Problem: it cannot be made.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Clash(f"{folder} is there, and is no folder.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise Clash(f"{folder} is not empty.", "Choose another with --dir, or say --force to write over its files.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        draft.chmod(0o755)
        try:
            yield draft
            _settle(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Problem(f"{folder} cannot be made: {error.strerror}.") from error


def _settle(draft: Path, folder: Path) -> None:
    is_empty = not folder.exists() or not any(folder.iterdir())
    # Who stands in a folder would be left in one that is gone: there, what is in it moves.
    if is_empty and folder.resolve() != Path.cwd():
        with suppress(OSError):
            draft.replace(folder)
            return
    for here, _, names in os.walk(draft):
        target = folder / Path(here).relative_to(draft)
        if target.is_symlink():
            raise Clash(f"{target} is a link: nothing is written through it.")
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            (Path(here) / name).replace(target / name)
