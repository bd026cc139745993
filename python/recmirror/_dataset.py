"""Data sets: from files, or from tables in memory."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._native import DataError
from ._settings import inline, quoted

Cells = list[Any]


class Dataset:
    """A feedback log with its users and items.

    `interactions`, `items` and `users` are tables of Polars, pandas, PyArrow or anything with the Arrow PyCapsule interface
    (read without a copy), or dicts of columns. Columns have the names that files may have (docs/reference/datasets.md): `user_id`,
    `item_id`, and optionally `rating`, `timestamp`, `clicked`, `position`, `propensity`, ...; `columns` names them where
    they have others: `{"user": "buyer", "item": "sku"}`. `roles` is what a `data.toml` may say besides:
    `{"scale": [1, 5], "items": {"title": "name", "fields": {"tags": "categories"}}}`.
    """

    def __init__(
        self,
        interactions: Any,
        items: Any = None,
        users: Any = None,
        *,
        name: str = "log",
        columns: Mapping[str, Any] | None = None,
        roles: Mapping[str, Any] | None = None,
    ) -> None:
        spec: dict[str, Any] = dict(roles or {})
        if columns:
            spec["columns"] = dict(spec.get("columns", {})) | dict(columns)
        try:
            self._native = _native.Dataset._from_tables(
                name,
                _table(interactions, "interactions"),
                None if items is None else _table(items, "items"),
                None if users is None else _table(users, "users"),
                _toml(spec) if spec else "",
            )
        except DataError as problem:
            # Files say it in a `data.toml`, Python in arguments.
            text = str(problem).replace("data.toml", "`columns` or `roles`")
            raise DataError(text) from None

    @classmethod
    def read(cls, path: str | os.PathLike[str], family: str | None = None) -> Dataset:
        """Reads a folder or file; `family` names the reader where the files do not decide."""
        return cls._of(_native.Dataset._read(os.fspath(path), family))

    @classmethod
    def _of(cls, native: _native.Dataset) -> Dataset:
        made = cls.__new__(cls)
        made._native = native
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

    def item_features(self) -> tuple[NDArray[np.float32], list[str]]:
        """The item fields as numbers `[items, width]`, and the name of each column: categories as 0 and 1, numbers in
        deviations from the mean, words hashed."""
        return self._native._features(False)

    def user_features(self) -> tuple[NDArray[np.float32], list[str]]:
        """The user fields as numbers `[users, width]`, and the name of each column."""
        return self._native._features(True)

    @property
    def item_fields(self) -> list[str]:
        """Names of the item fields."""
        return self._native._fields()[0]

    @property
    def user_fields(self) -> list[str]:
        """Names of the user fields."""
        return self._native._fields()[1]

    @property
    def scale(self) -> tuple[float, float] | None:
        """The worst and the best rating of the log's scale; `None` without ratings."""
        return self._native.scale

    @property
    def cleanup(self) -> str:
        """Repairs and omissions while reading, with their counts."""
        return self._native.cleanup

    @property
    def notes(self) -> list[str]:
        """Guesses and gaps, one sentence each."""
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

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self._native._to_bytes(),)

    def __repr__(self) -> str:
        return repr(self._native)


def native_of(data: Any) -> _native.Dataset:
    """The native half of a data set."""
    if isinstance(data, Dataset):
        return data._native
    hint = ": recmirror.Dataset.read(path)" if isinstance(data, (str, os.PathLike)) else ""
    raise DataError(f"data is a {type(data).__name__}; expected a recmirror.Dataset{hint}")


def _load(stored: bytes) -> Dataset:
    """The data set that was pickled."""
    return Dataset._of(_native.Dataset._from_bytes(stored))


def _table(table: Any, what: str) -> Any:
    """A table as the native half takes it: itself where it is an Arrow stream, else names and columns."""
    if hasattr(table, "collect_schema") and hasattr(table, "collect"):
        raise DataError(f"{what} is lazy; collect it first: {what}.collect()")
    if hasattr(table, "iloc"):
        return _of_pandas(table, what)
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        return table
    if isinstance(table, Mapping):
        return [(str(name), _cells(column, what, name)) for name, column in table.items()]
    if getattr(getattr(table, "dtype", None), "names", None):
        return [(name, _cells(table[name], what, name)) for name in table.dtype.names]
    if isinstance(table, (str, os.PathLike)):
        raise DataError(f"{what} is a path; read files with Dataset.read(path)")
    raise DataError(
        f"{what} is a {type(table).__name__}; expected a table of Polars, pandas or Arrow, or a dict of columns"
    )


def _of_pandas(table: Any, what: str) -> Any:
    """A frame as it is where PyArrow takes it, else as names and columns."""
    if not hasattr(table, "columns"):
        raise DataError(f"{what} is one column; expected a table with a column for users and one for items")
    names = [str(name) for name in table.columns]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{what} has two columns called `{name}`; rename one of them")
    try:
        # PyArrow may be missing, and refuses columns with values of several types.
        table.__arrow_c_stream__()
        return table
    except Exception:
        pass
    # PyArrow keeps an index with a name, such as that of a grouped table, and leaves out numbers of rows.
    levels = [level for level in table.index.names if level is not None]
    if levels and type(table.index).__name__ != "RangeIndex":
        if set(map(str, levels)) & set(names):
            raise DataError(f"{what} has a column and an index called `{levels[0]}`; rename one of them")
        table = table.reset_index(level=levels)
    return [(str(name), _cells(table[name], what, name)) for name in table.columns]


def _cells(column: Iterable[Any], what: str, name: object) -> Cells:
    """A column as values that the native half takes; missing values are `None`."""
    if getattr(getattr(column, "dtype", None), "kind", "") == "M" and hasattr(column, "astype"):
        column = column.astype("datetime64[us]")
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            column = getattr(column, method)()
            break
    return [_cell(value, what, name) for value in column]


def _cell(value: Any, what: str, name: object) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value
    if isinstance(value, datetime.datetime) or hasattr(value, "timestamp"):
        return _moment(value)
    if isinstance(value, datetime.date):
        return _moment(datetime.datetime(value.year, value.month, value.day))
    if isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        return [_cell(entry, what, name) for entry in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if hasattr(value, "item"):
        return _cell(value.item(), what, name)
    text = str(value)
    if text in ("<NA>", "NaT"):
        return None
    if hasattr(value, "as_tuple"):
        return text
    raise DataError(
        f"{what}: the column `{name}` has a {type(value).__name__}; expected texts, numbers, truth values, times or lists"
    )


class _Moment:
    """A time as microseconds since 1970."""

    def __init__(self, micros: int) -> None:
        self.micros = micros


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _moment(value: Any) -> _Moment | None:
    if value != value:
        return None
    if value.tzinfo is None:
        # As in files: a time without a zone is one of UTC.
        value = value.replace(tzinfo=datetime.timezone.utc)
    return _Moment((value - _EPOCH) // datetime.timedelta(microseconds=1))


def _toml(spec: Mapping[str, Any]) -> str:
    """Nested dicts as TOML."""
    return "".join(f"{quoted(str(key))} = {inline(value)}\n" for key, value in spec.items())
