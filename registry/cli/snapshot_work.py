"""What `gati snapshot create` and `restore` do with a project on disk."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from registry import __version__
from registry.artifacts import versions
from registry.artifacts.catalogue import BY_NAME
from registry.cli import application, catalog, lockfile, managing, parts, project, provenance, snapshots, strict_json
from registry.cli.bundles import Bundle, assemble
from registry.cli.catalog import base
from registry.cli.choosing import Manner
from registry.cli.installing import Outcome, Terms, working
from registry.cli.problems import Missing, Problem, Tampered
from registry.cli.reach import Reach
from registry.cli.run import Run
from registry.cli.scaffolding import appearing
from registry.cli.snapshots import Environment, Snapshot
from registry.cli.unpacking import release_of

KIND: Final = "snapshot"
CONFIGURATION: Final = "gati.config.json"
_LIMIT: Final = 1 << 20
_FIRST: Final = "1.0.0"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user wants kept: of which folder, which files of configuration beside the usual, and which secrets."""

    folder: Path
    files: Sequence[str] = ()
    hidden: Sequence[str] = ()
    visibility: str = "private"


def captured(wanted: Wanted) -> Snapshot:
    """The snapshot of a project.

    Raises:
        Missing: it has nothing installed, or a file that was named is not there.
        Refused: it would hold a secret.
    """
    found = project.load(wanted.folder)
    if not found.lock.artifacts:
        raise Missing(
            f"{wanted.folder} has no {lockfile.FILE}: there is nothing to keep.",
            "Install something first.",
            code="NO_LOCK",
        )
    links = [root.key for root in found.application.roots if root.link is not None]
    if links:
        raise Problem(
            f"{', '.join(links[:10])} stands for a folder of this machine: nobody could restore it.",
            "Publish it and install it, then take the snapshot.",
            code="LINKED",
        )
    usual = [name for name in (application.FILE, CONFIGURATION) if (wanted.folder / name).is_file()]
    files = {name: _document(wanted.folder, name) for name in dict.fromkeys([*usual, *wanted.files])}
    environment = Environment(found.lock, files, _version(), _platform(), found.application.gati)
    return snapshots.capture(environment, wanted.visibility, wanted.hidden)


def _version() -> str:
    """The version of `gati` as SemVer writes it: that of Python has its own form of pre-releases."""
    return __version__ if versions.is_version(__version__) else f"{'.'.join(__version__.split('.')[:3])}"


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}/{_MACHINES.get(machine, machine)}"


def _document(folder: Path, name: str) -> Any:
    snapshots.check_path(name)
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise Problem(f"{name} is a link that leads out of the project.")
    try:
        with place.open("rb") as file:
            raw = file.read(_LIMIT + 1)
    except OSError as error:
        raise Missing(f"{place} cannot be read: {error.strerror}.") from error
    if len(raw) > _LIMIT:
        raise Problem(f"{place} has more than {_LIMIT >> 20} MiB: a snapshot keeps configuration only.")
    return snapshots.read(name, raw)


def bundle_of(made: Snapshot, repository: str, version: str, environ: Mapping[str, str]) -> Bundle:
    """The artifact of a snapshot."""
    name = repository.rpartition("/")[2]
    inner = made.config["config"]
    manifest = {
        "name": name,
        "version": version,
        "type": KIND,
        "namespace": repository.rpartition("/")[0],
        "description": _summary(made.config),
        "config": dict(made.config),
        "secrets": [one | {"required": True} for one in inner["secrets"]],
    }
    kind = BY_NAME[KIND]
    layer = parts.of_bytes(made.lock, lockfile.FILE, parts.media_type(kind, "lock"), "lock")
    origin = provenance.origin(Path.cwd(), manifest, environ)
    return assemble(kind, repository, manifest, [layer], origin)


def _summary(config: Mapping[str, Any]) -> str:
    counted = [f"{len(config[name])} {name}" for name in snapshots.ALL_LISTS if config[name]]
    return f"{', '.join(counted)} for {config['platform']}"


def repository_of(there: Reach, name: str) -> str:
    """Where a snapshot of this name goes: to the account's own namespace, unless it is written.

    Raises:
        Problem: the name is none, or nobody says whose it is.
    """
    reference = catalog.parse(name)
    if reference.version is None and reference.digest is None and reference.host is None:
        if reference.repository is not None:
            return reference.repository
        if reference.slug is None and there.home is not None:
            return f"{there.home}/{reference.name}"
    raise Problem(f"{name!r} does not say where it goes.", "Write users/NAME/SNAPSHOT, or log in: then it is yours.")


def next_version(there: Reach, repository: str) -> str:
    """The version of the next snapshot of this name: the next minor one after the highest there ever was."""
    try:
        found = [str(item.get("version")) for item in there.catalog.versions(repository)]
    except Missing:
        return _FIRST
    numbers = [one for one in found if versions.is_version(one)]
    if not numbers:
        return _FIRST
    major, minor, _ = max(numbers, key=versions.precedence).partition("-")[0].partition("+")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"


@dataclass(frozen=True, slots=True)
class Source:
    """A snapshot that was fetched: what it is called, its digest, and what it keeps."""

    name: str
    digest: str
    environment: Environment
    manifest: Mapping[str, Any]


def fetched(there: Reach, text: str) -> Source:
    """The snapshot of a registry that a user names.

    Raises:
        Tampered: it is not what its digest says, or not as `gati` made it.
    """
    release = release_of(there, text)
    repository, digest = str(release.get("repository")), str(release.get("digest"))
    name = f"{repository} {release.get('version')}"
    if release.get("type") != KIND:
        raise Problem(f"{name} is a {release.get('type')}, no snapshot.")
    manifest = there.oci.manifest(repository, digest).document
    config = _json(there, repository, manifest.get("config"))
    layers = manifest.get("layers")
    first = layers[0] if isinstance(layers, list) and layers else None
    lock = _blob(there, repository, first)
    return Source(name, digest, snapshots.restore(inner(config), lock), config)


def _blob(there: Reach, repository: str, descriptor: Any) -> bytes:
    match descriptor:
        case {"digest": str(digest)}:
            return there.oci.read_blob(repository, digest, strict_json.LIMIT)
    raise Tampered("The manifest of the snapshot lacks its lock or its config.", code="UNSAFE_ARTIFACT")


def _json(there: Reach, repository: str, descriptor: Any) -> dict[str, Any]:
    return strict_json.read(_blob(there, repository, descriptor), "The Gati manifest of the snapshot")


def inner(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a snapshot, of its Gati manifest or by itself."""
    config = manifest.get("config")
    if isinstance(config, dict) and "modules" in config:
        return config
    return manifest


def is_link(text: str) -> bool:
    """Whether a user names a link that was shared."""
    return "/s/" in text and "@" not in text


def registry_of(text: str) -> str:
    """The registry of a shared link, which is where it is restored from; empty where the link names none."""
    parts_of = urlsplit(text)
    return f"{parts_of.scheme}://{parts_of.netloc}" if parts_of.netloc else ""


def shared(there: Reach, text: str) -> Source:
    """The snapshot that a link leads to.

    Raises:
        Missing: the link is over.
    """
    token = urlsplit(text).path.rpartition("/s/")[2].strip("/")
    if not token or "/" in token:
        raise Problem(f"{text!r} is no link to a snapshot.", "It looks like https://registry.example.org/s/….")
    found = there.api.get(f"/s/{token}").body
    document = found.get("snapshot")
    if not isinstance(document, dict):
        raise Tampered("The link leads to no snapshot.", code="UNSAFE_ARTIFACT")
    name = f"{found.get('repository')} {found.get('version')}"
    return Source(name, str(found.get("digest")), snapshots.restore(inner(document)), document)


def restored(run: Run, source: Source, folder: Path, there: Reach) -> tuple[Outcome, list[str]]:
    """Make the environment of a snapshot in an empty folder; what was done, and the secrets that are missing.

    Raises:
        Clash: the folder is not empty.
        Tampered: something is not what its digest says.
        Problem: something cannot be had any more; then there is no folder.
    """
    found = source.environment
    lock = replace(found.lock, registry=there.address.url)
    with appearing(folder, force=False) as draft:
        for path, document in found.files.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(snapshots.written(document))
        wanted = application.parse(project.read(draft / application.FILE))
        wanted = replace(wanted, registry=None if wanted.registry is None else there.address.url)
        (draft / application.FILE).write_bytes(application.render(wanted))
        (draft / lockfile.FILE).write_bytes(lockfile.render(lock))
        run.registry = there.address.url
        with working(run, Terms(draft)) as work:
            outcome = managing.install(work, (), Manner())
        _verify(draft, found)
    return outcome, [name for name in found.secrets if not os.environ.get(name)]


def _verify(folder: Path, found: Environment) -> None:
    """Raise Tampered unless a folder has each artifact of the snapshot, by its digest."""
    there = project.load(folder)
    for name, one in found.lock.artifacts.items():
        if not there.is_intact(name, one.digest) or there.lock.digests.get(name) != one.digest:
            raise Tampered(
                f"{name} {one.version} is not what the snapshot had: {one.digest}.",
                f"{application.FILE} of the snapshot may not want it.",
                code="SNAPSHOT_MISMATCH",
            )


def share_path(repository: str, version: str) -> str:
    """Where the links of a snapshot are, under `/v1`."""
    return f"{base(repository)}/{version}/share"
