"""Write sentiment.onnx: a matrix product and a sigmoid."""

import sys

import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["features", "weights"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ],
    "sentiment",
    [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 2])],
    [helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 1])],
    [helper.make_tensor("weights", TensorProto.FLOAT, [2, 1], [0.75, -0.5])],
)
model = helper.make_model(graph, producer_name="gati-example", opset_imports=[helper.make_opsetid("", 17)])
onnx.checker.check_model(model)
onnx.save(model, sys.argv[1])
