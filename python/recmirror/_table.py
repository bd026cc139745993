"""Tables as Arrow: Polars, pandas, DuckDB and others take them as they are."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from . import _native

# Rows that a notebook shows.
SHOWN = 50


class Table:
    """Rows with the same columns, held as Arrow.

    `polars.DataFrame(table)` and `pyarrow.table(table)` take it without a copy, pandas with
    `pandas.DataFrame.from_arrow(table)` or `table.to_pandas()`. `table["mean"]` is a column as a list, and iterating gives
    rows as dicts.
    """

    def __init__(self, native: _native.Table) -> None:
        self._native = native
        self._columns: dict[str, list[Any]] | None = None

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._native.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        return self._native.__arrow_c_schema__()

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The columns by name, as lists; `None` where a value is undefined."""
        if self._columns is None:
            self._columns = self._native.columns()
        return self._columns

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return list(self)

    def to_polars(self) -> Any:
        """The table in Polars, which must be installed; without a copy."""
        import polars  # type: ignore[import-not-found, unused-ignore]

        return polars.DataFrame(self)

    def to_pandas(self) -> Any:
        """The table in pandas, which must be installed."""
        import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

        return pandas.DataFrame(self.columns)

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (list(self.columns.items()),)

    def __len__(self) -> int:
        return len(self._native)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        columns = self.columns
        for values in zip(*columns.values()):
            yield dict(zip(columns, values))

    def __getitem__(self, name: str) -> list[Any]:
        return self.columns[name]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        rows = self.rows
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_written(value))}</td>" for value in row.values()) + "</tr>"
            for row in rows[:SHOWN]
        )
        more = "" if len(rows) <= SHOWN else f"<caption>the first {SHOWN} of {len(rows)} rows</caption>"
        return f"<table>{more}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return f"Table({len(self)} rows of {', '.join(self.columns)})"


def _load(columns: list[tuple[str, list[Any]]]) -> Table:
    """The table that was pickled."""
    return Table(_native.Table.from_columns(columns))


def _written(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
