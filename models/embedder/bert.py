"""A BERT encoder as an ONNX graph, and the same computation in NumPy to check it with.

Source of the architecture: Devlin et al., "BERT" (NAACL 2019). The names of the weights are those of Hugging Face
checkpoints. The pooler is left out: sentence embeddings are means of token vectors, which the reader of the graph takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Added to the attention of padded tokens: their share is then exactly 0.
FAR = -1e9
OPSET = 17


@dataclass(frozen=True)
class Config:
    """The sizes of a model: the part of `config.json` that matters."""

    layers: int
    heads: int
    epsilon: float

    @staticmethod
    def read(values: dict) -> Config:
        if values["hidden_act"] != "gelu" or values["position_embedding_type"] != "absolute":
            raise ValueError("only `gelu` and absolute positions are built")
        return Config(values["num_hidden_layers"], values["num_attention_heads"], values["layer_norm_eps"])


def graph(config: Config, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """`input_ids`, `attention_mask`, `token_type_ids` (int64 [batch, tokens]) -> `last_hidden_state`."""
    return Builder(config, weights).model()


class Builder:
    """Collects the nodes of the graph."""

    def __init__(self, config: Config, weights: dict[str, np.ndarray]) -> None:
        self.config, self.weights = config, weights
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]
        self.nodes: list[onnx.NodeProto] = []
        self.values: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self.values.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def whole(self, *numbers: int) -> str:
        return self.constant("whole_" + "_".join(str(number) for number in numbers), np.array(numbers, np.int64))

    def real(self, number: float) -> str:
        return self.constant(f"real_{number}", np.array(number, np.float32))

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, x: str, name: str) -> str:
        kernel = self.constant(name + ".kernel", self.weights[name + ".weight"].astype(np.float32).T)
        return self.node("Add", self.node("MatMul", x, kernel), self.weight(name + ".bias"))

    def norm(self, x: str, name: str) -> str:
        scale, shift = self.weight(name + ".weight"), self.weight(name + ".bias")
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=self.config.epsilon)

    def embeddings(self) -> str:
        table = "embeddings.{}_embeddings.weight".format
        words = self.node("Gather", self.weight(table("word")), "input_ids")
        kinds = self.node("Gather", self.weight(table("token_type")), "token_type_ids")
        length = self.node("Slice", self.node("Shape", "input_ids"), self.whole(1), self.whole(2))
        places = self.node("Slice", self.weight(table("position")), self.whole(0), length, self.whole(0))
        return self.norm(self.node("Add", self.node("Add", words, kinds), places), "embeddings.LayerNorm")

    def split(self, x: str, order: list[int]) -> str:
        size = self.width // self.config.heads
        return self.node("Transpose", self.node("Reshape", x, self.whole(0, 0, self.config.heads, size)), perm=order)

    def attention(self, x: str, layer: str, mask: str) -> str:
        query = self.split(self.linear(x, layer + "attention.self.query"), [0, 2, 1, 3])
        key = self.split(self.linear(x, layer + "attention.self.key"), [0, 2, 3, 1])
        value = self.split(self.linear(x, layer + "attention.self.value"), [0, 2, 1, 3])
        scale = self.real(1.0 / math.sqrt(self.width // self.config.heads))
        scores = self.node("Add", self.node("Mul", self.node("MatMul", query, key), scale), mask)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        joined = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.whole(0, 0, self.width))
        added = self.node("Add", self.linear(joined, layer + "attention.output.dense"), x)
        return self.norm(added, layer + "attention.output.LayerNorm")

    def feed_forward(self, x: str, layer: str) -> str:
        wide = self.linear(x, layer + "intermediate.dense")
        share = self.node("Erf", self.node("Mul", wide, self.real(math.sqrt(0.5))))
        gelu = self.node("Mul", self.node("Mul", wide, self.real(0.5)), self.node("Add", share, self.real(1.0)))
        return self.norm(self.node("Add", self.linear(gelu, layer + "output.dense"), x), layer + "output.LayerNorm")

    def model(self) -> onnx.ModelProto:
        shown = self.node("Cast", "attention_mask", to=TensorProto.FLOAT)
        hidden = self.node("Mul", self.node("Sub", self.real(1.0), shown), self.real(FAR))
        mask = self.node("Unsqueeze", hidden, self.whole(1, 2))
        x = self.embeddings()
        for layer in range(self.config.layers):
            name = f"encoder.layer.{layer}."
            x = self.feed_forward(self.attention(x, name, mask), name)
        self.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"], name="last_hidden_state"))
        shape = ["batch", "tokens"]
        names = ["input_ids", "attention_mask", "token_type_ids"]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
        output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, self.width])
        body = helper.make_graph(self.nodes, "bert", inputs, [output], list(self.values.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(body, opset_imports=opsets, ir_version=8, producer_name="recmirror")
        onnx.checker.check_model(model)
        return model


def forward(config: Config, weights: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What the graph is to compute, in double precision, token type 0."""
    w = {name: value.astype(np.float64) for name, value in weights.items() if value.dtype.kind == "f"}
    erf = np.vectorize(math.erf, otypes=[np.float64])

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + config.epsilon) * w[name + ".weight"] + w[name + ".bias"]

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x + w["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings.LayerNorm")
    batch, tokens, width = x.shape
    size = width // config.heads
    for place in range(config.layers):
        layer = f"encoder.layer.{place}."
        parts = [linear(x, f"{layer}attention.self.{part}") for part in ("query", "key", "value")]
        query, key, value = (part.reshape(batch, tokens, config.heads, size).swapaxes(1, 2) for part in parts)
        scores = query @ key.swapaxes(2, 3) / math.sqrt(size) + np.where(mask, 0.0, FAR)[:, None, None]
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = shares / shares.sum(-1, keepdims=True) @ value
        joined = mixed.swapaxes(1, 2).reshape(batch, tokens, width)
        x = norm(linear(joined, layer + "attention.output.dense") + x, layer + "attention.output.LayerNorm")
        wide = linear(x, layer + "intermediate.dense")
        gelu = 0.5 * wide * (1.0 + erf(wide * math.sqrt(0.5)))
        x = norm(linear(gelu, layer + "output.dense") + x, layer + "output.LayerNorm")
    return x


def check(model: onnx.ModelProto, config: Config, weights: dict[str, np.ndarray]) -> float:
    """The largest difference between the graph in ONNX Runtime and the computation in NumPy, on random tokens."""
    import onnxruntime

    rng = np.random.default_rng(1)
    words, places = (weights[f"embeddings.{kind}_embeddings.weight"].shape[0] for kind in ("word", "position"))
    ids = rng.integers(0, words, (3, min(24, places)), np.int64)
    mask = (np.arange(ids.shape[1]) < np.array([[ids.shape[1]], [5], [1]])).astype(np.int64)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (found,) = session.run(["last_hidden_state"], inputs)
    return float(np.abs(found - forward(config, weights, ids, mask)).max())
