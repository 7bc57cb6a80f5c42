"""OCI image layouts in tars, as `gati … build --out` writes them."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

import httpx

from registry.infra.http.boundary import Boundary
from tests.pushing import OCI_MANIFEST, descriptor, digest
from tests.web.town import Person, Town

TYPE = "application/vnd.gati.module.external.v1"
CONFIG = "application/vnd.gati.module.external.config.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Piece:
    """A module of the type external: `more` are members of its Gati manifest."""

    name: str
    version: str = "1.0.0"
    layers: tuple[bytes, ...] = (b"{}",)
    more: dict[str, Any] = field(default_factory=dict)
    layer_type: str = EMPTY_TYPE

    @property
    def config(self) -> bytes:
        """The Gati manifest."""
        inner = {"type": "external", "adapter": "http-adapter", "protocol": "http"}
        return json.dumps({"name": self.name, "version": self.version, "config": inner} | self.more).encode()

    @property
    def manifest(self) -> bytes:
        """The OCI manifest."""
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": TYPE,
            "config": descriptor(self.config, CONFIG),
            "layers": [descriptor(layer, self.layer_type) for layer in self.layers],
        }
        return json.dumps(body).encode()

    @property
    def files(self) -> dict[str, bytes]:
        """The layout, by path."""
        blobs = {_path(one): one for one in (self.config, *self.layers, self.manifest)}
        index = {"schemaVersion": 2, "manifests": [descriptor(self.manifest, OCI_MANIFEST)]}
        layout = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index).encode()}
        return layout | blobs


def _path(content: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def packed(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[call-overload]
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


async def post(town: Town, path: str, body: bytes, by: Person | None = None, **headers: str) -> httpx.Response:
    """The answer to an upload in one piece; `headers` with `_` for `-`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Content-Type": "application/octet-stream", "X-Artifact-Digest": digest(body)} | given
    if by is not None:
        fields["Authorization"] = f"Bearer {by.token}"
    transport = httpx.ASGITransport(Boundary(town.door), raise_app_exceptions=False, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=fields) as client:
        return await client.post(path, content=body)
