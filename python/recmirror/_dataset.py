"""Data sets: from files, or from tables in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

from . import _native
from ._native import RecmirrorError

# The usual names of columns, the first that a table has counts.
USERS = ("user_id", "userId", "user", "uid")
ITEMS = ("item_id", "itemId", "movieId", "item", "iid")
RATINGS = ("rating", "score", "stars")
TIMES = ("timestamp", "time", "ts")


class Dataset:
    """A feedback log with its users and items.

    `interactions` is a table (a dict of columns, pandas, Polars, PyArrow) with a column of users, one of items, and
    optionally one of ratings (any scale) and one of times (seconds since 1970, kept to the millisecond). `columns` names them where they have
    other names than usual: `{"user": "buyer", "item": "sku"}`.
    """

    def __init__(self, interactions: Any, *, name: str = "log", columns: dict[str, str] | None = None) -> None:
        named = columns or {}
        users = _column(interactions, named.get("user"), USERS, "users")
        items = _column(interactions, named.get("item"), ITEMS, "items")
        if users is None or items is None:
            missing = "users" if users is None else "items"
            usual = ", ".join(USERS if users is None else ITEMS)
            raise RecmirrorError(
                f"the table has no column of {missing} (looked for {usual}); name it: columns={{'user': ..., 'item': ...}}"
            )
        ratings = _column(interactions, named.get("rating"), RATINGS, "ratings")
        times = _column(interactions, named.get("time"), TIMES, "times")
        self._native = _native.Dataset._from_columns(
            name,
            [str(user) for user in users],
            [str(item) for item in items],
            None if ratings is None else [_number(rating) for rating in ratings],
            None if times is None else [_milliseconds(time) for time in times],
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str], family: str | None = None) -> Dataset:
        """Reads a folder or file; `family` names the reader where the files do not decide."""
        made = cls.__new__(cls)
        made._native = _native.Dataset._read(os.fspath(path), family)
        return made

    @property
    def name(self) -> str:
        """Name of the folder or file, or the name that was given."""
        return self._native.name

    @property
    def user_ids(self) -> list[str]:
        """External ids of the users, by their numbers."""
        return self._native.user_ids

    @property
    def item_ids(self) -> list[str]:
        """External ids of the items, by their numbers."""
        return self._native.item_ids

    @property
    def users(self) -> int:
        """Number of users."""
        return self._native.users

    @property
    def items(self) -> int:
        """Number of items."""
        return self._native.items

    @property
    def interactions(self) -> int:
        """Rows of the log after cleaning."""
        return self._native.interactions

    @property
    def impressions(self) -> int:
        """Lists as they were shown."""
        return self._native.impressions

    @property
    def scale(self) -> tuple[float, float] | None:
        """The worst and the best rating of the log's scale; `None` without ratings."""
        return self._native.scale

    @property
    def notes(self) -> list[str]:
        """What was guessed or is missing, a sentence each."""
        return self._native.notes

    @property
    def hash(self) -> str:
        """Hash over the data."""
        return self._native.hash

    # A data set does not change after it is made, so that copies of what holds it may share it.
    def __copy__(self) -> Dataset:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Dataset:
        return self

    def __repr__(self) -> str:
        return repr(self._native)


def _column(table: Any, named: str | None, usual: Iterable[str], what: str) -> Sequence[Any] | None:
    """A column as a list; `None` where the table has none."""
    names = [str(name) for name in (table.keys() if hasattr(table, "keys") else getattr(table, "columns", []))]
    if hasattr(table, "column_names"):
        names = list(table.column_names)
    if named is not None and named not in names:
        raise RecmirrorError(f"the table has no column `{named}` for {what}; it has: {', '.join(names)}")
    name = named or next((candidate for candidate in usual if candidate in names), None)
    if name is None:
        return None
    column = table[name]
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _number(rating: Any) -> float | None:
    return None if rating is None or (isinstance(rating, float) and math.isnan(rating)) else float(rating)


def _milliseconds(time: Any) -> int | None:
    if time is None:
        return None
    seconds = time.timestamp() if hasattr(time, "timestamp") else time
    return int(seconds) * 1_000 if float(seconds) == int(seconds) else round(float(seconds) * 1_000)
