"""`gati doctor`."""

from pathlib import Path
from typing import Final

import click

from registry.cli import doctor
from registry.cli.commands_of import Command
from registry.cli.output import printable
from registry.cli.run import Run, pass_run

_COLOURS: Final = {doctor.OK: "green", doctor.WARN: "yellow", doctor.FAIL: "red"}


@click.command(cls=Command)
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=".", help="Of a project.")
@pass_run
def command(run: Run, folder: Path) -> int:
    """See whether everything that gati works with is in order, and say what to do where it is not.

    It looks at the registry and the login, the clock, docker's file, the keyring, the cache, what runs agents, and
    whether gati.lock and gati_modules of the project agree. It ends with 1 when something fails; warnings are none.
    """
    found = doctor.findings(run, folder)
    failed = [one for one in found if one.state == doctor.FAIL]
    if run.out.as_json:
        run.out.record({"ok": not failed, "items": [one.document() for one in found]}, ())
        return 1 if failed else 0
    width = max(len(one.part) for one in found)
    for one in found:
        if run.out.quiet and one.state == doctor.OK:
            continue
        click.echo(
            f"{click.style(f'{one.state:<4}', fg=_COLOURS[one.state])}  {one.part:<{width}}  {printable(one.told)}"
        )
        if one.remedy:
            click.echo(f"{'':<{width + 8}}{printable(one.remedy)}")
    return 1 if failed else 0
