"""Settings of Python as the words of scenario files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Tables: TypeAlias = "Sequence[str | tuple[str, Mapping[str, Any]]]"


def value(given: object) -> str:
    """A value as `--set` takes it: TOML, and texts as they are."""
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    return given if isinstance(given, str) else inline(given)


def inline(given: Any) -> str:
    """A value as TOML has it on one line."""
    if isinstance(given, (np.generic, np.ndarray)):
        given = given.tolist()
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, Mapping):
        entries = ((key, entry) for key, entry in given.items() if entry is not None)
        return "{" + ", ".join(f"{quoted(str(key))} = {inline(entry)}" for key, entry in entries) + "}"
    if isinstance(given, (list, tuple)):
        return "[" + ", ".join(inline(entry) for entry in given) + "]"
    if isinstance(given, (int, float)):
        return repr(given)
    if isinstance(given, (str, os.PathLike)):
        return quoted(os.fspath(given))
    raise TypeError(f"{given!r} has no form in a scenario: give numbers, texts, paths, lists or mappings of them")


def quoted(text: str) -> str:
    """A text as TOML has it."""
    return json.dumps(text, ensure_ascii=False)


def pairs(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys and values; a key that is `None` is left to its default."""
    return [(key, value(given)) for key, given in settings.items() if given is not None]


def tables(given: Tables) -> list[tuple[str, dict[str, str]]]:
    """Kinds with their own keys: `"popular"` or `("ials", {"factors": 32})`."""
    found = []
    for entry in given:
        kind, keys = (entry, {}) if isinstance(entry, str) else entry
        found.append((kind, dict(pairs(keys))))
    return found
