"""Small archives and files that the examples of the types are made of. Pure."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from typing import Final


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar+gzip of these files, the same bytes each time with one zlib."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size = len(files[path])
            tar.addfile(entry, io.BytesIO(files[path]))
    return gzip.compress(raw.getvalue(), mtime=0)


HELLO_ARCHIVE: Final = archive({"dist/index.js": b"export const hello = (name) => `Hello, ${name}!`;\n"})
