"""Makes of trained stages the folder that `make lm` merges in: the last adapter in 16 bits, and a card.

    python ship.py --stages CATALOGUE CONTEXT HEADS SFT --data TEXT --out models/lm-adapter

Each stage is a folder of `sft.py`, `heads.py` or `dpo.py`, in the order of training. `prompts.toml` and `template.toml`, the texts that
the model was trained with, stand in the folder already. Numbers of LoRA are small and near 0: float16 keeps 11 bits of each.
Of each matrix the directions that hardly count are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tomllib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

#: What a repository takes.
MOST = 16 * 2**20
#: Directions of a matrix with singular values below this share of its largest are left out.
SMALL = 0.01
LICENCE = {
    "adapter": "as the data allow; MIT OR Apache-2.0 for the code that made it",
    "data": "not stated",
}


def read(path: Path) -> dict[str, torch.Tensor]:
    """The numbers of an adapter, without the matrices that change nothing."""
    stored = load_file(path)
    idle = {name for name, value in stored.items() if ".lora_B." in name and not value.any()}
    idle |= {name.replace(".lora_B.", ".lora_A.") for name in idle}
    return {name: stored[name] for name in sorted(stored.keys() - idle)}


def halved(numbers: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """In float16."""
    found = {name: value.to(torch.float16).contiguous() for name, value in numbers.items()}
    for name, value in found.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: `{name}` has a number that float16 cannot hold")
    return found


def narrowed(numbers: dict[str, torch.Tensor], rank: int) -> dict[str, int]:
    """Leaves the smallest directions of matrices of this rank out; gives the modules that have a lower rank now. Those with a rank of
    their own were solved for (`heads.py`), and stay as they are."""
    lower = {}
    for name in [name for name, value in numbers.items() if ".lora_A." in name and len(value) == rank]:
        other = name.replace(".lora_A.", ".lora_B.")
        (right, down), (left, up) = (torch.linalg.qr(value.double()) for value in (numbers[name].t(), numbers[other]))
        u, sizes, v = torch.linalg.svd(up @ down.t())
        kept = int((sizes >= SMALL * sizes[0]).sum())
        if kept < rank:
            root = sizes[:kept].sqrt()
            numbers[name] = (root[:, None] * (v[:kept] @ right.t())).float()
            numbers[other] = (left @ u[:, :kept] * root).float()
            lower[name.split(".lora_A.")[0].removeprefix("base_model.model.model.")] = kept
    return lower


def settings_of(stored: dict, lower: dict[str, int]) -> dict:
    """What PEFT needs to read the adapter again, without names of folders."""
    scale = stored["lora_alpha"] / stored["r"]
    patterns = {
        key: (stored.get(key) or {}) | {name: times * rank for name, rank in lower.items()}
        for key, times in [("rank_pattern", 1), ("alpha_pattern", scale)]
    }
    return stored | patterns | {"base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct", "inference_mode": True}


def card(stages: list[Path], data: str, hashes: dict[str, str], licence: dict[str, str]) -> str:
    """`card.toml`: data, of each stage its settings and how long it took, and the sha256 of the files."""
    lines = ["[training]", f"data = {json.dumps(data)}"]
    for stage in stages:
        record = json.loads((stage / "record.json").read_text(encoding="utf-8"))
        lines += ["", f"[training.{stage.name}]", *(f"{key} = {json.dumps(value)}" for key, value in record.items())]
    for name, digest in hashes.items():
        lines += ["", f"[files.{json.dumps(name)}]", f"sha256 = {json.dumps(digest)}"]
    lines += ["", "[licence]", *(f"{key} = {json.dumps(value)}" for key, value in licence.items())]
    return "\n".join(lines) + "\n"


def ship(stages: list[Path], data: str, out: Path, licence: dict[str, str] | None = None) -> int:
    """Writes the folder; gives the bytes of the adapter."""
    last = stages[-1] / "adapter"
    numbers = read(last / "adapter_model.safetensors")
    config = json.loads((last / "adapter_config.json").read_text(encoding="utf-8"))
    config = settings_of(config, narrowed(numbers, config["r"]))
    numbers = halved(numbers, last)
    out.mkdir(parents=True, exist_ok=True)
    partial = out / "adapter.partial"
    save_file(numbers, partial, metadata={"format": "pt"})
    if partial.stat().st_size > MOST:
        size = partial.stat().st_size
        partial.unlink()
        raise ValueError(f"{last}: {size} bytes in float16, at most {MOST}; choose a lower `rank` or more `frozen_layers`")
    # The library writes for its owner alone.
    partial.chmod(0o644)
    settings = json.dumps(config, indent=2, sort_keys=True) + "\n"
    files = {"adapter_model.safetensors": partial.read_bytes(), "adapter_config.json": settings.encode()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    about = card(stages, data, hashes, {**LICENCE, **(licence or {})})
    old, liking = out / "adapter_model.safetensors", out / "letters.toml"
    if liking.is_file() and (not old.is_file() or old.read_bytes() != files[old.name]):
        liking.unlink()
        print(f"{liking}: removed, it was another adapter's; models/language/letters.py measures it anew", file=sys.stderr)
    partial.replace(old)
    (out / "adapter_config.json").write_text(settings, encoding="utf-8")
    (out / "card.toml").write_text(about, encoding="utf-8")
    return (out / "adapter_model.safetensors").stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the folder of an adapter that `make lm` merges in.")
    parser.add_argument("--stages", type=Path, nargs="+", required=True, help="folders of the stages, in order")
    parser.add_argument("--data", required=True, help="what it was trained on, for the card")
    parser.add_argument("--texts", type=Path, help="TOML with [adapter], such as movielens.toml: the terms")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    texts = tomllib.loads(arguments.texts.read_text(encoding="utf-8")) if arguments.texts else {}
    try:
        size = ship(arguments.stages, arguments.data, arguments.out, texts.get("adapter"))
    except KeyError as problem:
        print(f"error: {arguments.stages[-1]}: adapter_config.json has no {problem}", file=sys.stderr)
        return 2
    except (OSError, SafetensorError, ValueError) as problem:
        print(f"error: {arguments.stages[-1]}: {problem}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
