"""Writes the trained mirror as four small ONNX graphs, so that a simulation computes nothing twice.

    item.onnx    attributes [n,A], vectors [n,V]                            -> item [n,D]      once per catalogue
    start.onnx   profile [n,P]                                              -> state [n,S], query [n,Q]
    update.onnx  state [n,S], item [n,D], event [n,3]                       -> state_next [n,S], query [n,Q]
    choice.onnx  query [n,Q], item [n,K,Dc], context [n,K,C], slots [n,K]   -> choice [n,K+1], rating [n,K,5]

fp32, standard operators, no statistic over the batch: a row depends on nothing but itself. The graphs are written
node by node, so equal weights give equal bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mirror import EVENT, PADDED, RATINGS, Dims, Params

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


def build(params: Params, dims: Dims, temperature: float = 1.0) -> dict[str, onnx.ModelProto]:
    """The four graphs; the choice logits are divided by `temperature` (its weights are folded in)."""
    layers = {name: {k: np.asarray(v, np.float32) for k, v in layer.items()} for name, layer in params.items()}
    for name in ("choice", "reject_out"):
        layers[name] = {k: (v / np.float32(temperature)) for k, v in layers[name].items()}
    return {
        "item": item_graph(layers, dims),
        "start": start_graph(layers, dims),
        "update": update_graph(layers, dims),
        "choice": choice_graph(layers, dims),
    }


def write(models: dict[str, onnx.ModelProto], folder: Path) -> dict[str, int]:
    """Writes NAME.onnx for every graph and returns their sizes in bytes."""
    sizes = {}
    for name, model in models.items():
        data = model.SerializeToString(deterministic=True)
        (folder / f"{name}.onnx").write_bytes(data)
        sizes[name] = len(data)
    return sizes


def item_graph(layers: dict, dims: Dims) -> onnx.ModelProto:
    g = Graph("item")
    both = g.node("Concat", ["attributes", "vectors"], "known", axis=1)
    hidden = g.node("Relu", [_gemm(g, both, layers["item_in"], "item_linear")], "item_hidden")
    made = _gemm(g, hidden, layers["item_out"], "made_part")
    g.node("Add", [made, _gemm(g, "vectors", layers["vector"], "vector_part")], "item")
    return g.model({"attributes": ["n", dims.attributes], "vectors": ["n", dims.vectors]}, {"item": ["n", dims.item]})


def start_graph(layers: dict, dims: Dims) -> onnx.ModelProto:
    """The averages of a user without history are zero: zero columns in front of the profile's weights."""
    g = Graph("start")
    empty = dims.state - dims.start
    weight = np.pad(layers["profile"]["w"], ((0, 0), (empty, 0)))
    bias = np.pad(layers["profile"]["b"], (empty, 0))
    g.node("Tanh", [g.gemm("profile", weight, bias, "profile_linear")], "state")
    _query(g, "state", layers)
    return g.model({"profile": ["n", dims.profile]}, {"state": ["n", dims.state], "query": ["n", dims.query]})


def update_graph(layers: dict, dims: Dims) -> onnx.ModelProto:
    g = Graph("update")
    g.split("item", [dims.choice_item, dims.event_item], 1, "choice_part", "event_part")
    given = _gemm(g, "event", layers["event"], "event_linear")
    x = g.node("Tanh", [g.node("Add", ["event_part", given], "x_linear")], "x")
    decays = np.repeat(np.asarray(dims.decays, np.float64), dims.event_item)
    tiled = g.node("Concat", [x] * len(dims.decays), "x_tiled", axis=1)
    gained = g.node("Mul", [tiled, g.constant("gain", 1 - decays)], "gained")
    g.split("state", [dims.state - dims.start, dims.start], 1, "averages", "known")
    faded = g.node("Mul", ["averages", g.constant("decay", decays)], "faded")
    g.node("Concat", [g.node("Add", [faded, gained], "averages_next"), "known"], "state_next", axis=1)
    _query(g, "state_next", layers)
    return g.model(
        {"state": ["n", dims.state], "item": ["n", dims.item], "event": ["n", EVENT]},
        {"state_next": ["n", dims.state], "query": ["n", dims.query]},
    )


def choice_graph(layers: dict, dims: Dims) -> onnx.ModelProto:
    g = Graph("choice")
    g.split("query", [dims.choice_item, dims.hidden, dims.reject], 1, "gate", "bias", "reject_part")
    hidden = _slots_hidden(g, layers)
    both = {k: np.concatenate([layers["choice"][k], layers["rating"][k]], axis=-1) for k in ("w", "b")}
    out = g.node("MatMul", [hidden, g.constant("out_w", both["w"])], "out_linear")
    out = g.node("Add", [out, g.constant("out_b", both["b"])], "out")
    g.split(out, [1, RATINGS], 2, "score_column", "rating")
    score = g.node("Squeeze", ["score_column", g.constant("last_axis", [2])], "score")
    used = g.node("Cast", ["slots"], "used", to=TensorProto.BOOL)
    score = g.node("Where", [used, score, g.constant("padded", PADDED)], "score_used")
    g.node("Concat", [score, _reject(g, layers)], "choice", axis=1)
    return g.model(
        {
            "query": ["n", dims.query],
            "item": ["n", "k", dims.choice_item],
            "context": ["n", "k", dims.context],
            "slots": ["n", "k"],
        },
        {"choice": ["n", "k_and_reject"], "rating": ["n", "k", RATINGS]},
    )


def _slots_hidden(g: Graph, layers: dict) -> str:
    """[n,k,H]; the layer's own bias rides on the user's, which is one row per user instead of one per slot."""
    axis = g.constant("slot_axis", [1])
    gated = g.node("Mul", [g.node("Unsqueeze", ["gate", axis], "gate_row"), "item"], "gated")
    seen = g.node("Concat", [gated, "context"], "seen", axis=2)
    product = g.node("MatMul", [seen, g.constant("slot_w", layers["slot"]["w"])], "slot_linear")
    bias = g.node("Add", ["bias", g.constant("slot_b", layers["slot"]["b"])], "user_bias")
    bias = g.node("Unsqueeze", [bias, axis], "user_bias_row")
    return g.node("Relu", [g.node("Add", [product, bias], "slot_sum")], "slot_hidden")


def _reject(g: Graph, layers: dict) -> str:
    """[n,1]; (number - 1) / 4 is folded into the weights."""
    weight, bias = layers["reject_in"]["w"].copy(), layers["reject_in"]["b"].copy()
    weight[-1] /= 4
    bias -= weight[-1]
    number = g.node("ReduceSum", ["slots", g.constant("number_axis", [1])], "number", keepdims=1)
    both = g.node("Concat", ["reject_part", number], "reject_seen", axis=1)
    hidden = g.node("Relu", [g.gemm(both, weight, bias, "reject_linear")], "reject_hidden")
    return _gemm(g, hidden, layers["reject_out"], "reject_score")


def _query(g: Graph, state: str, layers: dict) -> str:
    hidden = g.node("Relu", [_gemm(g, state, layers["query_in"], "query_linear")], "query_hidden")
    return _gemm(g, hidden, layers["query_out"], "query")


def _gemm(g: Graph, x: str, layer: dict[str, np.ndarray], out: str) -> str:
    return g.gemm(x, layer["w"], layer["b"], out)
