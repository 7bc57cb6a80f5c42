import io
import json
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from onnx import helper

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.formats import gguf, onnx, pickles, safetensors, torch_zip
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader
from registry.artifacts.model import END, Layer, Submission
from registry.artifacts.types.weights import PLACE, SHARD
from registry.core.errors import ArtifactInvalid, MalformedManifest, ModelFormatMismatch
from tests.artifacts import weight_files
from tests.artifacts.making import layer, submit

MODEL = BY_NAME["model"]
FILES = weight_files.all_formats()


def model(form: str, *files: tuple[str, str, bytes], **config: Any) -> Submission:
    """A model in this format with these layers."""
    first = files[0][0] if files else "model"
    inner = dict(MODEL.example["config"]) | {"modelFormat": form, "modelFile": first} | config
    return submit(MODEL, {**MODEL.example, "config": inner}, files)


def single(form: str, data: bytes, label: str | None = None) -> Submission:
    """A model in one layer, which says that it is of `label`."""
    name = label or form
    return model(name, ("weights", weight_files.MEDIA_TYPES[name], data))


def judge(submission: Submission) -> checking.Checked:
    """Read all of it, as the registry does in the end."""
    found = checking.check(submission)
    for one in submission.layers:
        checking.check_whole(submission, one, io.BytesIO(one.head))
    return found


@pytest.mark.parametrize("form", FILES)
def test_a_model_of_each_format_is_taken(form: str) -> None:
    assert judge(single(form, FILES[form])).extract.version == "1.0.0"


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("label", FILES)
def test_a_model_is_refused_under_the_label_of_another_format(form: str, label: str) -> None:
    if form == label:
        judge(single(form, FILES[form]))
        return
    with pytest.raises(ModelFormatMismatch) as refused:
        judge(single(form, FILES[form], label))
    assert refused.value.status == 422
    assert refused.value.detail["pointer"] == "/layers/0"


def test_the_word_of_the_manifest_and_the_media_type_must_agree() -> None:
    submission = model("gguf", ("weights", weight_files.MEDIA_TYPES["onnx"], FILES["onnx"]))
    with pytest.raises(ModelFormatMismatch, match="not of the format gguf"):
        judge(submission)


@pytest.mark.parametrize("form", ["onnx", "safetensors", "gguf", "pickle", "wasm"])
def test_a_model_that_is_cut_off_anywhere_is_refused(form: str) -> None:
    data = FILES[form]
    for length in {0, 1, 3, 7, 8, 9, 20, len(data) // 2, len(data) - 1}:
        with pytest.raises(ArtifactInvalid):
            judge(single(form, data[:length]))


def test_an_engine_of_tensorrt_is_shown_as_unproven() -> None:
    assert "unproven" in checking.check(single("tensorrt", FILES["tensorrt"])).extract.keywords
    assert "unproven" not in checking.check(single("onnx", FILES["onnx"])).extract.keywords


def header(raw: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(raw)) + raw + body


def tensor(**fields: Any) -> bytes:
    return json.dumps({"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 1 << 62) + b"{" * 20,
        header(b"{" * 200_000),
        header(b'{"a":' + b"[" * 5000),
        header(tensor(), bytes(7)),
        header(tensor(), bytes(9)),
        header(tensor(shape=[3]), bytes(8)),
        header(tensor(shape=[1 << 40, 1 << 40, 1 << 40]), bytes(8)),
        header(tensor(shape=[-2]), bytes(8)),
        header(tensor(shape=[True, 2]), bytes(8)),
        header(tensor(dtype="F33"), bytes(8)),
        header(tensor(data_offsets=[8, 16]), bytes(16)),
        header(tensor(data_offsets=[8, 0]), bytes(8)),
        header(
            b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],'
            b'"data_offsets":[1,3]}}',
            bytes(3),
        ),
        header(b'{"t":1,"t":2}'),
        header(b'{"__metadata__":{"a":1}}'),
        header(b'[{"t":1}]'),
    ],
)
def test_a_header_of_safetensors_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        safetensors.check(Reader(io.BytesIO(data), len(data)))


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_and_orders_of_gguf_are_read(version: int) -> None:
    data = weight_files.gguf_file(version=version)
    gguf.check(Reader(io.BytesIO(data), len(data)))
    big = weight_files.gguf_file(order=">", alignment=64)
    gguf.check(Reader(io.BytesIO(big), len(big)))


def gguf_with(at: int, data: bytes) -> bytes:
    base = weight_files.gguf_file()
    return base[:at] + data + base[at + len(data) :]


@pytest.mark.parametrize(
    "data",
    [
        gguf_with(4, struct.pack("<I", 4)),
        gguf_with(8, struct.pack("<Q", 1 << 63)),
        gguf_with(16, struct.pack("<Q", 60_000)),
        gguf_with(24, struct.pack("<Q", 1 << 40)),
        weight_files.gguf_file()[:-1],
        weight_files.gguf_file().replace(b"general.alignment\x04\0\0\0\x20", b"general.alignment\x04\0\0\0\x00"),
        weight_files.gguf_file().replace(b"tokenizer.tokens\x09", b"tokenizer.tokens\x0d"),
        weight_files.gguf_file().replace(b"\x08\0\0\0\x03\0\0\0\0\0\0\0", b"\x09\0\0\0\x03\0\0\0\0\0\0\0"),
        weight_files.gguf_file().replace(b"\x08\0\0\0\x03\0\0\0\0\0\0\0", b"\x08\0\0\0\xff\xff\xff\0\0\0\0\0"),
        weight_files.gguf_file().replace(b"t1", b"t0"),
    ],
)
def test_a_header_of_gguf_that_lies_is_refused(data: bytes) -> None:
    spoilt = data if data != weight_files.gguf_file() else b""
    with pytest.raises(Refused):
        gguf.check(Reader(io.BytesIO(spoilt), len(spoilt)))


def seen_in(data: bytes) -> list[str]:
    found: list[str] = []
    onnx.check(Reader(io.BytesIO(data), len(data)), found.append)
    return found


def test_the_other_files_of_an_onnx_model_are_found_wherever_they_are_named() -> None:
    assert seen_in(weight_files.onnx_model(external="w.bin")) == ["w.bin"]
    assert seen_in(weight_files.onnx_in_branch("deep.bin")) == ["deep.bin", "deep.bin"]


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w", "C:\\w", "", "w\0.bin"])
def test_tensors_outside_of_the_artifact_are_refused(location: str) -> None:
    with pytest.raises(MalformedManifest, match="reads tensors from"):
        judge(single("onnx", weight_files.onnx_in_branch(location)))


def test_tensors_in_another_file_must_be_a_layer() -> None:
    data = weight_files.onnx_model(external="w.bin")
    with pytest.raises(MalformedManifest, match="no layer of this artifact"):
        judge(single("onnx", data))
    weights = layer(1, SHARD, bytes(8), "w.bin")
    submission = single("onnx", data)
    noted = replace(weights, annotations={**weights.annotations, PLACE: "1/1"})
    judge(replace(submission, layers=(*submission.layers, noted)))


def nested(levels: int) -> bytes:
    """Graphs in attributes of nodes of graphs; lengths in three bytes each."""

    def message(number: int, inner: bytes) -> bytes:
        size = len(inner)
        return bytes([number << 3 | 2, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + inner

    inner = b""
    for _ in range(levels):
        inner = message(1, message(5, message(6, inner)))
    return b"\x08\x08" + message(7, inner)


@pytest.mark.parametrize(
    "data",
    [
        weight_files.onnx_model(inputs=0),
        weight_files.onnx_model(outputs=0),
        FILES["onnx"] + FILES["onnx"],
        b"\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x08" + b"\xff" * 11,
        b"\x0b\x0c",
        nested(1000),
        helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(),
    ],
)
def test_an_onnx_model_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        seen_in(data)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_of_plain_values_is_taken_in_each_protocol(protocol: int) -> None:
    value = {"a": [1, 2.5, "x" * 300, b"y" * 300, None, True, (1,), {2, 3}, frozenset({4})], "z": 1 << 5000}
    data = pickle.dumps(value, protocol)
    pickles.check(Reader(io.BytesIO(data), len(data)))


STACK_GLOBAL = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94"
EVIL = [
    pickle.dumps(weight_files.Evil(), 2),
    pickle.dumps(weight_files.Evil(), 4),
    STACK_GLOBAL + b"\x93.",
    STACK_GLOBAL + b"00h\x00h\x01\x93.",
    STACK_GLOBAL + b"\x8c\x05torch00h\x00h\x01\x93.",
    b"\x80\x04\x8c\x05torch\x8c\x04Size\x85R\x8c\x04Size\x93.",
    b"\x80\x02(ios\nsystem\n.",
    b"\x80\x02cos\nsystem\n.",
    b"\x80\x02\x82\x01.",
    weight_files.pickle_file() + pickle.dumps(weight_files.Evil(), 4),
]


@pytest.mark.parametrize("data", EVIL)
@pytest.mark.parametrize("wrap", [bytes, weight_files.torch_file])
def test_a_pickle_that_would_run_something_is_refused(data: bytes, wrap: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedManifest, match="imports"):
        judge(single("pickle", wrap(data)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x.",
        b"\x80\x04\x8b" + struct.pack("<i", -5) + b".",
        b"\x80\x04r" + struct.pack("<I", 0xFFFFFFFF) + b".",
        b"\x80\x04Nr" + struct.pack("<I", 0xFFFFFFFF) + b".",
        b"\x80\x04" + b"(" * 300_000 + b".",
        b"\x80\x04.",
        b"\x80\x04\xff.",
        b"\x80\x04N",
        weight_files.pickle_file() + b"\0\0",
    ],
)
def test_a_pickle_that_is_damaged_or_wants_memory_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFormatMismatch):
        judge(single("pickle", data))


def test_a_file_of_torch_is_taken_with_only_what_torch_writes() -> None:
    assert judge(single("pickle", weight_files.torch_file())).pending == ()


@pytest.mark.parametrize(
    "data",
    [
        weight_files.torch_file(extra={"model/other.pkl": b"x"}),
        weight_files.torch_file(extra={"evil/data.pkl": weight_files.pickle_file()}),
        weight_files.torch_file(extra={"../data/1": b"x"}),
        weight_files.torch_file(method=8),
        weight_files.torch_file() + b"x",
        b"PK\x03\x04" + bytes(100),
        weight_files.torch_file().replace(b"model/data/0", b"model/data/1", 1),
        weight_files.torch_file()[:-22] + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 9, 65535, 1 << 31, 0, 0),
    ],
)
def test_a_zip_that_torch_would_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        torch_zip.check(io.BytesIO(data), len(data))


def shards(form: str, parts: list[bytes], places: list[str] | None = None) -> Submission:
    """A model in shards, with these annotations."""
    submission = model(form, *((f"part-{index}", SHARD, part) for index, part in enumerate(parts)))
    stated = places or [f"{index + 1}/{len(parts)}" for index in range(len(parts))]
    layers: list[Layer] = [
        replace(one, annotations={**one.annotations, PLACE: place})
        for one, place in zip(submission.layers, stated, strict=True)
    ]
    return replace(submission, layers=tuple(layers))


def test_shards_are_files_each_or_pieces_of_one() -> None:
    for form in ("safetensors", "gguf"):
        data = FILES[form]
        judge(shards(form, [data, data]))
        judge(shards(form, [data[:-20], data[-20:-10], data[-10:]]))
    assert judge(shards("pickle", [FILES["pickle"], FILES["pickle"]])).pending == ()


@pytest.mark.parametrize(
    "submission",
    [
        shards("safetensors", [FILES["safetensors"]] * 2, ["1/2", "1/2"]),
        shards("safetensors", [FILES["safetensors"]] * 2, ["1/3", "3/3"]),
        shards("safetensors", [FILES["safetensors"]] * 2, ["0/2", "1/2"]),
        shards("safetensors", [FILES["safetensors"]] * 2, ["1/2", "two"]),
        shards("safetensors", [FILES["safetensors"][:-20], FILES["safetensors"][-19:]]),
        shards("pickle", [FILES["pickle"][:-3], FILES["pickle"][-3:]]),
        shards("onnx", [FILES["onnx"]]),
        shards("wasm", [FILES["wasm"]]),
        model("safetensors"),
        model("safetensors", ("weights", weight_files.MEDIA_TYPES["safetensors"], FILES["safetensors"]), modelFile="x"),
    ],
)
def test_shards_that_are_no_whole_model_are_refused(submission: Submission) -> None:
    with pytest.raises(ArtifactInvalid):
        judge(submission)


def test_the_header_of_a_large_model_is_read_to_its_end_later() -> None:
    names = {f"layer.{index:06}.weight": None for index in range(20_000)}
    raw = json.dumps({n: {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in names}).encode()
    data = header(raw)
    assert len(data) > END
    submission = single("safetensors", data)
    assert checking.check(submission).pending == submission.layers
    checking.check_whole(submission, submission.layers[0], io.BytesIO(data))
    with pytest.raises(ModelFormatMismatch):
        checking.check_whole(submission, submission.layers[0], io.BytesIO(data[:-1] + b" "))


def test_lengths_without_limit_cost_no_memory() -> None:
    hostile = {
        "safetensors": struct.pack("<Q", 8 << 20) + b"{",
        "gguf": b"GGUF" + struct.pack("<IQQQ", 3, 65_000, 65_000, 1 << 60),
        "onnx": b"\x08\x08\x3a\xff\xff\xff\xff\x0f",
        "pickle": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40),
    }
    tracemalloc.start()
    try:
        for form, data in hostile.items():
            with pytest.raises(ArtifactInvalid):
                judge(single(form, data))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
