#!/usr/bin/env python3
"""Writes the encoder of the tests, `tests/fixtures/embedder/`: a BERT of random weights and a tokenizer of few words.

Run with the packages of requirements.txt: `python models/embedder/tiny.py`. The same script gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bert  # noqa: E402

TARGET = HERE.parent.parent / "tests" / "fixtures" / "embedder"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *"film book song game of the a red blue old new great small night day drama comedy action".split()]
WIDTH, INNER, PLACES, LAYERS, HEADS = 8, 16, 256, 1, 2


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    found: dict[str, np.ndarray] = {}

    def table(name: str, *shape: int) -> None:
        found[name] = rng.normal(0, 0.5, shape).astype(np.float32)

    def linear(name: str, outputs: int, inputs: int) -> None:
        table(name + ".weight", outputs, inputs)
        table(name + ".bias", outputs)

    def norm(name: str) -> None:
        found[name + ".weight"], found[name + ".bias"] = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    table("embeddings.word_embeddings.weight", len(WORDS), WIDTH)
    table("embeddings.position_embeddings.weight", PLACES, WIDTH)
    table("embeddings.token_type_embeddings.weight", 2, WIDTH)
    norm("embeddings.LayerNorm")
    for place in range(LAYERS):
        layer = f"encoder.layer.{place}."
        for part in ("query", "key", "value"):
            linear(f"{layer}attention.self.{part}", WIDTH, WIDTH)
        linear(layer + "attention.output.dense", WIDTH, WIDTH)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", INNER, WIDTH)
        linear(layer + "output.dense", WIDTH, INNER)
        norm(layer + "output.LayerNorm")
    return found


def tokenizer() -> dict:
    special = [
        dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"id": place, "content": word, "special": True}
        for place, word in enumerate(SPECIAL)
    ]
    ends = {word: {"id": word, "ids": [WORDS.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")}
    first, last = ({"SpecialToken": {"id": word, "type_id": 0}} for word in ends)
    single = [first, {"Sequence": {"id": "A", "type_id": 0}}, last]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": ends},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {w: place for place, w in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }


def main() -> None:
    config, found = bert.Config(LAYERS, HEADS, 1e-12), weights()
    model = bert.graph(config, found)
    difference = bert.check(model, config, found)
    if difference > 1e-5:
        raise SystemExit(f"error: the graph differs from NumPy by {difference}")
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "model.onnx").write_bytes(model.SerializeToString())
    (TARGET / "tokenizer.json").write_text(json.dumps(tokenizer(), indent=1) + "\n")
    print(f"wrote {TARGET}; differs from NumPy by {difference:.1e} at most")


if __name__ == "__main__":
    main()
