"""Writes the small random language models of the tests: a Llama and a Qwen2 with all that a folder needs.

    python tiny.py ../../tests/fixtures/language

The numbers come from fixed seeds, so the files come out the same. The tokenizer knows all bytes and a few merges,
made for these tests.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

import reference
from graph import Config, Form, build
from weights import text

#: Merges of the byte-level vocabulary. `[A` and `[B` merge, `[C` does not: the letters differ in how they are split.
MERGES = ["t h", "th e", "i n", "a n", "e r", "o n", "Ġ a", "Ġ the", "[ A", "[ B"]
SPECIAL = ["<|end|>", "<|begin|>", "<|turn|>"]
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|begin|>' + message['role'] + '\\n' + message['content'].strip() + '<|turn|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|begin|>assistant\\n' }}{% endif %}"
)
VOCABULARY = len(SPECIAL) + 256 + len(MERGES)
LLAMA = Config(VOCABULARY, 64, 64, 2, 4, 2, 10000.0, 1e-5, 256)
QWEN2 = Config(VOCABULARY, 64, 64, 2, 4, 1, 1000000.0, 1e-6, 256, tie_word_embeddings=False, attention_bias=True)


def random_weights(config: Config, seed: int = 7) -> dict[str, np.ndarray]:
    """Weights of a model that has learnt nothing, large enough that tokens differ in probability."""
    rng = np.random.default_rng(seed)
    size, heads = config.hidden_size, config.num_key_value_heads * config.head_dim

    def matrix(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 1.5 / np.sqrt(shape[-1])).astype(np.float32)

    weights = {"model.embed_tokens.weight": matrix(config.vocab_size, size) * np.float32(4)}
    for layer in range(config.num_hidden_layers):
        path = f"model.layers.{layer}"
        for name, rows in [("q_proj", size), ("k_proj", heads), ("v_proj", heads)]:
            weights[f"{path}.self_attn.{name}.weight"] = matrix(rows, size)
            if config.attention_bias:
                weights[f"{path}.self_attn.{name}.bias"] = matrix(rows)
        weights[f"{path}.self_attn.o_proj.weight"] = matrix(size, size)
        weights[f"{path}.mlp.gate_proj.weight"] = matrix(config.intermediate_size, size)
        weights[f"{path}.mlp.up_proj.weight"] = matrix(config.intermediate_size, size)
        weights[f"{path}.mlp.down_proj.weight"] = matrix(size, config.intermediate_size)
        for name in ["input_layernorm", "post_attention_layernorm"]:
            weights[f"{path}.{name}.weight"] = 1 + matrix(size) / 4
    weights["model.norm.weight"] = 1 + matrix(size) / 4
    if not config.tie_word_embeddings:
        weights["lm_head.weight"] = matrix(config.vocab_size, size)
    return weights


def byte_letters() -> list[str]:
    """The letter that stands for each byte in byte-level vocabularies."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def tokenizer() -> dict:
    vocabulary = [*SPECIAL, *byte_letters(), *(merge.replace(" ", "") for merge in MERGES)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    # The words keep a bracket before them, as those of newer models do.
    split = {"type": "Split", "pattern": {"Regex": r"[^\s\p{L}\p{N}]?\p{L}+| ?\p{L}+|\p{N}|\s+|[^\s\p{L}\p{N}]+"}}
    levels = {"add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": [{"id": place, "content": token} | flags for place, token in enumerate(SPECIAL)],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [split | {"behavior": "Isolated", "invert": False}, {"type": "ByteLevel"} | levels],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel"} | levels,
        "model": {
            "type": "BPE",
            "vocab": {token: place for place, token in enumerate(vocabulary)},
            "merges": [merge.split(" ") for merge in MERGES],
        },
    }


def write(folder: Path, kind: str, config: Config, form: Form, beside: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # `onnx.save` appends to a file of weights that is there.
    (folder / "model.onnx_data").unlink(missing_ok=True)
    options = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 256} if beside else {}
    onnx.save(build(config, random_weights(config), form), folder / "model.onnx", **options)
    tokens = {"bos_token": SPECIAL[1], "eos_token": SPECIAL[2], "chat_template": TEMPLATE}
    for name, value in [
        ("config.json", {"model_type": kind} | asdict(config) | {"eos_token_id": 2}),
        ("generation_config.json", {"eos_token_id": [0, 2]}),
        ("tokenizer.json", tokenizer()),
        ("tokenizer_config.json", tokens),
        ("expected.json", expected(config)),
    ]:
        (folder / name).write_text(text(value), encoding="utf-8")


def expected(config: Config) -> dict:
    """The likelihood of a text that has a token for each byte, by the reference."""
    said = "kiwi, é kiwi!"
    tokens = [SPECIAL.index("<|begin|>"), *(len(SPECIAL) + byte for byte in said.encode())]
    logits = reference.logits(config, random_weights(config), tokens)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return {"text": said, "tokens": len(tokens) - 1, "log": float(logs[np.arange(len(tokens) - 1), tokens[1:]].sum())}


#: A model so small that it is good for its inputs and outputs alone.
SMALLEST = Config(VOCABULARY, 16, 16, 1, 2, 1, 10000.0, 1e-5, 64)


def strange() -> onnx.ModelProto:
    """A graph with an input that no language model of this form has."""
    model = build(SMALLEST, random_weights(SMALLEST), Form(attention="plain"))
    extra = helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["batch", "sequence"])
    model.graph.input.append(extra)
    return model


def halves() -> onnx.ModelProto:
    """A graph whose keys, values and logits have half precision."""
    graph = build(SMALLEST, random_weights(SMALLEST), Form(attention="plain")).graph
    before, after = [], []
    for port in graph.input:
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = TensorProto.FLOAT16
            before.append(helper.make_node("Cast", [port.name], [f"{port.name}.single"], to=TensorProto.FLOAT))
    for port in graph.output:
        port.type.tensor_type.elem_type = TensorProto.FLOAT16
        after.append(helper.make_node("Cast", [f"{port.name}.single"], [port.name], to=TensorProto.FLOAT16))
    renamed = {node.input[0]: node.output[0] for node in before} | {node.output[0]: node.input[0] for node in after}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    nodes = [*before, *graph.node, *after]
    whole = helper.make_graph(nodes, "halves", graph.input, graph.output, graph.initializer)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def main() -> None:
    out = Path(sys.argv[1])
    write(out / "llama", "llama", LLAMA, Form(), beside=False)
    write(out / "qwen2", "qwen2", QWEN2, Form("plain", position_ids=False, num_logits_to_keep=False), beside=True)
    onnx.save(strange(), out / "llama" / "strange.onnx")
    onnx.save(halves(), out / "llama" / "halves.onnx")


if __name__ == "__main__":
    main()
