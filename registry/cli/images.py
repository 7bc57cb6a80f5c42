"""module-oci: an image that runs as it is, marked as a Gati module, with its Gati manifest hung on it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from registry.artifacts import references
from registry.artifacts.model import GATI_MANIFEST, GATI_MANIFEST_LAYER, TITLE
from registry.cli import bundles, image_files
from registry.cli.bundles import Bundle, Hanging, Manifest, Part, content_of, written, written_json
from registry.cli.packing import Content
from registry.cli.problems import Problem
from registry.cli.projects import Project, Workshop
from registry.core.errors import MalformedManifest
from registry.core.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST

_CHILDREN: Final = 200
_AS_OCI: Final = {
    DOCKER_MANIFEST: OCI_MANIFEST,
    DOCKER_LIST: OCI_INDEX,
    "application/vnd.docker.container.image.v1+json": OCI_CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
}


class Source:
    """Where an image is read from: `read` gives a manifest by its digest, `content` a blob by its descriptor."""

    def __init__(
        self, top: Mapping[str, Any], read: Callable[[str], bytes], content: Callable[[Mapping[str, Any]], Content]
    ) -> None:
        self.top = top
        self.read = read
        self.content = content

    def child(self, digest: str) -> Manifest:
        """A manifest of an index; one that is OCI's stays byte for byte, since signatures may be for it."""
        raw = self.read(digest)
        document = self.document(digest)
        return (
            Manifest(OCI_MANIFEST, content_of(raw)) if document == json.loads(raw) else written(OCI_MANIFEST, document)
        )

    def document(self, digest: str) -> dict[str, Any]:
        """A manifest, with OCI's names of types.

        Raises:
            Problem: it is no JSON object.
        """
        try:
            found = json.loads(self.read(digest))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Problem(f"The manifest {digest} of the image is no JSON object.", "Build or save it again.")
        return _as_oci(found)


def image_module(project: Project, workshop: Workshop) -> Bundle:
    """The artifact of a project whose `config.image` names an image.

    Raises:
        Problem: it names none.
    """
    source = _source(project, workshop)
    config = {name: value for name, value in project.config.items() if name != "image"}
    manifest = project.with_config(config).manifest
    notes = bundles.annotations(project.kind, workshop.repository, manifest, workshop.origin)
    document = source.document(str(source.top["digest"]))
    marked = document | {
        "artifactType": project.kind.artifact_type,
        "annotations": dict(sorted(((document.get("annotations") or {}) | notes).items())),
    }
    try:
        found = _of_index(source, marked) if "manifests" in marked else _of_image(source, marked)
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem("The manifest of the image is not as OCI images have it.", "Build or save it again.") from error
    top, parts, layers, children = found
    bundle = Bundle(project.kind, workshop.repository, manifest, top, parts, layers, children)
    told = Part(GATI_MANIFEST_LAYER, content_of(written_json(manifest)), {TITLE: project.source.name})
    return bundles.with_hanging(bundle, [Hanging(GATI_MANIFEST, (told,), workshop.origin.annotations())])


_Found = tuple[Manifest, tuple[Part, ...], tuple[tuple[str, Part], ...], tuple[Manifest, ...]]


def _of_image(source: Source, document: dict[str, Any]) -> _Found:
    config, *layers = _parts(source, document)
    pointed = tuple((f"/layers/{number}", part) for number, part in enumerate(layers))
    return written(OCI_MANIFEST, document), (config, *layers), pointed, ()


def _of_index(source: Source, document: dict[str, Any]) -> _Found:
    """An index: its images as they are, but for docker's names of types."""
    children: list[Manifest] = []
    parts: list[Part] = []
    layers: list[tuple[str, Part]] = []
    entries = []
    for number, entry in enumerate(document["manifests"][:_CHILDREN]):
        child = source.child(str(entry["digest"]))
        config, *rest = _parts(source, child.document)
        children.append(child)
        entries.append(entry | {"mediaType": OCI_MANIFEST, "digest": child.digest, "size": child.content.size})
        parts += [config, *rest]
        layers += [(f"/manifests/{number}/layers/{index}", part) for index, part in enumerate(rest)]
    index = written(OCI_INDEX, document | {"manifests": entries})
    return index, tuple(parts), tuple(layers), tuple(children)


def _parts(source: Source, document: Mapping[str, Any]) -> list[Part]:
    return [
        Part(str(one["mediaType"]), source.content(one), dict(one.get("annotations") or {}))
        for one in (document["config"], *document["layers"])
    ]


def _as_oci(document: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the names of types that OCI has for docker's; the blobs are the same."""
    kept = dict(document)
    kept["mediaType"] = _AS_OCI.get(image_files.media_type_of(document), image_files.media_type_of(document))
    if isinstance(kept.get("config"), dict):
        kept["config"] = _renamed(kept["config"])
    for name in ("layers", "manifests"):
        if isinstance(kept.get(name), list):
            kept[name] = [_renamed(one) if isinstance(one, dict) else one for one in kept[name]]
    return kept


def _renamed(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    media_type = str(descriptor.get("mediaType"))
    return dict(descriptor) | {"mediaType": _AS_OCI.get(media_type, media_type)}


def _source(project: Project, workshop: Workshop) -> Source:
    named = project.config.get("image")
    if not isinstance(named, str) or not named:
        raise Problem(
            f"{project.source}, /config/image names no image.",
            "Write the folder or tar of an OCI layout, the tar of docker save, or a reference in the registry.",
        )
    if (project.folder / named).exists():
        return _local(image_files.load(project.place(named, "/config/image"), workshop.folder / "image"))
    return _remote(project, workshop, named)


def _local(image: image_files.Image) -> Source:
    return Source(image.top, image.read, lambda one: image.content(str(one["digest"])))


def _remote(project: Project, workshop: Workshop, named: str) -> Source:
    """An image that the registry has: its blobs are linked to the artifact's repository, not sent."""
    try:
        reference = references.parse(named, "/config/image")
    except MalformedManifest as error:
        raise Problem(f"There is no file {Path(project.folder / named)}, and {named} is no reference.") from error
    if workshop.oci is None:
        raise Problem(f"{named} is in a registry, which is not asked now.", "Name a file, or publish at once.")
    repository = reference.repository or f"{workshop.repository.rpartition('/')[0]}/{reference.name}"
    oci = workshop.oci
    top = oci.manifest(repository, reference.digest or reference.version or "latest")

    def content(descriptor: Mapping[str, Any]) -> Content:
        return Content(str(descriptor["digest"]), int(descriptor["size"]), repository)

    def read(digest: str) -> bytes:
        return top.raw if digest == top.digest else oci.manifest(repository, digest).raw

    return Source({"digest": top.digest, "size": len(top.raw), "mediaType": top.media_type}, read, content)
