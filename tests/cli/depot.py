"""A stand-in for a registry that has artifacts, and can be made to fail; it notes what it is asked."""

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.cli.stand_in import Asked, StandIn, Told, _handler, _Server, refusal

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NODE = "application/vnd.gati.module.node"
TITLE = "org.opencontainers.image.title"


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar+gzip of files; one whose name ends in `!` may be run."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.removesuffix("!"))
            entry.size, entry.mode = len(content), 0o755 if name.endswith("!") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a release."""

    content: bytes
    media_type: str = f"{NODE}.layer.v1.tar+gzip"
    title: str | None = None


@dataclass
class Depot(StandIn):
    """Artifacts by repository; `blobs` has manifests, too, and what is changed there comes changed."""

    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    media_types: dict[str, str] = field(default_factory=dict)
    referrers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def publish(self, repository: str, version: str, *layers: Layer, wants: Sequence[Any] = (), **more: Any) -> str:
        """Publish a version, a Node module of one file unless `layers` say something else; its digest."""
        name = repository.rpartition("/")[2]
        files = {"index.js": f"// {repository} {version}\n".encode()}
        shown = layers or (Layer(packed(files)),)
        config = json.dumps(
            {"name": name, "version": version, "config": {"type": "node", "entry": "index.js"}}
        ).encode()
        raw = self.manifest(config, shown, config_type=more.pop("config_type", f"{NODE}.config.v1+json"))
        return self.release(repository, version, raw, wants, **more)

    def release(self, repository: str, version: str, raw: bytes, wants: Sequence[Any] = (), **more: Any) -> str:
        """Publish a manifest as a version."""
        dependencies = [
            want if isinstance(want, dict) else {"name": want[0], "range": want[1], "relation": "dependency"}
            for want in wants
        ]
        entry = {"version": version, "digest": digest(raw), "state": "published", "type": "module-node"}
        known = {"dependencies": dependencies, "capabilities": [], "size": len(raw)}
        self.artifacts.setdefault(repository, []).append(entry | known | more)
        return digest(raw)

    def manifest(self, config: bytes, layers: Sequence[Layer], *, config_type: str) -> bytes:
        """Hold a manifest; its bytes."""
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._descriptor(Layer(config, config_type)),
            "layers": [self._descriptor(layer) for layer in layers],
        }
        return self.hold(json.dumps(document).encode(), MANIFEST)

    def hold(self, raw: bytes, media_type: str) -> bytes:
        """Hold a manifest or blob; its bytes."""
        self.blobs[digest(raw)] = raw
        self.media_types[digest(raw)] = media_type
        return raw

    def _descriptor(self, layer: Layer) -> dict[str, Any]:
        self.hold(layer.content, layer.media_type)
        titled = {} if layer.title is None else {"annotations": {TITLE: layer.title}}
        known = {"mediaType": layer.media_type, "digest": digest(layer.content), "size": len(layer.content)}
        return known | titled

    def describe(self, raw: bytes, platform: dict[str, str]) -> dict[str, Any]:
        """The entry of a manifest in an index."""
        return {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw), "platform": platform}

    def index(self, children: Sequence[dict[str, Any]]) -> bytes:
        """Hold an index; its bytes."""
        return self.hold(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode(), INDEX)

    def paths(self) -> list[str]:
        """What was asked for since the last time."""
        with self.lock:
            found = [asked.path for asked in self.asked]
            self.asked.clear()
            return found

    def _routed(self, asked: Asked) -> Told:
        match asked.path.split("/")[1:]:
            case ["v1", "artifacts", "batch"]:
                return self._batch(asked.body["names"])
            case ["v1", "artifacts", namespace, name, tag, "metadata"]:
                return self._tagged(f"{namespace.replace('~', '/')}/{name}", tag)
            case ["v2", *_, "manifests" | "blobs", reference] if reference in self.blobs:
                headers = {"Content-Type": self.media_types[reference], "Docker-Content-Digest": reference}
                return Told(200, self.blobs[reference], headers)
            case ["v2", *_, "referrers", reference]:
                return Told(200, {"schemaVersion": 2, "manifests": self.referrers.get(reference, [])})
            case ["v2", ""]:
                return Told(200, {})
        return refusal(404, "NAME_UNKNOWN", f"There is no {asked.path}.")

    def _batch(self, names: Sequence[str]) -> Told:
        items = [{"repository": name, "versions": self.artifacts[name]} for name in names if name in self.artifacts]
        return Told(200, {"items": items, "missing": [name for name in names if name not in self.artifacts]})

    def _tagged(self, repository: str, tag: str) -> Told:
        for one in self.artifacts.get(repository, []):
            if tag in one.get("tags", []):
                return Told(200, one)
        return refusal(404, "VERSION_NOT_FOUND", f"{repository} has no version {tag}.")


@contextmanager
def stocked(made: Depot | None = None) -> Iterator[Depot]:
    """A depot, that of a test's own kind if it is given, on a port of its own."""
    depot = made or Depot()
    server = _Server(("127.0.0.1", 0), _handler(depot))
    depot.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield depot
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
