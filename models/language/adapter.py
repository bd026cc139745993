"""Merges a LoRA adapter, as the library PEFT saves it, into weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

NAME = re.compile(r"^base_model\.model\.(?P<weight>.+)\.lora_(?P<part>[AB])(\.default)?\.weight$")


class AdapterError(Exception):
    """An adapter that cannot be merged; the message says why."""


def merge(weights: dict[str, np.ndarray], folder: Path) -> list[str]:
    """Adds `scale * B @ A` to each weight that the adapter in `folder` names; gives the names."""
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    for key in ["use_dora", "modules_to_save", "fan_in_fan_out"]:
        if settings.get(key):
            raise AdapterError(f"{folder}/adapter_config.json sets `{key}`, which is not supported")
    if settings.get("bias", "none") != "none":
        raise AdapterError(f"{folder}/adapter_config.json: bias is `{settings['bias']}`, supported is `none`")
    pairs: dict[str, dict[str, np.ndarray]] = {}
    try:
        stored = load_file(folder / "adapter_model.safetensors")
    except SafetensorError as problem:
        raise AdapterError(f"{folder}/adapter_model.safetensors cannot be read ({problem}); fetch it again") from problem
    for key, value in sorted(stored.items()):
        found = NAME.match(key)
        if found is None:
            raise AdapterError(f"{folder}/adapter_model.safetensors: `{key}` is not a LoRA matrix")
        pairs.setdefault(f"{found['weight']}.weight", {})[found["part"]] = value.astype(np.float32)
    for name, pair in pairs.items():
        if name not in weights:
            raise AdapterError(f"the adapter changes `{name}`, which the model does not have")
        if set(pair) != {"A", "B"}:
            raise AdapterError(f"the adapter has only one of the two matrices of `{name}`")
        rank, scale = shape_of(settings, name)
        shapes = (pair["A"].shape, pair["B"].shape, weights[name].shape)
        if shapes != ((rank, shapes[2][1]), (shapes[2][0], rank), shapes[2]):
            raise AdapterError(f"the matrices of `{name}` have the shapes {shapes[0]} and {shapes[1]} for {shapes[2]}")
        weights[name] = weights[name] + np.float32(scale) * (pair["B"] @ pair["A"])
    return list(pairs)


def shape_of(settings: dict, weight: str) -> tuple[int, float]:
    """Rank and scale of the matrix of `weight`. Like PEFT, patterns are regular expressions for the end of a module's name."""
    module = weight.removesuffix(".weight")

    def of(pattern: str, usual: str) -> float:
        found = (value for key, value in (settings.get(pattern) or {}).items() if re.match(rf"(.*\.)?({key})$", module))
        return next(found, settings[usual])

    rank = of("rank_pattern", "r")
    return rank, of("alpha_pattern", "lora_alpha") / (rank**0.5 if settings.get("use_rslora") else rank)


def exact(weights: dict[str, np.ndarray], folder: Path) -> frozenset[str]:
    """The weights to which the adapter gives a higher rank than is usual. They were solved for (`models/train/heads.py`), and what they
    compute are small differences of large numbers, which 8 bits do not keep."""
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    usual = shape_of(settings, "")[0]
    return frozenset(name for name in weights if shape_of(settings, name)[0] > usual)
