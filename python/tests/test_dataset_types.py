"""Tables with the types and indexes that logs have in practice give the same data set."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import recmirror as rm
from shop import table

ROWS = table()
FRAME = pandas.DataFrame(ROWS)
MOMENTS = [datetime.datetime.fromtimestamp(second, datetime.timezone.utc) for second in ROWS["timestamp"]]


def content(data: rm.Dataset) -> tuple[Any, ...]:
    """Everything that a run on it depends on."""
    env = rm.Environment(data, population=50, slate=3, steps=2, seed=5, policies=["ials"])
    env.run(env.policy("ials"))
    return data.users, data.items, data.interactions, data.scale, data.user_ids, data.item_ids, env.digest


SAME: dict[str, Callable[[], Any]] = {
    "index of texts": lambda: FRAME.set_axis([f"row {n}" for n in range(600)]),
    "one label for all rows": lambda: FRAME.set_axis([7] * 600),
    "rows of a filter": lambda: pandas.concat([FRAME, FRAME])[:600][np.arange(600) % 601 < 600],
    "index of users": lambda: FRAME.set_index("user_id"),
    "index of users and items": lambda: FRAME.set_index(["user_id", "item_id"]),
    "categories": lambda: FRAME.astype({"user_id": "category", "item_id": "category"}),
    "categories that no row has": lambda: FRAME.assign(
        user_id=pandas.Categorical(FRAME["user_id"], categories=["nobody", *FRAME["user_id"].unique()])
    ),
    "string dtype": lambda: FRAME.astype({"user_id": "string", "item_id": "string"}),
    "objects": lambda: FRAME.astype(object),
    "32-bit ratings": lambda: FRAME.astype({"rating": "float32"}),
    "8-bit ratings": lambda: FRAME.astype({"rating": "int8"}),
    "nullable ratings": lambda: FRAME.astype({"rating": "Int64"}),
    "nullable times": lambda: FRAME.astype({"timestamp": "Int64"}),
    "times with a zone": lambda: FRAME.assign(timestamp=pandas.DatetimeIndex(MOMENTS).tz_convert("Europe/Berlin")),
    "times in seconds": lambda: FRAME.assign(timestamp=pandas.DatetimeIndex(MOMENTS).tz_localize(None).astype("datetime64[s]")),
    "times of Python with a zone": lambda: ROWS | {"timestamp": [m.astimezone(ZoneInfo("Asia/Tokyo")) for m in MOMENTS]},
    "Arrow-backed columns": lambda: FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "columns of NumPy": lambda: {name: np.array(values) for name, values in ROWS.items()},
    "a structured array": lambda: FRAME.to_records(index=False),
    "series of pandas": lambda: {name: FRAME[name] for name in FRAME},
    "series of Polars": lambda: {name: polars.Series(values) for name, values in ROWS.items()},
    "Polars categories": lambda: polars.DataFrame(ROWS).with_columns(polars.col("user_id", "item_id").cast(polars.Categorical)),
    "Polars enum": lambda: polars.DataFrame(ROWS).with_columns(
        polars.col("user_id").cast(polars.Enum(sorted(set(ROWS["user_id"]))))
    ),
    "Polars zone": lambda: polars.DataFrame(ROWS | {"timestamp": MOMENTS}).with_columns(
        polars.col("timestamp").dt.convert_time_zone("America/New_York").dt.cast_time_unit("ns")
    ),
    "Polars in chunks": lambda: polars.concat([polars.DataFrame(ROWS)[:100], polars.DataFrame(ROWS)[100:]], rechunk=False),
    "Arrow in chunks": lambda: pyarrow.concat_tables([pyarrow.table(ROWS).slice(0, 7), pyarrow.table(ROWS).slice(7)]),
    "an Arrow batch": lambda: pyarrow.table(ROWS).to_batches()[0],
    "an Arrow stream": lambda: pyarrow.table(ROWS).to_reader(max_chunksize=11),
    "Arrow views": lambda: pyarrow.table(ROWS).set_column(0, "user_id", pyarrow.array(ROWS["user_id"], pyarrow.string_view())),
    "Arrow dictionaries": lambda: pyarrow.table(ROWS).set_column(0, "user_id", pyarrow.array(ROWS["user_id"]).dictionary_encode()),
}


@pytest.mark.parametrize("case", SAME)
def test_types_and_indexes_change_nothing(case: str) -> None:
    assert content(rm.Dataset(SAME[case]())) == content(rm.Dataset(ROWS))


def test_missing_ratings_of_any_kind_are_missing() -> None:
    holes = [None if n % 5 == 0 else value for n, value in enumerate(ROWS["rating"])]
    wanted = content(rm.Dataset(ROWS | {"rating": holes}))
    assert wanted != content(rm.Dataset(ROWS))
    for other in (
        ROWS | {"rating": [np.nan if value is None else value for value in holes]},
        FRAME.assign(rating=holes),
        FRAME.assign(rating=pandas.array(holes, dtype="Int64")),
        FRAME.assign(rating=pandas.Series(holes, dtype=object)),
        FRAME.assign(rating=pandas.Series(holes, dtype=object), more=pandas.Series([1, "a"] * 300, dtype=object)),
        polars.DataFrame(ROWS | {"rating": holes}),
        pyarrow.table(ROWS | {"rating": holes}),
    ):
        assert content(rm.Dataset(other)) == wanted, type(other)


def test_ids_of_numbers_are_their_digits() -> None:
    numbers = {"user_id": [n % 40 for n in range(600)], "item_id": [n * 7 % 60 for n in range(600)]}
    wanted = rm.Dataset(numbers).user_ids
    assert wanted[:2] == ["0", "1"]
    frame = pandas.DataFrame(numbers)
    for other in (
        frame,
        frame.astype("uint64"),
        frame.astype("int16"),
        frame.astype("Int64"),
        frame.astype({"user_id": "category"}),
        polars.DataFrame(numbers),
        {name: np.array(values, dtype=np.int32) for name, values in numbers.items()},
    ):
        assert rm.Dataset(other).user_ids == wanted


def test_tables_that_cannot_be_a_log_are_named() -> None:
    doubled = pandas.concat([FRAME, FRAME[["user_id"]]], axis=1)
    both = FRAME.assign(more=pandas.Series([1, "a"] * 300, dtype=object)).set_index("user_id", drop=False)
    wrong: list[tuple[Any, str]] = [
        (doubled, "interactions has two columns called `user_id`; rename one of them"),
        (both, "interactions has a column and an index called `user_id`"),
        (FRAME["user_id"], "interactions is one column; expected a table"),
        (FRAME.assign(when=pandas.period_range("2020", periods=600, freq="h")), "`when` has the Arrow type pandas.period"),
        (FRAME.assign(took=pandas.to_timedelta(FRAME["timestamp"], unit="s")), "`took` has the Arrow type Duration"),
        (FRAME.assign(user_id=None), "interactions:1.*user"),
        (FRAME.assign(rating=1j), "the column `rating` has a complex"),
        (FRAME.assign(rating=np.inf), "rating `inf` is not a finite number"),
        (FRAME[:0], "holds no interactions"),
        ([{"user_id": "a", "item_id": "b"}], "a list; expected a table of Polars, pandas or Arrow, or a dict of columns"),
    ]
    for given, message in wrong:
        with pytest.raises(rm.DataError, match=message):
            rm.Dataset(given)


def test_wrong_roles_and_fits_are_named(tmp_path: Any) -> None:
    with pytest.raises(rm.DataError, match="unknown field `usr`, expected one of `user`"):
        rm.Dataset(ROWS, columns={"usr": "user_id"})
    data = rm.Dataset(ROWS)
    for wrong, message in (
        ({"holdout": 2.0}, "holdout is 2, expected 0.01 to 0.9"),
        ({"epochs": 0}, "epochs"),
        ({"rank": 0}, "rank"),
        ({"scenes": -1}, "scenes"),
    ):
        with pytest.raises(rm.Error, match=message):
            rm.fit(data, out=tmp_path / "model", **wrong)
        assert not (tmp_path / "model").exists()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("mine")
    with pytest.raises(rm.UserModelError, match="own"):
        rm.fit(data, out=tmp_path / "own", force=True)
    assert (tmp_path / "own" / "notes.txt").read_text() == "mine"
    with pytest.raises(rm.Error, match="data is a str; expected a recmirror.Dataset"):
        rm.fit("ml-100k", out=tmp_path / "model")  # type: ignore[arg-type, unused-ignore]
