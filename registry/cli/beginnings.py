"""The folders with which modules and plugins begin."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from registry.cli.problems import Clash, Problem

KINDS: Final = ("node", "oci", "wasm", "binary", "external")
_JS: Final = """// What is called from outside: see `exports` and `gtypes` in gati-module.json.
exports.greet = ({ name }) => ({ greeting: `Hello, ${name}!` });
"""
_PLUGIN_JS: Final = """// Middleware: it is given each request, and what comes next.
exports.create = ({ phrase = "Hello" } = {}) => async (request, next) => {
  const response = await next(request);
  response.headers["x-greeting"] = phrase;
  return response;
};
"""
_WAT: Final = """(module
  ;; Build it with: wat2wasm add.wat -o add.wasm
  (func (export "add") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add))
"""
_WASM: Final = bytes.fromhex(
    "0061736d01000000"  # magic and version
    "01070160027f7f017f"  # a type: two numbers to one
    "03020100"  # a function of it
    "0707010361646400" + "00"  # which is exported as add
    "0a09010700200020016a0b"  # and adds
)
_C: Final = """#include <stdio.h>

int main(int count, char **words) {
    printf("Hello, %s!\\n", count > 1 ? words[1] : "world");
    return 0;
}
"""
_DOCKERFILE: Final = """FROM node:22-alpine
WORKDIR /app
COPY server.js .
USER node
EXPOSE 8080
CMD ["node", "server.js"]
"""
_SERVER: Final = """require("node:http")
  .createServer((request, response) => response.end("Hello!\\n"))
  .listen(8080);
"""
_GREETING_TYPES: Final = [
    {"name": "GreetInput", "fields": {"name": "string"}},
    {"name": "GreetOutput", "fields": {"greeting": "string"}},
]
_ADDING_TYPES: Final = [
    {"name": "AddInput", "fields": {"left": "number", "right": "number"}},
    {"name": "AddOutput", "fields": {"sum": "number"}},
]
_MACHINES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}


def module(name: str, kind: str) -> dict[str, bytes]:
    """The files of a new module of a kind, by their paths."""
    match kind:
        case "oci":
            return _oci(name)
        case "wasm":
            return _wasm(name)
        case "binary":
            return _binary(name)
        case "external":
            return _external(name)
        case _:
            return _node(name)


def plugin(name: str) -> dict[str, bytes]:
    """The files of a new plugin, by their paths."""
    config = {
        "type": "node",
        "entry": "dist/index.js",
        "pluginKind": "middleware",
        "provides": [name],
        "configSchema": {"kind": "object", "properties": {"phrase": {"kind": "string"}}},
    }
    more = {"requiredModules": [], "capabilities": ["log:write"], "engines": {"gati": ">=1.0.0"}}
    how = "Publish it with `gati plugin publish`, use it with `gati plugin install`."
    return _files(name, "plugin", config, more, how) | {"dist/index.js": _PLUGIN_JS.encode()}


def _node(name: str) -> dict[str, bytes]:
    config = {"type": "node", "entry": "dist/index.js", "nodeVersion": ">=20"}
    more = {
        "exports": {"greet": {"inputRef": "GreetInput", "outputRef": "GreetOutput"}},
        "gtypes": _GREETING_TYPES,
        "capabilities": [],
    }
    how = "Write it in `dist/`, then `gati module publish`."
    return _files(name, "module-node", config, more, how) | {"dist/index.js": _JS.encode()}


def _wasm(name: str) -> dict[str, bytes]:
    config = {"type": "wasm", "wasmFile": "add.wasm", "wasi": False}
    more = {
        "exports": {"add": {"inputRef": "AddInput", "outputRef": "AddOutput"}},
        "gtypes": _ADDING_TYPES,
        "capabilities": [],
    }
    how = "Build it with `wat2wasm add.wat -o add.wasm`, then `gati module publish`."
    return _files(name, "module-wasm", config, more, how) | {"add.wat": _WAT.encode(), "add.wasm": _WASM}


def _binary(name: str) -> dict[str, bytes]:
    system = platform.system().lower() or "linux"
    machine = _MACHINES.get(platform.machine(), platform.machine() or "amd64")
    file = f"bin/{name}-{system}-{machine}"
    config = {"type": "binary", "platforms": [{"os": system, "arch": machine, "file": file}]}
    build = f"{file}: main.c\n\tmkdir -p bin\n\tcc -O2 -o $@ main.c\n"
    how = "Build it with `make`, then `gati module publish`. Add an entry to `platforms` for each other machine."
    files = _files(name, "module-binary", config, {"capabilities": []}, how)
    return files | {"main.c": _C.encode(), "Makefile": build.encode()}


def _oci(name: str) -> dict[str, bytes]:
    config = {"type": "oci", "image": "image.tar", "ports": [8080]}
    more = {"resources": {"cpu": "100m", "mem": "64Mi"}, "capabilities": ["network:ingress"]}
    how = f"Build it with `docker build -t {name} . && docker save {name} -o image.tar`, then `gati module publish`."
    files = _files(name, "module-oci", config, more, how)
    return files | {"Dockerfile": _DOCKERFILE.encode(), "server.js": _SERVER.encode()}


def _external(name: str) -> dict[str, bytes]:
    variable = f"{name.upper().replace('-', '_')}_URL"
    config = {"type": "external", "adapter": "http-json", "protocol": "http", "endpoint": f"${{{variable}}}"}
    more = {
        "gtypes": _GREETING_TYPES,
        "capabilities": ["network:egress"],
        "env": [{"name": variable, "description": "Where the service is.", "required": True}],
    }
    how = "Say in `gtypes` what the service takes and gives, then `gati module publish`."
    return _files(name, "module-external", config, more, how)


def _files(name: str, kind: str, config: Mapping[str, Any], more: Mapping[str, Any], how: str) -> dict[str, bytes]:
    manifest = {
        "name": name,
        "version": "0.1.0",
        "type": kind,
        "description": f"What {name} is for.",
        "license": "Apache-2.0",
        "keywords": [],
        "config": config,
        **more,
    }
    return {
        "gati-module.json": json.dumps(manifest, indent=2).encode() + b"\n",
        "README.md": f"# {name}\n\nWhat {name} is for.\n\n{how}\n".encode(),
        ".gatiignore": b"*.log\n",
    }


def begin(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write the files into a folder that is empty or not there; their paths.

    Raises:
        Clash: something is in the folder.
        Problem: it cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Clash(f"{folder} is there already, and not empty.", "Choose another name, or --dir.")
        for path, content in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    except OSError as error:
        raise Problem(f"{folder} cannot be written: {error.strerror}.") from error
    return sorted(files)
