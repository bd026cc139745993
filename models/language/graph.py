"""Builds the ONNX graph of a Llama-like causal language model from its weights, without torch.

Inputs and outputs have the names of Hugging Face Optimum exports: `input_ids`, `attention_mask`, `position_ids` and
`past_key_values.N.key/value` give `logits` and `present.N.key/value`. The optional input `num_logits_to_keep` (as in
the exports for transformers.js) says for how many of the last tokens logits are wanted: the product with the
vocabulary is a fifth of the work of a small model.

Weights have the names and the layout of Hugging Face checkpoints: `model.layers.0.self_attn.q_proj.weight`, [out, in].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
#: Weights that share one scale in the 8-bit form.
BLOCK = 32
LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class Config:
    """Sizes of a model, with the names of `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    rope_theta: float
    rms_norm_eps: float
    max_position_embeddings: int
    tie_word_embeddings: bool = True
    attention_bias: bool = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True)
class Form:
    """How the graph is written down: which attention, how many bits, which inputs."""

    #: `fused`: GroupQueryAttention of ONNX Runtime; `plain`: operators of ONNX alone, as an export by torch has them.
    attention: str = "fused"
    #: 32, or 8 for weights in blocks with one scale each. What is multiplied with them is rounded to 8 bits, too, row by row.
    bits: int = 32
    #: Matrices that stay in 32 bits whatever the others do.
    exact: frozenset[str] = frozenset()
    position_ids: bool = True
    num_logits_to_keep: bool = True


def build(config: Config, weights: dict[str, np.ndarray], form: Form) -> ModelProto:
    """The model as a graph. Equal weights give equal bytes."""
    return _Builder(config, weights, form).model()


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A matrix [out, in] as bytes [out, blocks, BLOCK] around 128 and one scale a block, as MatMulNBits reads them."""
    rows, columns = weight.shape
    if columns % BLOCK:
        raise ValueError(f"{columns} columns are not a multiple of {BLOCK}")
    blocks = weight.astype(np.float32).reshape(rows, columns // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=2) / np.float32(127)
    divisors = np.where(scales == 0, np.float32(1), scales)
    steps = np.rint(blocks / divisors[:, :, None])
    return (steps + 128).astype(np.uint8), scales.astype(np.float32)


class _Builder:
    def __init__(self, config: Config, weights: dict[str, np.ndarray], form: Form) -> None:
        self.config, self.weights, self.form = config, weights, form
        self.nodes, self.constants = [], {}
        self.inputs, self.outputs = [], []

    # --- pieces -----------------------------------------------------------------------------------------------------

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def number(self, *values: int) -> str:
        return self.constant("int" + "".join(f"_{value}" for value in values), np.array(values, np.int64))

    def scalar(self, value: int) -> str:
        return self.constant(f"scalar_{value}", np.array(value, np.int64))

    def node(self, kind: str, inputs: list[str], name: str, domain: str = "", **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def weight(self, name: str) -> np.ndarray:
        if name not in self.weights:
            raise KeyError(f"no weight `{name}`")
        return self.weights[name].astype(np.float32)

    def linear(self, x: str, weight: str, name: str, bias: str | None = None) -> str:
        matrix = self.weight(weight)
        if self.form.bits == 8 and weight not in self.form.exact:
            steps, scales = quantise(matrix)
            inputs = [x, self.constant(f"{weight}.steps", steps), self.constant(f"{weight}.scales", scales)]
            sizes = {"K": matrix.shape[1], "N": matrix.shape[0], "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
            y = self.node("MatMulNBits", inputs, name, MICROSOFT, **sizes)
        else:
            y = self.node("MatMul", [x, self.constant(f"{weight}.transposed", matrix.T)], name)
        if bias is None:
            return y
        return self.node("Add", [y, self.constant(bias, self.weight(bias))], f"{name}.biased")

    def norm(self, x: str, weight: str, name: str) -> str:
        scale = self.constant(weight, self.weight(weight))
        if self.form.attention == "fused":
            return self.node(
                "SimplifiedLayerNormalization", [x, scale], name, axis=-1, epsilon=self.config.rms_norm_eps
            )
        square = self.node("Mul", [x, x], f"{name}.square")
        mean = self.node("ReduceMean", [square, self.number(-1)], f"{name}.mean", keepdims=1)
        epsilon = self.constant("epsilon", np.array(self.config.rms_norm_eps, np.float32))
        root = self.node("Sqrt", [self.node("Add", [mean, epsilon], f"{name}.shifted")], f"{name}.root")
        return self.node("Mul", [self.node("Div", [x, root], f"{name}.unit"), scale], name)

    def port(self, name: str, kind: int, shape: list) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    # --- the model --------------------------------------------------------------------------------------------------

    def model(self) -> ModelProto:
        config, form = self.config, self.form
        self.port("input_ids", TensorProto.INT64, ["batch", "sequence"])
        self.port("attention_mask", TensorProto.INT64, ["batch", "total"])
        if form.position_ids:
            self.port("position_ids", TensorProto.INT64, ["batch", "sequence"])
        if form.num_logits_to_keep:
            self.port("num_logits_to_keep", TensorProto.INT64, [])
        self.prepare()
        table = self.constant("model.embed_tokens.weight", self.weight("model.embed_tokens.weight"))
        x = self.node("Gather", [table, "input_ids"], "embedded")
        for layer in range(config.num_hidden_layers):
            x = self.layer(layer, x)
        if form.num_logits_to_keep:
            first = self.node(
                "Reshape", [self.node("Neg", ["num_logits_to_keep"], "from_end"), self.number(1)], "first"
            )
            x = self.node("Slice", [x, first, self.number(np.iinfo(np.int64).max), self.number(1)], "kept")
        x = self.norm(x, "model.norm.weight", "final")
        self.head(x)
        self.outputs.insert(
            0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "kept", config.vocab_size])
        )
        graph = helper.make_graph(self.nodes, "language", self.inputs, self.outputs, list(self.constants.values()))
        operators = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=operators, ir_version=10, producer_name="recmirror")

    def head(self, x: str) -> None:
        tied = self.config.tie_word_embeddings
        name = "model.embed_tokens.weight" if tied else "lm_head.weight"
        if self.form.bits == 32 and tied:
            # The runtime folds the transposition at load: the file holds the table once.
            self.node("MatMul", [x, self.node("Transpose", [name], "head", perm=[1, 0])], "logits")
        else:
            self.linear(x, name, "logits")

    def prepare(self) -> None:
        """What all layers share: angles of the positions, and what may look at what."""
        config = self.config
        half = np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim
        angles = np.arange(config.max_position_embeddings)[:, None] / np.power(config.rope_theta, half)[None]
        cosines = self.constant("cosines", np.cos(angles).astype(np.float32))
        sines = self.constant("sines", np.sin(angles).astype(np.float32))
        total = self.node("Shape", ["attention_mask"], "total_size", start=1, end=2)
        if self.form.attention == "fused":
            lengths = self.node("ReduceSum", ["attention_mask", self.number(1)], "mask_sums", keepdims=0)
            last = self.node("Sub", [lengths, self.number(1)], "last_places")
            self.node("Cast", [last], "seqlens_k", to=TensorProto.INT32)
            self.node("Cast", [total], "total_length", to=TensorProto.INT32)
            return
        fresh = self.node("Shape", ["input_ids"], "fresh_size", start=1, end=2)
        zero, one = self.scalar(0), self.scalar(1)
        total_scalar = self.node("Squeeze", [total], "total_scalar")
        past_scalar = self.node("Squeeze", [self.node("Sub", [total, fresh], "past_size")], "past_scalar")
        columns = self.node("Range", [zero, total_scalar, one], "columns")
        rows = self.node("Range", [past_scalar, total_scalar, one], "rows")
        positions = self.node("Unsqueeze", [rows, self.number(1)], "row_places")
        causal = self.node("LessOrEqual", [columns, positions], "causal")
        real = self.node(
            "Unsqueeze",
            [self.node("Cast", ["attention_mask"], "real", to=TensorProto.BOOL), self.number(1)],
            "real_columns",
        )
        allowed = self.node("And", [causal, real], "allowed")
        low, nothing = (
            self.constant("lowest", np.array(LOWEST, np.float32)),
            self.constant("nothing", np.array(0, np.float32)),
        )
        bias = self.node("Where", [allowed, nothing, low], "bias")
        self.node("Unsqueeze", [bias, self.number(1, 2)], "bias_by_head")
        where = (
            "position_ids" if self.form.position_ids else self.node("Unsqueeze", [rows, self.number(0)], "positions")
        )
        for name, table in [("cosine", cosines), ("sine", sines)]:
            near = self.node("Gather", [table, where], f"{name}_near")
            whole = self.node("Concat", [near, near], f"{name}_whole", axis=-1)
            self.node("Unsqueeze", [whole, self.number(1)], name)

    def layer(self, layer: int, x: str) -> str:
        path = f"model.layers.{layer}"
        y = self.norm(x, f"{path}.input_layernorm.weight", f"{path}.normed")
        projected = []
        for part in "qkv":
            name = f"{path}.self_attn.{part}_proj"
            bias = f"{name}.bias" if self.config.attention_bias else None
            projected.append(self.linear(y, f"{name}.weight", name, bias))
        past, present = [], []
        heads, size = self.config.num_key_value_heads, self.config.head_dim
        for part in ["key", "value"]:
            past.append(self.port(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, ["batch", heads, "past", size]))
            present.append(f"present.{layer}.{part}")
            info = helper.make_tensor_value_info(present[-1], TensorProto.FLOAT, ["batch", heads, "total", size])
            self.outputs.append(info)
        attend = self.fused if self.form.attention == "fused" else self.plain
        mixed = attend(path, projected, past, present)
        x = self.node(
            "Add", [x, self.linear(mixed, f"{path}.self_attn.o_proj.weight", f"{path}.mixed")], f"{path}.attended"
        )
        y = self.norm(x, f"{path}.post_attention_layernorm.weight", f"{path}.normed_again")
        gate = self.linear(y, f"{path}.mlp.gate_proj.weight", f"{path}.gate")
        open_gate = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"{path}.sigmoid")], f"{path}.open")
        up = self.linear(y, f"{path}.mlp.up_proj.weight", f"{path}.up")
        inner = self.node("Mul", [open_gate, up], f"{path}.inner")
        return self.node("Add", [x, self.linear(inner, f"{path}.mlp.down_proj.weight", f"{path}.down")], f"{path}.out")

    def fused(self, path: str, projected: list[str], past: list[str], present: list[str]) -> str:
        config = self.config
        inputs = [*projected, *past, "seqlens_k", "total_length", "cosines", "sines"]
        if self.form.position_ids:
            inputs.append("position_ids")
        sizes = {"num_heads": config.num_attention_heads, "kv_num_heads": config.num_key_value_heads}
        options = {"do_rotary": 1, "rotary_interleaved": 0, "scale": config.head_dim**-0.5}
        name = f"{path}.attention"
        self.nodes.append(
            helper.make_node(
                "GroupQueryAttention", inputs, [name, *present], name=name, domain=MICROSOFT, **sizes, **options
            )
        )
        return name

    def plain(self, path: str, projected: list[str], past: list[str], present: list[str]) -> str:
        config = self.config
        heads, groups, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        split = []
        for part, name, count in zip("qkv", projected, [heads, groups, groups], strict=True):
            shaped = self.node("Reshape", [name, self.number(0, -1, count, size)], f"{path}.{part}.shaped")
            split.append(self.node("Transpose", [shaped], f"{path}.{part}.split", perm=[0, 2, 1, 3]))
        query, key = (self.turned(f"{path}.{part}", x) for part, x in zip("qk", split[:2], strict=True))
        for old, new, name in [(past[0], key, present[0]), (past[1], split[2], present[1])]:
            self.node("Concat", [old, new], name, axis=2)
        # One group of query heads for each head of keys: [batch, groups, heads / groups, sequence, size].
        wide = self.constant(f"by_group_{groups}", np.array([0, groups, heads // groups, -1, size], np.int64))
        query = self.node("Reshape", [query, wide], f"{path}.q.grouped")
        keys, values = (self.node("Unsqueeze", [name, self.number(2)], f"{name}.grouped") for name in present)
        flipped = self.node("Transpose", [keys], f"{path}.k.flipped", perm=[0, 1, 2, 4, 3])
        scores = self.node("MatMul", [query, flipped], f"{path}.products")
        scale = self.constant("scale", np.array(size**-0.5, np.float32))
        scores = self.node("Mul", [scores, scale], f"{path}.scores")
        scores = self.node("Add", [scores, "bias_by_head"], f"{path}.masked")
        mixed = self.node(
            "MatMul", [self.node("Softmax", [scores], f"{path}.shares", axis=-1), values], f"{path}.values"
        )
        flat = self.node("Reshape", [mixed, self.number(0, heads, -1, size)], f"{path}.by_head")
        turned = self.node("Transpose", [flat], f"{path}.by_token", perm=[0, 2, 1, 3])
        return self.node("Reshape", [turned, self.number(0, -1, heads * size)], f"{path}.attention")

    def turned(self, name: str, x: str) -> str:
        """Rotary positions, the halves of a head paired."""
        half = self.config.head_dim // 2
        ends = [self.number(0), self.number(half), self.number(np.iinfo(np.int64).max), self.number(-1)]
        low = self.node("Slice", [x, ends[0], ends[1], ends[3]], f"{name}.low")
        high = self.node("Slice", [x, ends[1], ends[2], ends[3]], f"{name}.high")
        crossed = self.node("Concat", [self.node("Neg", [high], f"{name}.minus"), low], f"{name}.crossed", axis=-1)
        straight = self.node("Mul", [x, "cosine"], f"{name}.straight")
        return self.node("Add", [straight, self.node("Mul", [crossed, "sine"], f"{name}.across")], f"{name}.turned")
