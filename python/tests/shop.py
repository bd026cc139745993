"""A small log that is made here."""

from __future__ import annotations

from typing import Any


def table() -> dict[str, list[Any]]:
    rows = range(600)
    return {
        "user_id": [f"u{n % 40}" for n in rows],
        "item_id": [f"i{(n * 7 + n // 40) % 60}" for n in rows],
        "rating": [1.0 + ((n % 40) + (n * 7 + n // 40) % 60) % 5 for n in rows],
        "timestamp": [n * 3_600 for n in rows],
    }
