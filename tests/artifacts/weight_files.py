"""Small files of the formats of weights, made by the libraries of each where there is one."""

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from registry.artifacts.types.examples import ADDER

MEDIA_TYPES = {
    "onnx": "application/vnd.gati.model.onnx.v1",
    "safetensors": "application/vnd.gati.model.safetensors.v1",
    "gguf": "application/vnd.gati.model.gguf.v1",
    "tensorrt": "application/vnd.gati.model.tensorrt.v1",
    "pickle": "application/vnd.gati.model.pickle.v1",
    "wasm": "application/wasm",
}


def onnx_model(*, external: str | None = None, inputs: int = 1, outputs: int = 1) -> bytes:
    """A model that adds a constant; its constant may lie in another file."""
    tensor = numpy_helper.from_array(np.ones(2, dtype=np.float32), "one")
    if external is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=external)
    shaped = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "one"], ["y"])
    graph = helper.make_graph([node], "adds", shaped[:1][:inputs], shaped[1:][:outputs], [tensor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def onnx_in_branch(external: str) -> bytes:
    """The same with a tensor of a branch of a condition in another file."""
    inner = onnx.load_from_string(onnx_model(external=external)).graph
    del inner.input[:]
    outer = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    given = helper.make_tensor_value_info("c", TensorProto.BOOL, [1])
    graph = helper.make_graph([outer], "asks", [given], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def safetensors_file() -> bytes:
    """Two tensors."""
    return save({"a": np.ones((2, 3), dtype=np.float32), "b": np.zeros(5, dtype=np.int8)}, {"format": "np"})


def _text(value: bytes, order: str) -> bytes:
    return struct.pack(order + "Q", len(value)) + value


def gguf_file(*, version: int = 3, order: str = "<", tensors: int = 2, alignment: int = 32) -> bytes:
    """A header with values of several types, and tensors of 32 floats each."""
    values = _text(b"general.alignment", order) + struct.pack(order + "II", 4, alignment)
    values += _text(b"general.name", order) + struct.pack(order + "I", 8) + _text(b"small", order)
    words = struct.pack(order + "IIQ", 9, 8, 3) + b"".join(_text(word, order) for word in (b"a", b"b", b""))
    values += _text(b"tokenizer.tokens", order) + words
    infos = b""
    step = -(-128 // alignment) * alignment
    for index in range(tensors):
        infos += _text(b"t%d" % index, order) + struct.pack(order + "IQIQ", 1, 32, 0, index * step)
    header = b"GGUF" + struct.pack(order + "IQQ", version, tensors, 3) + values + infos
    return header + bytes(-len(header) % alignment) + bytes(step * tensors)


def tensorrt_file() -> bytes:
    """The beginning of an engine."""
    return b"ftrt" + bytes(60)


def pickle_file(value: object | None = None) -> bytes:
    """A pickle of plain values."""
    return pickle.dumps({"weight": [0.5, 1.5], "bias": (1, 2)} if value is None else value, protocol=4)


class Evil:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        """Run it."""
        return eval, ("1 + 1",)


def torch_file(inner: bytes | None = None, *, extra: Mapping[str, bytes] | None = None, method: int = 0) -> bytes:
    """A zip as torch.save writes it."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        archive.writestr("model/data.pkl", pickle_file() if inner is None else inner)
        archive.writestr("model/byteorder", b"little")
        archive.writestr("model/data/0", bytes(64))
        archive.writestr("model/version", b"3\n")
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return raw.getvalue()


def all_formats() -> dict[str, bytes]:
    """A valid file of each format."""
    return {
        "onnx": onnx_model(),
        "safetensors": safetensors_file(),
        "gguf": gguf_file(),
        "tensorrt": tensorrt_file(),
        "pickle": pickle_file(),
        "wasm": ADDER,
    }
