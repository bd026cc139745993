"""Writes ONNX graphs node by node, so that equal weights give equal bytes, and runs them for a check.

fp32, standard operators, no statistic over the batch: a row depends on nothing but itself.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 1e-5  #: largest allowed |onnx - jax| / max(1, |jax|)
OPSET = 17
IR_VERSION = 8


class Graph:
    """Collects nodes and constants; every call names the tensor that it makes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, name: str, value: np.ndarray | float | list[int]) -> str:
        """A stored tensor: integers become int64, everything else fp32."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        self.constants[name] = np.ascontiguousarray(array) if array.ndim else array
        return name

    def node(self, op: str, inputs: list[str], *outputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, list(outputs), name=outputs[0], **attributes))
        return outputs[0]

    def gemm(self, x: str, weight: np.ndarray, bias: np.ndarray, out: str) -> str:
        """out [n,b] = x [n,a] @ weight [a,b] + bias [b]."""
        names = [self.constant(f"{out}_w", weight), self.constant(f"{out}_b", bias)]
        return self.node("Gemm", [x, *names], out)

    def split(self, x: str, sizes: list[int], axis: int, *outputs: str) -> None:
        self.node("Split", [x, self.constant(f"{outputs[0]}_split", sizes)], *outputs, axis=axis)

    def model(self, inputs: dict[str, list], outputs: dict[str, list]) -> onnx.ModelProto:
        def value(name: str, shape: list) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes,
            self.name,
            [value(*pair) for pair in inputs.items()],
            [value(*pair) for pair in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="recmirror")
        onnx.checker.check_model(model, full_check=True)
        return model


class ExportError(AssertionError):
    """A graph does not compute what the model computes."""


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Runs a graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
