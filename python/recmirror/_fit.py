"""Fits user models to logs."""

from __future__ import annotations

import os
from html import escape
from typing import Any

from . import _native
from ._dataset import Dataset, native_of
from ._table import Table


class Alignment:
    """The alignment of a user model with held-out users: `figures` with 95% intervals, and a verdict in a sentence."""

    def __init__(self, figures: _native.Table, verdict: str, is_trusted: bool) -> None:
        self.figures = Table(figures)
        """One row a figure: `measure`, `list`, `who`, `estimate`, `low`, `high`, `scenes`."""
        self.verdict = verdict
        """One sentence on how far the model can be trusted."""
        self.is_trusted = is_trusted
        """Whether the model knows users better than item-kNN does, and users apart."""

    def estimate(self, measure: str, who: str = "model", list: str = "popularity-matched") -> float | None:
        """The estimate of a figure; `None` where there is none."""
        for row in self.figures:
            if (row["measure"], row["who"], row["list"]) == (measure, who, list):
                return float(row["estimate"])
        return None

    def _repr_html_(self) -> str:
        return f"<p>The user model {escape(self.verdict)}.</p>{self.figures._repr_html_()}"

    def __str__(self) -> str:
        line = "{:<12} {:<20} {:<36} {:>8} {:>8} {:>8} {:>8}".format
        lines = [line("measure", "list", "who", "estimate", "low", "high", "scenes")]
        for row in self.figures:
            numbers = (f"{row[key]:.3f}" for key in ("estimate", "low", "high"))
            lines.append(line(row["measure"], row["list"], row["who"], *numbers, row["scenes"]))
        return "\n".join([*lines, f"The user model {self.verdict}."])

    def __repr__(self) -> str:
        return str(self)


class Model:
    """A fitted user model: pass it, or its folder, as `users`."""

    def __init__(self, path: str, interactions: int, epochs: int, skipped: list[str], alignment: Alignment | None) -> None:
        self.path = path
        """The folder."""
        self.interactions = interactions
        """Interactions that it learned from."""
        self.epochs = epochs
        """Passes over them."""
        self.skipped = skipped
        """Fields that it could not learn from, a sentence each."""
        self.alignment = alignment
        """How well it mirrors held-out users; `None` where it was not measured."""

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"Model({self.path!r}: {self.interactions} interactions, {self.epochs} epochs)"


def fit(
    data: Dataset,
    out: str | os.PathLike[str],
    *,
    force: bool = False,
    seed: int = 1,
    holdout: float = 0.2,
    epochs: int | None = None,
    rank: int | None = None,
    scenes: int = 8_000,
    licence: str = "",
) -> Model:
    """Fits a user model to a log, writes it into the folder `out` and measures it on held-out users.

    `force` replaces an existing model. `holdout` is the share of each user's latest interactions that is never learned,
    `epochs` the most passes over the log and `rank` the dimensions of the item vectors (the data decide unless given);
    `scenes` is the number of held-out scenes of each list type on which the model is measured, 0 for none. `licence` are the
    terms of the data, which only its owner knows. A fit that Ctrl-C stops continues from `OUT.fit` at the next call.
    """
    folder = os.path.abspath(os.fspath(out))
    for name, number, low, high in (
        ("seed", seed, 0, 2**63 - 1),
        ("epochs", epochs, 1, 10_000),
        ("rank", rank, 1, 512),
        ("scenes", scenes, 0, 2**31),
    ):
        if number is not None and (not hasattr(number, "__index__") or not low <= number <= high):
            raise _native.Error(f"{name} is {number!r}, expected {low} to {high}")
    found = _native.fit(native_of(data), folder, force, seed, holdout, epochs, rank, scenes, licence)
    interactions, passes, skipped, aligned = found
    return Model(folder, interactions, passes, skipped, None if aligned is None else Alignment(*aligned))


def folder_of(users: Any) -> str | None:
    """The folder of a model where `users` names one; `None` for users of other kinds."""
    if isinstance(users, (str, os.PathLike)) and os.fspath(users) != "parametric":
        return os.path.abspath(os.fspath(users))
    return None
