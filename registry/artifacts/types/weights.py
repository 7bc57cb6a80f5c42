"""The weights of a model: of the format that it declares, in one layer or in shards. Pure.

Shards are files of the format each, or pieces of one file. Pickles are never pieces: each must be seen whole. The
shards of an ONNX model are the files with tensors that its own layer names.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from registry.artifacts.formats import gguf, onnx, paths, pickles, safetensors, tensorrt, torch_zip, wasm
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Beyond, Reader, of_head
from registry.artifacts.model import WASM, Layer, Submission
from registry.core.errors import ArtifactInvalid, MalformedManifest, ModelFormatMismatch
from registry.core.pointers import pointer

SHARD: Final = "application/vnd.gati.model.shard.v1"
AUX: Final = "application/vnd.gati.model.aux.v1.tar+gzip"
SHARDS: Final = 1024
PLACE: Final = "dev.gati.model.shard"
FORMAT: Final = "dev.gati.model.format"
_PEEK: Final = 1 << 14
_ORDER: Final = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Format:
    """A format of weights.

    Attributes:
        begins: whether bytes look like the beginning of such a file.
        may_be_pieces: whether shards may be pieces of one file.
    """

    media_type: str
    begins: Callable[[bytes], bool]
    may_be_pieces: bool = False


def _is_pickle(head: bytes) -> bool:
    return pickles.begins(head) or torch_zip.begins(head)


def _is_wasm(head: bytes) -> bool:
    return head[:8] == b"\0asm\x01\0\0\0"


FORMATS: Final[Mapping[str, Format]] = {
    "onnx": Format("application/vnd.gati.model.onnx.v1", onnx.begins),
    "wasm": Format(WASM, _is_wasm),
    "tensorrt": Format("application/vnd.gati.model.tensorrt.v1", tensorrt.begins, may_be_pieces=True),
    "safetensors": Format("application/vnd.gati.model.safetensors.v1", safetensors.begins, may_be_pieces=True),
    "gguf": Format("application/vnd.gati.model.gguf.v1", gguf.begins, may_be_pieces=True),
    "pickle": Format("application/vnd.gati.model.pickle.v1", _is_pickle),
}
_CHECKS: Final[Mapping[str, Callable[[Reader], None]]] = {
    "safetensors": safetensors.check,
    "gguf": gguf.check,
    "tensorrt": tensorrt.check,
}
IMAGE: Final = "cuda-image"


def declared(submission: Submission) -> str:
    """The format that a model declares."""
    return str(submission.config["config"]["modelFormat"])


def check_ends(submission: Submission, layer: Layer) -> None:
    """Hold the beginning of weights against the format that is declared.

    Raises:
        ArtifactInvalid: it is another, or breaks it.
    """
    name = declared(submission)
    _check_media_type(layer, name)
    if not _stands_alone(submission, layer):
        return
    if not FORMATS[name].begins(layer.head):
        raise _mismatch(layer, name, f"They look like {_looks_like(layer.head)}.", "Correct modelFormat or the file.")
    if layer.media_type == SHARD and not _is_first(layer):
        return
    try:
        if name == "wasm":
            _refusing(layer, name, lambda: wasm.read_head(layer.head[:_PEEK]))
        elif not torch_zip.begins(layer.head):
            size = _size(submission, layer)
            _refusing(layer, name, lambda: _read(submission, name, of_head(layer.head[:_PEEK], size)))
    except Beyond:
        return


def check_whole(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    """Read weights as far as the format says anything of them.

    Raises:
        ArtifactInvalid: they are not of the format, or a pickle would import what weights do not need.
    """
    name = declared(submission)
    if not _stands_alone(submission, layer):
        return
    try:
        if name == "wasm":
            _refusing(layer, name, lambda: _read_module(file))
        elif name == "pickle" and torch_zip.begins(layer.head):
            _refusing(layer, name, lambda: torch_zip.check(file, layer.size))
        else:
            size = _size(submission, layer)
            _refusing(layer, name, lambda: _read(submission, name, Reader(file, size, layer.size)))
    except Beyond as error:
        raise _mismatch(layer, name, "Its header goes on in the next shard.", "Make the first shard larger.") from error


def check_layers(submission: Submission) -> None:
    """Hold number, titles and order of the weights against the format and `modelFile`.

    Raises:
        ArtifactInvalid: they do not fit.
    """
    name = declared(submission)
    if name == IMAGE:
        return
    whole = [layer for layer in submission.layers if layer.media_type == FORMATS[name].media_type]
    shards = ordered(submission)
    if bool(whole) == bool(shards) and not (whole and name == "onnx"):
        raise MalformedManifest(
            "It has both a layer of weights and shards." if whole else "It has no layer with weights.",
            pointer="/layers",
            document="manifest",
            value=len(submission.layers),
            suggestion=f"Push one layer of the type {FORMATS[name].media_type}, or shards of it.",
        )
    if not whole and (name in {"onnx", "wasm"}):
        _refuse_shards(shards[0], f"{name} is not published in shards alone", "Push the model as one layer of its own.")
    first = (whole or shards)[0]
    if submission.config["config"].get("modelFile") != first.title:
        raise MalformedManifest(
            "The member config.modelFile is not the title of the layer with the weights, or of their first shard.",
            pointer="/config/modelFile",
            value=submission.config["config"].get("modelFile"),
            suggestion=f"Write {first.title!r}." if first.title else "Give the layer a title, and write it there.",
        )


def ordered(submission: Submission) -> list[Layer]:
    """The shards in their order.

    Raises:
        MalformedManifest: one is missing, or there twice, or they state different numbers.
    """
    shards = [layer for layer in submission.layers if layer.media_type == SHARD]
    found: dict[int, Layer] = {}
    for layer in shards:
        match = _ORDER.fullmatch(layer.annotations.get(PLACE, ""))
        if match is None or int(match[2]) != len(shards) or int(match[1]) > len(shards) or int(match[1]) in found:
            _refuse_shards(
                layer,
                f"one of {len(shards)} shards is not, by its annotation {PLACE}, another one of them",
                f"Annotate the shards 1/{len(shards)} to {len(shards)}/{len(shards)}, each once.",
            )
        found[int(match[1])] = layer  # type: ignore[index]
    return [found[index] for index in sorted(found)]


def _refuse_shards(layer: Layer, why: str, suggestion: str) -> None:
    raise MalformedManifest(
        f"The shards are refused: {why}.",
        pointer=layer.pointer + pointer("annotations", PLACE),
        value=layer.annotations.get(PLACE),
        document="manifest",
        suggestion=suggestion,
    )


def _check_media_type(layer: Layer, name: str) -> None:
    wanted = {SHARD, FORMATS[name].media_type} if name in FORMATS else set()
    noted = layer.annotations.get(FORMAT, name)
    if layer.media_type not in wanted or noted != name:
        raise _mismatch(
            layer,
            name,
            f"The layer says {noted if noted != name else layer.media_type}.",
            f"Write {FORMATS[name].media_type}, or correct modelFormat."
            if name in FORMATS
            else "An image has no layers of weights.",
        )


def _stands_alone(submission: Submission, layer: Layer) -> bool:
    """Whether a layer is a file of the format by itself, or the beginning of one."""
    name = declared(submission)
    if layer.media_type != SHARD:
        return True
    return name != "onnx" and (_is_first(layer) or not _is_piece(name, layer))


def _is_first(layer: Layer) -> bool:
    return layer.annotations.get(PLACE, "").startswith("1/")


def _is_piece(name: str, layer: Layer) -> bool:
    """Whether a shard is no file of the format by itself, though it may be a piece of one."""
    return FORMATS[name].may_be_pieces and not FORMATS[name].begins(layer.head)


def _size(submission: Submission, layer: Layer) -> int:
    """Bytes of the file that begins in this layer."""
    if layer.media_type != SHARD or not _is_first(layer):
        return layer.size
    shards = [one for one in submission.layers if one.media_type == SHARD]
    are_pieces = any(_is_piece(declared(submission), one) for one in shards)
    return sum(one.size for one in shards) if are_pieces else layer.size


def _read(submission: Submission, name: str, reader: Reader) -> None:
    if name == "onnx":
        onnx.check(reader, functools.partial(_check_location, submission))
    elif name == "pickle":
        pickles.check(reader)
    else:
        _CHECKS[name](reader)


def _read_module(file: BinaryIO) -> None:
    if not wasm.read(file).exports:
        raise Refused("The module exports nothing that could be called.", "Export the functions of the model.")


def _check_location(submission: Submission, location: str) -> None:
    """A file with tensors beside the model: in this artifact, and nowhere else."""
    why = paths.fault(location)
    if why is not None:
        raise pickles.Unsafe(
            f"It reads tensors from {location[:200]!r}, which {why}.",
            "Name files beside the model, such as weights.bin.",
            location,
        )
    if submission.titled(location) is None and not any(layer.media_type == AUX for layer in submission.layers):
        raise pickles.Unsafe(
            f"It reads tensors from {location[:200]!r}, which is no layer of this artifact.",
            f"Push that file as a layer of the type {SHARD} with this title.",
            location,
        )


def _refusing(layer: Layer, name: str, read: Callable[[], Any]) -> None:
    try:
        read()
    except pickles.Unsafe as error:
        raise MalformedManifest(
            f"The weights are refused. {error.message}",
            pointer=layer.pointer,
            value=name,
            document="layer",
            path=error.path,
            suggestion=error.suggestion,
        ) from error
    except Refused as error:
        raise _mismatch(layer, name, error.message, error.suggestion) from error


def _mismatch(layer: Layer, name: str, what: str, suggestion: str) -> ArtifactInvalid:
    return ModelFormatMismatch(
        f"The weights are not of the format {name}, which modelFormat declares. {what}",
        pointer=layer.pointer,
        value=name,
        document="layer",
        suggestion=suggestion,
    )


def _looks_like(head: bytes) -> str:
    return next((name for name in _SURE_FIRST if FORMATS[name].begins(head)), "no format that is known")


_SURE_FIRST: Final = ("gguf", "wasm", "tensorrt", "pickle", "safetensors", "onnx")
