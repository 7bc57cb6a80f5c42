"""`gati init`: a project from a template."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from registry.cli import application, scaffolding
from registry.cli.commands_of import Command
from registry.cli.problems import Problem
from registry.cli.projects import NAMES
from registry.cli.run import Run, pass_run
from registry.cli.scaffolding import Template
from registry.cli.unpacking import folder_manifest, is_folder, unpacked

_HELP = """Make the project NAME from a template.

\b
gati init shop --template @gati-official/web-app
gati init shop --template users/alice/api@^2 --var database=postgres --yes
gati init --template ./my-template --dir .

Each variable of the template that --var does not give is asked for; --yes takes defaults. It is all there in the end,
or nothing is.
"""
_DEFAULT: Final = "app"


@click.command(cls=Command, help=_HELP)
@click.argument("name", required=False)
@click.option("--template", "reference", metavar="REFERENCE", required=True, help="A template, or a folder with one.")
@click.option("--var", "given", metavar="NAME=VALUE", multiple=True, help="The value of a variable; several times.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to; else NAME.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty, over files of the same name.")
@pass_run
def command(
    run: Run, name: str | None, reference: str, given: tuple[str, ...], folder: Path | None, *, force: bool
) -> None:
    """Make the project NAME from a template."""
    if name is not None and (name in {".", ".."} or "/" in name or "\\" in name or not name.isprintable()):
        raise Problem(f"{name!r} is no name of a project.", "Write a plain name, and say where with --dir.")
    known = _pairs(given)
    target = (folder or Path(name or _DEFAULT)).absolute()
    project = name or target.resolve().name or _DEFAULT
    with _template(run, reference) as template, scaffolding.appearing(target, force=force) as draft:
        values = scaffolding.values_of(template, known, run, project)
        files = scaffolding.expanded(template, values, draft)
        wanted = draft / application.FILE
        raw = scaffolding.with_modules(template, wanted.read_bytes() if wanted.is_file() else None)
        if raw is not None:
            wanted.write_bytes(raw)
            files = sorted({*files, application.FILE})
        notes = scaffolding.setup_of(template, values)
    shown = folder or Path(name or _DEFAULT)
    modules = raw is not None and bool(application.parse(raw).roots)
    _tell(run, shown, template, files, (notes, modules))


def _tell(run: Run, folder: Path, template: Template, files: Sequence[str], rest: tuple[str, bool]) -> None:
    notes, has_modules = rest
    document = {
        "folder": str(folder),
        "template": template.name,
        "files": list(files),
        "setup": notes,
        "next": f"gati module install --dir {folder}" if has_modules else None,
    }
    run.out.done(f"Made {folder} from {template.name}: {len(files)} files.", document)
    if notes and not run.out.as_json:
        run.out.say(f"\n{notes.strip()}\n")
    if has_modules:
        run.out.say(f"It wants modules. Install them: gati module install --dir {folder}")


def _pairs(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise Problem(f"{text!r} gives no value.", "Write --var NAME=VALUE.")
        if name in found:
            raise Problem(f"--var gives {name} twice.", "Leave one out.")
        found[name] = value
    return found


@contextmanager
def _template(run: Run, reference: str) -> Iterator[Template]:
    if not is_folder(reference):
        with unpacked(run, reference, "template") as found:
            yield Template(found.manifest, found.folder)
        return
    folder = Path(reference).expanduser()
    if not folder.is_dir():
        raise Problem(f"There is no folder {folder}.", "Name a template such as @alice/web-app, or its folder.")
    manifest = folder_manifest(folder, NAMES)
    config = manifest.get("config")
    if not isinstance(config, dict) or "templateType" not in config:
        raise Problem(f"{folder} is no template.", "Its Gati manifest has no config.templateType.")
    yield Template(manifest, folder)
