"""Weights, sizes and tokenizer of a Llama-like model out of a GGUF file, under the names of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np

from graph import Config

NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
#: Kinds of tokens in a GGUF file.
CONTROL = 3


class Source:
    """An opened GGUF file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = gguf.GGUFReader(path)
        if self.field("general.architecture") != "llama":
            raise ValueError(
                f"{path} holds a model of the architecture {self.field('general.architecture')}, not llama"
            )

    def field(self, name: str):
        if name not in self.reader.fields:
            raise ValueError(f"{self.path} has no `{name}`; a GGUF file of a whole language model has one")
        return self.reader.fields[name].contents()

    def config(self) -> Config:
        names = {tensor.name for tensor in self.reader.tensors}
        return Config(
            vocab_size=len(self.field("tokenizer.ggml.tokens")),
            hidden_size=self.field("llama.embedding_length"),
            intermediate_size=self.field("llama.feed_forward_length"),
            num_hidden_layers=self.field("llama.block_count"),
            num_attention_heads=self.field("llama.attention.head_count"),
            num_key_value_heads=self.field("llama.attention.head_count_kv"),
            rope_theta=float(self.field("llama.rope.freq_base")),
            rms_norm_eps=round(float(self.field("llama.attention.layer_norm_rms_epsilon")), 12),
            max_position_embeddings=self.field("llama.context_length"),
            tie_word_embeddings="output.weight" not in names,
        )

    def weights(self) -> dict[str, np.ndarray]:
        """All weights in single precision."""
        config = self.config()
        return {
            hugging_face_name(tensor.name): unpermuted(
                tensor.name, np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32), config
            )
            for tensor in self.reader.tensors
        }

    def tokenizer(self) -> dict:
        """`tokenizer.json`: byte-level BPE with single digits, as the file's pre-tokenizer `smollm` says."""
        if self.field("tokenizer.ggml.pre") != "smollm":
            raise ValueError(f"unknown pre-tokenizer {self.field('tokenizer.ggml.pre')}")
        tokens, kinds = self.field("tokenizer.ggml.tokens"), self.field("tokenizer.ggml.token_type")
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        added = [
            {"id": place, "content": token} | flags
            for place, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == CONTROL
        ]
        levels = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"} | levels],
            },
            "post_processor": None,
            "decoder": {"type": "ByteLevel"} | levels,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": {token: place for place, token in enumerate(tokens)},
                "merges": [merge.split(" ") for merge in self.field("tokenizer.ggml.merges")],
            },
        }

    def tokenizer_config(self) -> dict:
        tokens = self.field("tokenizer.ggml.tokens")
        of = {
            name: tokens[self.field(f"tokenizer.ggml.{name}_token_id")] for name in ["bos", "eos", "unknown", "padding"]
        }
        return {
            "add_bos_token": bool(self.field("tokenizer.ggml.add_bos_token")),
            "bos_token": of["bos"],
            "eos_token": of["eos"],
            "unk_token": of["unknown"],
            "pad_token": of["padding"],
            "model_max_length": self.config().max_position_embeddings,
            "tokenizer_class": "GPT2Tokenizer",
            "chat_template": self.field("tokenizer.chat_template"),
        }


def hugging_face_name(name: str) -> str:
    fixed = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in fixed:
        return fixed[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.{kind}"


def unpermuted(name: str, weight: np.ndarray, config: Config) -> np.ndarray:
    """Rows of queries and keys stand in GGUF as pairs of rotary positions; here the halves of a head stand apart."""
    part = name.split(".")[-2]
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(part)
    if heads is None:
        return weight
    rows = weight.shape[0]
    return weight.reshape(heads, config.head_dim // 2, 2, -1).swapaxes(1, 2).reshape(rows, -1)


def text(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
