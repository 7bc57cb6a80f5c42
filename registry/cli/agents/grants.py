"""What an agent gets of what it declares: as much as its user grants, and nothing that it does not declare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.artifacts import evaluator
from registry.artifacts.evaluator import Access, Policy
from registry.cli.agents.ledger import Ledger
from registry.cli.agents.model import Limits, Mount
from registry.cli.problems import Problem
from registry.core.errors import ArtifactInvalid

WORK: Final = "/work"
"""Where an agent sees its work folder; relative paths of `allowedPaths` are in it."""

_CPU: Final = 1000


@dataclass(frozen=True, slots=True)
class Grants:
    """What the user grants.

    Attributes:
        paths: folders of this machine by the path that the agent knows them under.
        work: the work folder; None: there is none.
        memory: bytes at most; `seconds` and `fuel` likewise; None: as the agent declares.
    """

    paths: Mapping[str, Path] = field(default_factory=dict)
    work: Path | None = None
    memory: int | None = None
    seconds: float | None = None
    fuel: int | None = None


def policy_of(manifest: Mapping[str, Any]) -> Policy:
    """The policy of an agent.

    Raises:
        Problem: its capabilities are none.
    """
    try:
        return evaluator.policy_of(manifest)
    except ArtifactInvalid as error:
        raise Problem(error.message, error.suggestion) from error


def limits_of(policy: Policy, grants: Grants) -> Limits:
    """The limits of a run: what is declared, else the usual; never more than the user grants."""
    usual = Limits()
    memory = _least(policy.memory, grants.memory, usual.memory)
    seconds = _least(policy.duration, grants.seconds, usual.seconds)
    cores = 1 if policy.cpu is None else max(1, -(-policy.cpu // _CPU))
    return Limits(int(memory), float(seconds), grants.fuel or usual.fuel, cores)


def _least(declared: float | None, granted: float | None, usual: float) -> float:
    found = [one for one in (declared, granted) if one is not None]
    return min(found) if found else usual


def paths_of(texts: Sequence[str]) -> dict[str, Path]:
    """The folders that `--allow-path PATH` and `--allow-path AGENT-PATH=FOLDER` grant.

    Raises:
        Problem: one is no folder.
    """
    found = {}
    for text in texts:
        guest, sign, host = text.partition("=")
        folder = Path(host if sign else guest).expanduser().absolute()
        if not folder.is_dir():
            raise Problem(f"{folder} is no folder.", "Grant folders that are there: a file is granted with its folder.")
        name = guest if sign else str(folder)
        if not name.startswith("/") or evaluator.normal_path(name) is None:
            raise Problem(f"{name!r} is no path of an agent.", "Write --allow-path /data=./data.")
        found[evaluator.normal_path(name) or name] = folder.resolve()
    return found


def mounts_of(policy: Policy, grants: Grants, ledger: Ledger) -> tuple[Mount, ...]:
    """The folders that an agent sees: declared in `allowedPaths`, granted, and covered by a capability.

    What is declared and not granted, or granted and not declared, is told as denied.
    """
    mounts: dict[str, Mount] = {}
    used: set[str] = set()
    for declared in sorted(policy.paths):
        found = _granted(declared, grants)
        if found is None:
            ledger.deny(f"the path {declared}", _how(declared))
            continue
        guest, folder, grant = found
        used.add(grant)
        mount = _mount(policy, declared, Mount(folder, guest, is_writable=False), ledger)
        if mount is not None:
            mounts[guest] = mount
    for grant in sorted(set(grants.paths) - used):
        ledger.deny(f"the path {grant}", "the agent does not declare it in permissions.allowedPaths.")
    return tuple(mounts.values())


def _granted(declared: str, grants: Grants) -> tuple[str, Path, str] | None:
    """The path that the agent knows, the folder of this machine, and which grant it is."""
    guest = declared if declared.startswith("/") else _joined(WORK, declared)
    known = dict(grants.paths) | ({WORK: grants.work} if grants.work is not None else {})
    for grant, folder in sorted(known.items(), key=lambda one: -len(one[0])):
        if grant is not None and (guest == grant or guest.startswith(f"{grant.rstrip('/')}/")):
            place = folder / guest.removeprefix(grant).lstrip("/")
            inside = place.resolve()
            return (guest, inside, grant) if inside.is_relative_to(folder.resolve()) and inside.is_dir() else None
    return None


def _joined(base: str, path: str) -> str:
    return base if path == "." else f"{base}/{path}"


def _how(declared: str) -> str:
    if declared.startswith("/") and declared != WORK and not declared.startswith(f"{WORK}/"):
        return f"it is declared, and not granted as a folder that is there: say --allow-path {declared}."
    return "it is declared, and is no folder of a work folder: say --work FOLDER."


def _mount(policy: Policy, declared: str, mount: Mount, ledger: Ledger) -> Mount | None:
    read = evaluator.evaluate(policy, Access("filesystem", "read", declared))
    write = evaluator.evaluate(policy, Access("filesystem", "write", declared))
    if not read.allowed and not write.allowed:
        ledger.deny(f"the path {declared}", read.reason)
        return None
    return Mount(mount.folder, mount.guest, is_writable=write.allowed)
