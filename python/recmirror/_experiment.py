"""Experiments: policies x replications of a scenario file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from . import _native
from ._dataset import Dataset
from ._settings import pairs


class Table:
    """Rows with the same columns. Polars and pandas take it as it is: `polars.DataFrame(table.columns)`."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The columns by name."""
        names = self.rows[0] if self.rows else {}
        return {name: [row[name] for row in self.rows] for name in names}

    def to_pandas(self) -> Any:
        """The table in pandas, which must be installed."""
        import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

        return pandas.DataFrame(self.columns)

    def to_polars(self) -> Any:
        """The table in Polars, which must be installed."""
        import polars  # type: ignore[import-not-found, unused-ignore]

        return polars.DataFrame(self.columns)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __repr__(self) -> str:
        return f"Table({len(self.rows)} rows of {', '.join(self.columns)})"


class Result:
    """What an experiment gave: `summary`, `compare`, `pairs`, `finals` and `series` are tables."""

    def __init__(self, found: dict[str, Any]) -> None:
        names = ("summary", "compare", "pairs", "finals", "series")
        self.summary, self.compare, self.pairs, self.finals, self.series = (
            Table(json.loads(found[name])) for name in names
        )
        self.digest: str = found["digest"]
        """The hash over all events of all policies and replications."""
        self.failures: list[tuple[str, int, str]] = found["failures"]
        """Policy, replication and message of each policy that could not go on."""
        self._text: str = found["text"]

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text


def run(
    scenario: str | os.PathLike[str],
    *,
    policies: Mapping[str, Any] | None = None,
    data: Dataset | None = None,
    settings: Mapping[str, Any] | None = None,
    allow_external: bool = False,
) -> Result:
    """Runs a scenario file, with policies of your own beside those of the file.

    `policies` maps names to objects with `recommend(observation)` and optionally `observe(outcome)`, or to functions of
    the observation, or to classes. In an experiment `outcome.left` is empty and `outcome.is_done` false. Each replication has a policy of its own: a class is made, an object is copied.
    `data` replaces the data set of the file, `settings` its keys: `{"ticks": 10, "policy.ials.factors": 16}`. A scenario
    that starts programs (policies of the kind `external`) runs only with `allow_external=True`.
    """
    own = list((policies or {}).items())
    native = None if data is None else data._native
    return Result(_native.run(os.fspath(scenario), own, pairs(settings or {}), native, allow_external))
