"""What `publish` and `build` of every type do: a project becomes an artifact, is judged, and goes somewhere."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from registry.cli import building, judging, packing, pins, projects, provenance, publishing
from registry.cli.api import Api, route
from registry.cli.bundles import Bundle, Hanging, Manifest, Part, content_of, with_hanging
from registry.cli.problems import Problem
from registry.cli.progress import Bars
from registry.cli.projects import Project, Workshop
from registry.cli.publishing import Counter, Published, Wishes
from registry.cli.reach import Reach, reach
from registry.cli.run import Run
from registry.cli.sizes import shown

_SBOM_LIMIT: Final = 256 << 20
_VISIBILITIES: Final = click.Choice(["public", "internal", "private"])
_FOLDER: Final = click.Path(path_type=Path, exists=True)
_COMMON: Final = (
    click.argument("folder", metavar="[DIR]", type=_FOLDER, default=Path()),
    click.option("--version", metavar="VERSION", help="Another version than the manifest has."),
    click.option("--namespace", metavar="NS", help="Where it goes: users/NAME or orgs/NAME."),
)
_PUBLISH: Final = (
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="Another tag, such as beta; several times."),
    click.option("--access", type=_VISIBILITIES, help="Who may pull it; else as its namespace has it."),
    click.option("--sbom", "sboms", type=_FOLDER, multiple=True, help="An SPDX or CycloneDX JSON file to go with it."),
    click.option("--wait/--no-wait", "is_waiting", default=True, help="Wait until the registry has judged it."),
    click.option("--dry-run", "is_trial", is_flag=True, help="Build and judge it; send nothing."),
)
_COMMANDS: Final = {
    "model": "gati model pull {}",
    "agent": "gati agent install {}",
    "template": "gati init NAME --template {}",
    "plugin": "gati plugin install {}",
    "snapshot": "gati snapshot restore {}",
}
_Command = TypeVar("_Command", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asked to be made: of which folder, which family of types, and how.

    Attributes:
        family: `module`, `plugin`, `model`, `agent` or `template`.
        namespace: where it goes; None: as the manifest says, else to the account's own.
        version: another one than the manifest has.
        sboms: files of components that are hung on it.
    """

    folder: Path
    family: str
    namespace: str | None = None
    version: str | None = None
    sboms: tuple[Path, ...] = ()


def build_options(function: _Command) -> _Command:
    """The options of a command that makes an artifact of a project."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def publish_options(function: _Command) -> _Command:
    """The options of a command that publishes one."""
    for option in reversed((*_COMMON, *_PUBLISH)):
        function = option(function)
    return function


def publish(run: Run, family: str, options: dict[str, Any]) -> None:
    """Publish the project of a folder; `options` are those of `publish_options`."""
    order = Order(options["folder"], family, options["namespace"], options["version"], options["sboms"])
    wishes = Wishes(tuple(options["tags"]), options["access"], options["is_waiting"])
    place = reach(run)
    with made(run, order, place) as (bundle, project):
        judging.judge(bundle, str(project.source), wishes.tags)
        if options["is_trial"]:
            run.out.done(_tried(bundle), described(bundle, place) | {"dryRun": True})
            return
        done = publishing.publish(Counter(place.oci, place.api, run.out), bundle, wishes)
    tell(run, bundle, place, done)


def build(run: Run, order: Order, into: Path | None) -> None:
    """Write the artifact of a project as an OCI image layout, in one file."""
    place = reach(run)
    with made(run, order, place) as (bundle, project):
        judging.judge(bundle, str(project.source))
        target = into or Path(f"{project.name}-{bundle.version}.oci.tgz")
        written = packing.layout(index_of(bundle), contents_of(bundle), target)
    told = f"Wrote {target}: {bundle.repository} {bundle.version}, {shown(written.size)}, {written.digest}."
    document = {"file": str(target), "fileDigest": written.digest, "fileSize": written.size}
    run.out.done(told, described(bundle, place) | document)


@contextmanager
def made(run: Run, order: Order, place: Reach) -> Iterator[tuple[Bundle, Project]]:
    """The artifact of a project, whose files are there until the block ends.

    Raises:
        Problem: it cannot be made.
    """
    project = projects.read(order.folder, order.family)
    home = namespace_of(project, order.namespace, place)
    repository = f"{home}/{project.name}"
    project = projects.completed(project, repository, order.version)
    project = pins.pinned(project, pins.unpinned(project), place.catalog, home)
    origin = provenance.origin(project.folder, project.manifest, run.environ)
    with tempfile.TemporaryDirectory(prefix="gati-") as folder:
        with Bars(run.out) as bars:
            workshop = Workshop(Path(folder), repository, origin, run.out, bars.add, place.oci)
            bundle = building.build(project, workshop)
        hanging = [_sbom(path, origin) for path in order.sboms]
        yield with_hanging(bundle, hanging), project


def namespace_of(project: Project, asked: str | None, place: Reach) -> str:
    """Where a project goes: `users/alice`.

    Raises:
        Problem: nobody says.
    """
    if asked is not None:
        return _named(asked, place.api)
    if project.namespace is not None:
        return project.namespace
    if place.home is not None and "+" not in str(place.account):
        return place.home
    who = "You are not logged in" if place.account is None else f"{place.account} is a robot"
    raise Problem(
        f"Nobody says where {project.name} is to be published. {who}, and {project.source} has no namespace.",
        "Name it with --namespace users/NAME or orgs/NAME, or log in: then it is yours.",
        code="NO_NAMESPACE",
    )


def _named(text: str, api: Api) -> str:
    parts = text.split("/")
    if len(parts) == 3:
        parts = parts[1:]
    if len(parts) == 1:
        return str(api.get(route("namespaces", parts[0].removeprefix("@"))).body.get("name"))
    if len(parts) != 2 or parts[0] not in {"users", "orgs"} or not parts[1]:
        raise Problem(f"{text!r} is no namespace of artifacts.", "Write users/NAME or orgs/NAME.")
    return "/".join(parts)


def _sbom(path: Path, origin: provenance.Origin) -> Hanging:
    with path.open("rb") as file:
        raw = file.read(_SBOM_LIMIT + 1)
    try:
        document = json.loads(raw) if len(raw) <= _SBOM_LIMIT else None
    except (ValueError, RecursionError):
        document = None
    kinds = {"spdxVersion": "application/spdx+json", "bomFormat": "application/vnd.cyclonedx+json"}
    found = [kind for sign, kind in kinds.items() if isinstance(document, dict) and sign in document]
    if not found:
        raise Problem(f"{path} is neither SPDX nor CycloneDX JSON.", "Write it with syft or trivy, for instance.")
    part = Part(found[0], content_of(raw), {"org.opencontainers.image.title": path.name})
    return Hanging(found[0], (part,), origin.annotations())


def described(bundle: Bundle, place: Reach) -> dict[str, Any]:
    """What a program is told of an artifact."""
    layers = [
        {"title": part.title, "mediaType": part.media_type, "digest": part.content.digest, "size": part.content.size}
        for _, part in bundle.layers
    ]
    return {
        "reference": f"{bundle.repository}@{bundle.version}",
        "repository": bundle.repository,
        "version": bundle.version,
        "type": bundle.kind.name,
        "digest": bundle.manifest.digest,
        "size": bundle.size,
        "layers": layers,
        "image": f"{place.address.host}/{bundle.repository}:{bundle.tag}",
    }


def _tried(bundle: Bundle) -> str:
    names = ", ".join(f"{part.title} ({shown(part.content.size)})" for _, part in bundle.layers)
    return (
        f"{bundle.repository} {bundle.version} is in order: {bundle.kind.name}, {shown(bundle.size)}, "
        f"{bundle.manifest.digest}. Layers: {names}. Nothing was sent."
    )


def tell(run: Run, bundle: Bundle, place: Reach, done: Published) -> None:
    """Say what was published, and what to do with it."""
    name, size = f"{bundle.repository} {bundle.version}", shown(bundle.size)
    document = described(bundle, place) | {"digest": done.digest, "state": done.state, "wasThere": done.was_there}
    if publishing.is_held(done.state):
        told = f"{name} is sent and is {done.state}: others cannot pull it yet."
    elif done.was_there:
        told = f"{name} was published already, with the same content: {done.digest}."
    else:
        told = f"Published {name} ({bundle.kind.name}, {size}): {done.digest}."
    run.out.done(told, document)
    run.out.say(f"Use it: {_use(bundle, place)}")


def _use(bundle: Bundle, place: Reach) -> str:
    """The command that gets it."""
    _, slug, name = bundle.repository.split("/")
    if bundle.kind.name == "module-oci":
        return f"docker pull {place.address.host}/{bundle.repository}:{bundle.tag}"
    return _COMMANDS.get(bundle.kind.name, "gati module install {}").format(f"@{slug}/{name}")


def index_of(bundle: Bundle) -> bytes:
    """`index.json` of the artifact's OCI image layout: its manifest with its tag, then its referrers."""
    main = _entry(bundle.manifest) | {"artifactType": bundle.kind.artifact_type}
    entries = [main | {"annotations": {"org.opencontainers.image.ref.name": bundle.tag}}]
    for one in bundle.hanging:
        manifest, _ = bundle.hung(one)
        entries.append(_entry(manifest) | {"artifactType": one.artifact_type})
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _entry(manifest: Manifest) -> dict[str, Any]:
    return {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.content.size}


def contents_of(bundle: Bundle) -> Sequence[packing.Content]:
    """All blobs and manifests of the artifact.

    Raises:
        Problem: one is in a registry alone.
    """
    hung = [bundle.hung(one) for one in bundle.hanging]
    manifests = [bundle.manifest, *bundle.children, *(manifest for manifest, _ in hung)]
    parts = [*bundle.parts, *(part for _, blobs in hung for part in blobs)]
    if any(isinstance(part.content.source, str) for part in parts):
        raise Problem("The image is in the registry, not here: it cannot be written to a file.", "Publish it at once.")
    return [*(manifest.content for manifest in manifests), *(part.content for part in parts)]
