"""Submissions as a push makes them, and archives of all kinds."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from registry.artifacts.model import END, TITLE, Kind, Layer, Submission

HOME = "users/alice"


def layer(index: int, media_type: str, data: bytes, title: str | None = None) -> Layer:
    """A layer with its ends."""
    annotations = {} if title is None else {TITLE: title}
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return Layer(f"/layers/{index}", media_type, digest, len(data), annotations, data[:END], data[-END:])


def submit(
    kind: Kind, config: Mapping[str, Any] | None = None, layers: Iterable[tuple[str, str, bytes]] | None = None
) -> Submission:
    """The example of a type, or what is given of it, as a submission."""
    document = kind.example if config is None else config
    given = kind.example_layers if layers is None else layers
    made = tuple(layer(index, media_type, data, title or None) for index, (title, media_type, data) in enumerate(given))
    manifest = {
        "artifactType": kind.artifact_type,
        "config": {"mediaType": kind.config_type},
        "layers": [{"digest": one.digest, "mediaType": one.media_type} for one in made],
    }
    name, version = document.get("name", "hello"), str(document.get("version", "1.0.0"))
    return Submission(kind, f"{HOME}/{name}", (version.replace("+", "_"),), manifest, document, made)


def changed(submission: Submission, **members: Any) -> Submission:
    """The submission with other members in its Gati manifest; None takes one away."""
    config = {**submission.config, **members}
    return replace(submission, config={key: value for key, value in config.items() if value is not None})


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]], *, style: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these entries, whatever they are."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=style) as made:
        for info, data in entries:
            made.addfile(info, io.BytesIO(data) if data or info.isreg() else None)
    return raw.getvalue()


def entry(path: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """An entry of a tar."""
    info = tarfile.TarInfo(path)
    info.type = kind
    info.size = len(data)
    for name, value in fields.items():
        setattr(info, name, value)
    return info, data


def tgz(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar+gzip of these entries."""
    return gzip.compress(tar(entries), mtime=0)
