"""Writes SmolLM2-135M-Instruct as a checkpoint of Hugging Face transformers, from the GGUF file that `make lm` fetches.

    python checkpoint.py --source SMOLLM2.gguf --out FOLDER

Its weights are those that `make lm` puts into the graphs, 4 bits unpacked to 32, so an adapter that was trained on them fits.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "language"))

from weights import Source, text  # noqa: E402


def write(origin: Path, out: Path) -> None:
    source = Source(origin)
    config = source.config()
    end = source.field("tokenizer.ggml.eos_token_id")
    kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"}
    tokens = {"bos_token_id": source.field("tokenizer.ggml.bos_token_id"), "eos_token_id": end, "pad_token_id": end}
    out.mkdir(parents=True, exist_ok=True)
    for name, value in [
        ("config.json", kind | asdict(config) | {"head_dim": config.head_dim} | tokens),
        ("tokenizer.json", source.tokenizer()),
        ("tokenizer_config.json", source.tokenizer_config() | {"tokenizer_class": "PreTrainedTokenizerFast"}),
    ]:
        (out / name).write_text(text(value), encoding="utf-8")
    save_file(source.weights(), out / "model.safetensors.partial", metadata={"format": "pt"})
    (out / "model.safetensors.partial").replace(out / "model.safetensors")


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a checkpoint from a GGUF file.")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        write(arguments.source, arguments.out)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
