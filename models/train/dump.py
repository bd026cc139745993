"""Reads the tensors that `recmirror tensors --data DIR --out DIR` writes.

Python computes no features: whatever the model sees was made by the same Rust code that feeds it in a
simulation. This module loads, checks shapes and indexes scenes by row; it derives nothing else.

Symbols: U users, I items, R rows (one row = one interaction, sorted by user, then time), F folds, N scenes,
A attribute, V vector, P profile and C context columns, K = 12 slots.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIT, VALID, HELD = 0, 1, 2
SLOTS = 12


@dataclass(frozen=True)
class Scenes:
    """Exposure lists; the memory of scene n is every earlier row of the same user."""

    row: np.ndarray  #: i32[N], the row whose user and moment the scene is
    items: np.ndarray  #: i32[N,K], -1 = no slot
    context: np.ndarray  #: f32[N,K,C], popularity share so far (log), age (decades)
    label: np.ndarray  #: i32[N], slot of the real item, -1 = the list holds none
    kind: np.ndarray  #: u8[N], list type

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Soft:
    """What a language model says to some scenes (`recmirror tensors --answers`): labels besides what people did."""

    scenes: Scenes
    none: np.ndarray  #: u8[N], whether the language model could take nothing
    probability: np.ndarray  #: f32[N,K+1], the last that of nothing


@dataclass(frozen=True)
class Dump:
    """One data set, ready for training."""

    attributes: np.ndarray  #: f32[I,A]
    vectors: np.ndarray  #: f32[F+1,I,V]; table f lacks the users of fold f, the last one lacks nobody
    profile: np.ndarray  #: f32[U,P]
    folds: np.ndarray  #: i32[U]
    user: np.ndarray  #: i32[R]
    item: np.ndarray  #: i32[R]
    rating: np.ndarray  #: f32[R], 1..5, NaN = none
    split: np.ndarray  #: u8[R], FIT, VALID or HELD
    train: Scenes
    valid: Scenes
    meta: dict
    soft: Soft | None = None

    @property
    def fold_of_row(self) -> np.ndarray:
        """i32[R], the fold table that lacks the row's user."""
        return self.folds[self.user]

    def events(self) -> np.ndarray:
        """f32[R,3]: (rating - 3.5) / 1.1, rating >= 4, rating known; zeros without a rating."""
        known = np.isfinite(self.rating)
        rating = np.where(known, self.rating, 3.5)
        columns = [(rating - 3.5) / 1.1, (rating >= 4) & known, known]
        return np.stack(columns, axis=-1).astype(np.float32)


class DumpError(ValueError):
    """The folder does not hold a usable dump; the message names the file."""


def load(folder: Path) -> Dump:
    """Loads and checks a dump folder."""

    def read(name: str, dtype: str, ndim: int) -> np.ndarray:
        path = folder / f"{name}.npy"
        array = np.load(path, mmap_mode=None, allow_pickle=False)
        if array.dtype != np.dtype(dtype) or array.ndim != ndim:
            raise DumpError(f"{path}: expected {dtype} with {ndim} axes, found {array.dtype} {array.shape}")
        return array

    def scenes(prefix: str, kind: np.ndarray | None = None) -> Scenes:
        return Scenes(
            row=read(f"{prefix}_row", "<i4", 1),
            items=read(f"{prefix}_items", "<i4", 2),
            context=read(f"{prefix}_context", "<f4", 3),
            label=read(f"{prefix}_label", "<i4", 1),
            kind=read(f"{prefix}_kind", "u1", 1) if kind is None else kind,
        )

    soft = None
    if (folder / "soft_row.npy").is_file():
        none = read("soft_none", "u1", 1)
        soft = Soft(scenes("soft", np.zeros(len(none), np.uint8)), none, read("soft_probability", "<f4", 2))
    dump = Dump(
        attributes=read("attributes", "<f4", 2),
        vectors=read("vectors", "<f4", 3),
        profile=read("profile", "<f4", 2),
        folds=read("folds", "<i4", 1),
        user=read("rows_user", "<i4", 1),
        item=read("rows_item", "<i4", 1),
        rating=read("rows_rating", "<f4", 1),
        split=read("rows_split", "u1", 1),
        train=scenes("train"),
        valid=scenes("valid"),
        meta=json.loads((folder / "meta.json").read_text(encoding="utf-8")),
        soft=soft,
    )
    _check(dump)
    return dump


def _check(dump: Dump) -> None:
    users, items = len(dump.profile), len(dump.attributes)
    tables = dump.vectors.shape[0]
    _require(dump.vectors.shape[1] == items, "vectors.npy and attributes.npy differ in items")
    _require(len(dump.folds) == users and dump.folds.max() < tables - 1, "folds.npy does not fit")
    _require(bool((np.diff(dump.user) >= 0).all()), "rows_user.npy is not sorted by user")
    _require(dump.item.max() < items and dump.user.max() < users, "a row names an unknown user or item")
    for name in ("attributes", "vectors", "profile"):
        _require(bool(np.isfinite(getattr(dump, name)).all()), f"{name}.npy holds NaN or infinity")
    sets = [("train", dump.train), ("valid", dump.valid)]
    if dump.soft is not None:
        sets.append(("soft", dump.soft.scenes))
        sums = dump.soft.probability.sum(axis=1)
        _require(dump.soft.probability.shape[1] == SLOTS + 1, f"soft_probability.npy has not {SLOTS + 1} columns")
        _require(bool((abs(sums - 1) < 1e-3).all()), "soft_probability.npy has rows that do not sum to 1")
    for name, scenes in sets:
        _require(scenes.items.shape[1] == SLOTS, f"{name}_items.npy has not {SLOTS} slots")
        _require(scenes.items.max() < items, f"{name}_items.npy names an unknown item")
        _require(bool((dump.split[scenes.row] < HELD).all()), f"{name}_row.npy touches held-out rows")
        _require(bool(np.isfinite(scenes.context).all()), f"{name}_context.npy holds NaN or infinity")
        real = np.flatnonzero(scenes.label >= 0)
        shown = scenes.items[real, scenes.label[real]]
        _require(bool((shown == dump.item[scenes.row[real]]).all()), f"{name}_label.npy misses the real item")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise DumpError(message)


def joined(one: Scenes, other: Scenes) -> Scenes:
    """The scenes of both, those of `one` first."""
    return Scenes(*(np.concatenate([getattr(part, name) for part in (one, other)]) for name in Scenes.__annotations__))


def by_pass(scenes: Scenes, rows: int) -> np.ndarray:
    """i32[passes,R]: the scene of a row in pass p, -1 = none. A row's scenes are counted in file order."""
    order = np.argsort(scenes.row, kind="stable")
    row = scenes.row[order]
    first = np.searchsorted(row, row, side="left")
    rank = np.arange(len(row)) - first
    table = np.full((int(rank.max()) + 1, rows), -1, np.int32)
    table[rank, row] = order
    return table
