"""Reads the arrays that `recmirror tensors --data DIR --out DIR` writes.

R rows (one row = one interaction), sorted by user, then time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIT, VALID, HELD = 0, 1, 2


@dataclass(frozen=True)
class Dump:
    """The log of one data set, ready for training."""

    user: np.ndarray  #: i32[R]
    item: np.ndarray  #: i32[R]
    split: np.ndarray  #: u8[R], FIT, VALID or HELD
    meta: dict


class DumpError(ValueError):
    """The folder does not hold a usable dump; the message names the file."""


def load(folder: Path) -> Dump:
    """Loads and checks a dump folder."""

    def read(name: str, dtype: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        array = np.load(path, mmap_mode=None, allow_pickle=False)
        if array.dtype != np.dtype(dtype) or array.ndim != 1:
            raise DumpError(f"{path}: expected {dtype} with 1 axis, found {array.dtype} {array.shape}")
        return array

    dump = Dump(
        user=read("rows_user", "<i4"),
        item=read("rows_item", "<i4"),
        split=read("rows_split", "u1"),
        meta=json.loads((folder / "meta.json").read_text(encoding="utf-8")),
    )
    _check(dump)
    return dump


def _check(dump: Dump) -> None:
    users, items = dump.meta["users"], dump.meta["items"]
    _require(len(dump.user) == len(dump.item) == len(dump.split), "the arrays of rows have different lengths")
    _require(bool((np.diff(dump.user) >= 0).all()), "rows_user.npy is not sorted by user")
    _require(dump.item.max() < items and dump.user.max() < users, "a row names an unknown user or item")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise DumpError(message)
