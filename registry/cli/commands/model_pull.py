"""`gati model pull`."""

from pathlib import Path

import click

from registry.cli import model_pulls
from registry.cli.commands_of import Command
from registry.cli.progress import Bars
from registry.cli.reach import reach
from registry.cli.run import Run, pass_run
from registry.cli.sizes import shown
from registry.cli.unpacking import release_of

_HELP = """Fetch the files of the model REFERENCE into a folder.

\b
gati model pull @alice/sentiment
gati model pull users/alice/llama@1.2.0 --dir models/llama

A pull that was stopped goes on where it was, also after a crash: a file has its name only when all of it has come and
has its digest. Weights in pieces become one file; shards that are files of their own stay side by side.
"""


@click.command(cls=Command, help=_HELP)
@click.argument("reference")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to; else the model's name."
)
@click.option("--join/--no-join", default=None, help="Make the shards one file, or leave them; else as they are meant.")
@click.option("--force", is_flag=True, help="Replace other files of the same names.")
@pass_run
def command(run: Run, reference: str, folder: Path | None, *, join: bool | None, force: bool) -> None:
    """Fetch the files of the model REFERENCE into a folder."""
    place = reach(run)
    release = release_of(place, reference)
    fetched = place.oci.manifest(str(release["repository"]), str(release["digest"]))
    for warning in fetched.warnings:
        run.out.warn(warning)
    model = model_pulls.model_of(release, fetched.document)
    target = folder or Path(model.repository.rpartition("/")[2])
    with Bars(run.out) as bars:
        order = model_pulls.Order(target, model.joins if join is None else join, force)
        files = model_pulls.pull(place.oci, model, order, bars)
    size = sum(one.size for one in model.files)
    document = {
        "repository": model.repository,
        "version": model.version,
        "digest": model.digest,
        "folder": str(target),
        "files": [str(path.relative_to(target)) for path in files],
        "size": size,
    }
    told = (
        f"{model.repository} {model.version} is in {target}: {len(files)} files, {shown(size)}, each with its digest."
    )
    run.out.done(told, document)
