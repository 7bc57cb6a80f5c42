"""Where an agent comes from: a folder, what a project has installed, or a registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.artifacts import references
from registry.cli import catalog, project, unpacking
from registry.cli.agents.model import Agent
from registry.cli.problems import Missing, Problem
from registry.cli.projects import NAMES
from registry.cli.run import Run


@contextmanager
def loaded(run: Run, text: str, folder: Path) -> Iterator[Agent]:
    """The agent that a user names; `folder` is that of their project.

    Raises:
        Missing: there is none.
        Problem: it is no agent, or was changed since it was installed.
    """
    if unpacking.is_folder(text):
        yield _of_folder(Path(text).expanduser())
        return
    installed = _installed(text, folder)
    if installed is not None:
        yield _of_folder(installed)
        return
    with unpacking.unpacked(run, text, "agent") as found:
        yield _agent(found.manifest, found.folder)


def _of_folder(folder: Path) -> Agent:
    if not folder.is_dir():
        raise Missing(f"There is no folder {folder}.", "Name an agent such as @alice/helper, or its folder.")
    return _agent(unpacking.folder_manifest(folder, NAMES), folder.resolve())


def _agent(manifest: dict[str, object], folder: Path) -> Agent:
    config = manifest.get("config")
    if not isinstance(config, dict) or config.get("runtime") not in {"js", "wasm", "container"}:
        raise Problem(
            f"{manifest.get('name')} is no agent.",
            "The Gati manifest of an agent has config.runtime: js, wasm or container.",
        )
    return Agent(str(manifest.get("name")), manifest, folder)


def _installed(text: str, folder: Path) -> Path | None:
    """The folder of an agent of the project, where the reference means the release that it has."""
    reference = catalog.parse(text)
    if reference.host is not None:
        return None
    found = project.load(folder)
    names = references.repositories(reference, "") if reference.slug else ()
    for name, one in found.lock.artifacts.items():
        is_meant = name in names or (not reference.slug and name.rpartition("/")[2] == reference.name)
        if not is_meant or one.type != "agent" or name not in found.installed:
            continue
        if reference.digest not in {None, one.digest} or reference.version not in {None, one.version}:
            continue
        if not found.is_intact(name, one.digest):
            raise Problem(
                f"{found.path(name)} is not as it was installed.",
                "Run gati agent install: it brings back what was changed.",
                code="CHANGED",
            )
        return found.path(name)
    return None
