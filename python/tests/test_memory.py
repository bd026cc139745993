"""Resets and steps without growth, by the functions of benches/python/memory.py, which does many more of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from shop import Likes, table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "python"))

import memory  # noqa: E402

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")

# MiB. A leak of one float32 array of 32 users and 60 items in each step would be 15 MiB.
ALLOWED = 3.0


def growth(do: Any, warm: int, times: int) -> float:
    """MiB more after so many times than after the first ones."""
    for _ in range(warm):
        do()
    before = memory.resident()
    for _ in range(times):
        do()
    return float(memory.resident() - before)


@pytest.mark.parametrize(
    ("make", "users"),
    [(memory.lanes, Likes(3)), (memory.environment, "parametric")],
    ids=["lanes_python_32_users_200_resets_2000_steps", "environment_parametric_32_users_200_resets_2000_steps"],
)
def test_resets_and_steps_do_not_grow(make: Any, users: Any) -> None:
    reset, step = make(rm.Dataset(table()), users, 32)
    assert growth(reset, 50, 200) < ALLOWED
    assert growth(step, 500, 2_000) < ALLOWED


def test_a_leak_would_be_found() -> None:
    kept: list[np.ndarray] = []
    assert growth(lambda: kept.append(np.ones((32, 60))), 10, 2_000) > ALLOWED


def test_environments_that_are_gone_leave_nothing() -> None:
    data = rm.Dataset(table())
    assert growth(lambda: rm.Environment(data, users=Likes(2), population=32, slate=3, steps=5), 30, 60) < ALLOWED
