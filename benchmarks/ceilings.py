"""What cannot be beaten: nginx with the same bytes as files, sha256 alone, a file with fdatasync alone."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.contenders import ADDRESS, Contender, free_port, launch
from benchmarks.load import Absent
from benchmarks.plan import MIB
from benchmarks.process_cost import Server

NGINX: Final = "nginx"
_PLACES: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
_PIECE: Final = 256 * 1024
_CONFIG: Final = """\
worker_processes {workers};
pid {folder}/nginx.pid;
error_log /dev/null crit;
daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=100000 inactive=600s;
  open_file_cache_valid 600s;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  default_type application/octet-stream;
  server {{
    listen {address}:{port} backlog=4096;
    root {folder}/www;
    location = /v2/ {{ default_type application/json; return 200 '{{}}'; }}
  }}
}}
"""


def nginx(folder: Path) -> Contender:
    """Start an nginx that serves `folder/www`.

    Raises:
        Absent: it is not installed, or does not start.
    """
    program = shutil.which("nginx", path=_PLACES)
    if program is None:
        raise Absent("nginx is not installed: apt install nginx-light")
    port = free_port()
    (folder / "www").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    settings = _CONFIG.format(workers=os.cpu_count() or 1, folder=folder, address=ADDRESS, port=port)
    config.write_text(user + settings)
    process, seconds = launch([program, "-c", str(config)], dict(os.environ), port)
    title = "nginx, the same bytes as files"
    server = Server((process.pid,))
    return Contender(NGINX, port, "ceiling", server, title, folder=folder, process=process, started_in=seconds)


def put_files(contender: Contender, files: Mapping[str, bytes | Path]) -> None:
    """Let nginx serve these bytes, or these files, which are moved, under these paths."""
    assert contender.folder is not None  # noqa: S101 - it was started here
    for path, content in files.items():
        place = contender.folder / "www" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        else:
            shutil.move(content, place)


def hashing() -> float:
    """MB/s of sha256 on one core, as `openssl speed` measures it.

    Raises:
        Absent: there is no openssl.
    """
    if shutil.which("openssl") is None:
        raise Absent("openssl is not installed: apt install openssl")
    command = ["openssl", "speed", "-seconds", "1", "-bytes", "16384", "-evp", "sha256"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^sha256\s+([\d.]+)k", said, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise Absent(f"openssl speed says nothing that can be read: {said[-200:]}")
    return float(found[1]) / 1000


def file_write(folder: Path, size: int) -> float:
    """MB/s of writing a new file of `size` bytes and making it durable."""
    path, piece = folder / "ceiling", os.urandom(_PIECE)
    begun = time.monotonic()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for _ in range(size // _PIECE):
            os.write(file, piece)
        os.fdatasync(file)
        return size / (time.monotonic() - begun) / 1e6
    finally:
        os.close(file)
        path.unlink()


def writing(folder: Path) -> float:
    """MB/s of a durable file of 100 MiB: the median of five."""
    return sorted(file_write(folder, 100 * MIB) for _ in range(5))[2]
