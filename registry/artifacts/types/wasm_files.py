"""WebAssembly in artifacts: what a module imports, against the capabilities that are declared. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Final

from registry.artifacts import capabilities
from registry.artifacts.formats import archive, wasm
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.model import Layer, Submission
from registry.core.errors import MalformedManifest

_WASI: Final = re.compile(r"wasi_(?:snapshot_preview[0-9]+|unstable|ephemeral_[a-z_]+)|wasi:[a-z0-9-]+/.+")
_GATI: Final = re.compile(r"gati:([a-z][a-z0-9-]*)(?:/([a-z][a-z0-9_-]*))?(?:@.+)?")
_HARMLESS: Final = re.compile(
    r"abort|seed|trace|memory|table|__[a-z_]+|(?:Date|Math|performance)\.[A-Za-z0-9_]+|console\.[a-z]+"
)
_ENV: Final = "env"
_READS: Final = frozenset({"fd_readdir", "path_filestat_get", "path_readlink", "path_open"})
_WRITES: Final = frozenset(
    {
        "fd_allocate",
        "fd_filestat_set_size",
        "fd_filestat_set_times",
        "path_create_directory",
        "path_filestat_set_times",
        "path_link",
        "path_remove_directory",
        "path_rename",
        "path_symlink",
        "path_unlink_file",
    }
)
_SOCKETS: Final = {"sock_accept": "network:ingress", "sock_bind": "network:ingress", "sock_listen": "network:ingress"}
_INTERFACES: Final = {
    "http": "network:egress",
    "sockets": "network:egress",
    "filesystem": "filesystem:read",
    "keyvalue": "cache:read",
    "blobstore": "filesystem:read",
    "messaging": "queue",
}
_CALLS: Final = {
    "fetch": "network:egress",
    "http_fetch": "network:egress",
    "http_request": "network:egress",
    "http_read": "network:egress",
    "log": "log:write",
    "abort": None,
    "memory": None,
    "now": None,
    "random": None,
}
_EITHER: Final = frozenset({"path_open"})


def needed(one: wasm.Named) -> tuple[str, ...]:
    """The capabilities of which one must be declared for an import; empty where none is needed.

    Raises:
        KeyError: nothing that runs artifacts provides it.
    """
    if one.kind != "function" and one.module in {_ENV, "gati"}:
        return ()
    if is_wasi(one.module):
        return _needed_of_wasi(one)
    match = _GATI.fullmatch(one.module)
    if match is not None:
        action = match[2] or re.sub(r"[^a-z0-9_-]", "-", one.name.lower())
        return (capabilities.normalise(f"{match[1]}:{action}"),)
    if one.module == "gati":
        return _needed_of_gati(one.name)
    if one.module == _ENV and _HARMLESS.fullmatch(one.name):
        return ()
    raise KeyError(one.module)


def is_wasi(module: str) -> bool:
    """Whether imports from it are those of WASI."""
    return _WASI.fullmatch(module) is not None


def check_imports(
    imports: Iterable[wasm.Named], config: Mapping[str, Any], layer: Layer, path: str | None = None
) -> None:
    """Hold what a module imports against what the Gati manifest declares.

    Args:
        imports: of the module.
        config: the Gati manifest; `config.wasi` must be true for imports of WASI.
        layer: where it is.
        path: inside of the layer, where that is an archive.

    Raises:
        MalformedManifest: it imports what is not declared, or what nothing provides.
    """
    granted = frozenset(capabilities.gather(config))
    for one in imports:
        if is_wasi(one.module) and config["config"].get("wasi") is not True:
            raise _undeclared(one, "/config/wasi", 'Write "wasi": true into config, or build it without WASI.')
        try:
            wanted = needed(one)
        except (KeyError, ValueError) as error:
            raise _unknown(one, layer, path) from error
        if wanted and not any(capabilities.covers(granted, capability) for capability in wanted):
            raise _undeclared(
                one, "/capabilities", f'Add "{wanted[0]}" to capabilities, or build it without this call.'
            )


def check_ends(submission: Submission, layer: Layer) -> None:
    """The start of a layer that is a module, and its imports as far as they show.

    Raises:
        MalformedManifest: it is no module, or imports what is not declared.
    """
    try:
        imports = wasm.read_head(layer.head)
    except Refused as error:
        raise archive.refusal(error, layer.pointer, "The module is refused.") from error
    check_imports(imports or (), submission.config, layer)


def check_whole(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    """All of a layer that is a module.

    Raises:
        MalformedManifest: it is no module, or imports what is not declared.
    """
    try:
        outline = wasm.read(file)
    except Refused as error:
        raise archive.refusal(error, layer.pointer, "The module is refused.") from error
    check_imports(outline.imports, submission.config, layer)


def _needed_of_wasi(one: wasm.Named) -> tuple[str, ...]:
    if one.module.startswith("wasi:"):
        capability = _INTERFACES.get(one.module.removeprefix("wasi:").partition("/")[0])
        return (capability,) if capability else ()
    if one.name.startswith("sock_"):
        return (_SOCKETS.get(one.name, "network:egress"),)
    if one.name in _EITHER:
        return ("filesystem:read", "filesystem:write")
    if one.name in _WRITES:
        return ("filesystem:write",)
    return ("filesystem:read", "filesystem:write") if one.name in _READS else ()


def _needed_of_gati(name: str) -> tuple[str, ...]:
    """`log`, `db_read`, `db.read`, `db:read`: the capability that the name of a host's function says."""
    if name in _CALLS:
        capability = _CALLS[name]
        return (capability,) if capability else ()
    domain, _, action = re.sub(r"[.:/_]", ":", name, count=1).partition(":")
    return (capabilities.normalise(f"{domain}:{action}" if action else domain),)


def _undeclared(one: wasm.Named, place: str, suggestion: str) -> MalformedManifest:
    return MalformedManifest(
        f"The module imports {_shown(one)}, which the Gati manifest does not declare.",
        pointer=place,
        value=_shown(one),
        suggestion=suggestion,
    )


def _unknown(one: wasm.Named, layer: Layer, path: str | None) -> MalformedManifest:
    return MalformedManifest(
        f"The module imports {_shown(one)}, which nothing provides where it runs.",
        pointer=layer.pointer,
        document="layer",
        path=path,
        value=_shown(one),
        suggestion="Import functions of the host from gati:<domain>/<action>, such as gati:db/read, or from WASI.",
    )


def _shown(one: wasm.Named) -> str:
    return f"{one.module[:80]}.{one.name[:80]}"
