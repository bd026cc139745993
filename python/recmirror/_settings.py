"""Settings of Python as the words of scenario files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Tables: TypeAlias = "Sequence[str | tuple[str, Mapping[str, Any]]]"


def value(given: object) -> str:
    """A value as TOML has it."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, (list, tuple)):
        return "[" + ", ".join(value(each) for each in given) + "]"
    return str(given)


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
