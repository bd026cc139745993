"""Data sets from tables of Polars, pandas, Arrow, and dicts of columns."""

from __future__ import annotations

import datetime
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import recmirror as rm
from shop import table

ITEMS = {
    "item_id": [f"i{n}" for n in range(60)],
    "title": [f"Thing {n}" for n in range(60)],
    "tags": [["odd" if n % 2 else "even", f"t{n % 5}"] for n in range(60)],
    "price": [n / 7 if n % 9 else None for n in range(60)],
}
USERS = {"user_id": [f"u{n}" for n in range(40)], "age": [20 + n for n in range(40)]}


def same(one: rm.Dataset, other: rm.Dataset) -> bool:
    """Whether two data sets hold the same, by the digest of a run on each."""

    def digest(data: rm.Dataset) -> str:
        env = rm.Environment(data, population=50, slate=3, steps=3, seed=5, policies=["ials"])
        env.run(env.policy("ials"))
        return env.digest

    sizes = [(d.users, d.items, d.interactions, d.scale, d.item_fields, d.user_fields) for d in (one, other)]
    return sizes[0] == sizes[1] and one.item_ids == other.item_ids and digest(one) == digest(other)


def as_pandas(columns: dict[str, list[Any]]) -> Any:
    return pandas.DataFrame(columns)


@pytest.mark.parametrize("make", [dict, polars.DataFrame, as_pandas, pyarrow.table])
def test_tables_of_any_library_give_the_data_set_of_files(tmp_path: Path, make: Any) -> None:
    polars.DataFrame(table()).write_csv(tmp_path / "log.csv")
    polars.DataFrame(ITEMS).write_parquet(tmp_path / "items.parquet")
    polars.DataFrame(USERS).write_csv(tmp_path / "users.csv")
    files = rm.Dataset.read(tmp_path)
    memory = rm.Dataset(interactions=make(table()), items=make(ITEMS), users=make(USERS))
    assert memory.item_fields == ["title", "tags", "price"] and memory.user_fields == ["age"]
    assert same(memory, files)
    assert memory.hash == rm.Dataset(interactions=make(table()), items=make(ITEMS), users=make(USERS)).hash


def test_times_of_any_kind_are_the_same_moments() -> None:
    rows = table()
    moments = [datetime.datetime.fromtimestamp(second, datetime.timezone.utc) for second in rows["timestamp"]]
    seconds = rm.Dataset(rows)
    naive = [moment.replace(tzinfo=None) for moment in moments]
    others: list[Any] = [
        rows | {"timestamp": moments},
        rows | {"timestamp": naive},
        rows | {"timestamp": np.array(naive, dtype="datetime64[ns]")},
        polars.DataFrame(rows | {"timestamp": moments}),
        pandas.DataFrame(rows | {"timestamp": moments}),
        pandas.DataFrame(rows | {"timestamp": naive}).astype({"user_id": "category", "rating": "float32"}),
    ]
    for other in others:
        assert same(rm.Dataset(other), seconds), type(other)


def test_impressions_and_roles_are_read() -> None:
    rows = range(200)
    shown = {
        "buyer": [f"u{n // 4 % 10}" for n in rows],
        "sku": [f"i{n % 17}" for n in rows],
        "at": [n // 4 * 60 for n in rows],
        "bought": [n % 3 == 0 for n in rows],
    }
    data = rm.Dataset(shown, columns={"user": "buyer", "item": "sku", "time": "at", "clicked": "bought"})
    assert data.impressions == 50 and data.users == 10
    named = rm.Dataset(
        table(), {"sku": ITEMS["item_id"], "name": ITEMS["title"]}, roles={"items": {"id": "sku", "title": "name"}, "scale": [0, 5]}
    )
    assert named.item_fields == ["name"] and named.scale == (0.0, 5.0)


def test_wrong_tables_are_named() -> None:
    rows = table()
    wrong: list[tuple[Any, str]] = [
        ({"user_id": ["a"]}, "no column `item_id`.*`columns` or `roles`"),
        ({"user_id": ["a"], "item_id": ["b", "c"]}, "interactions: the columns differ in length.*`item_id` has 2"),
        (rows | {"rating": ["good"] * 600}, "interactions:1: rating `good` is not a finite number"),
        ("log.csv", "read files with Dataset.read"),
        (polars.DataFrame(rows).lazy(), "collect it first"),
        (7, "a int; expected a table"),
        (rows | {"rating": [object()] * 600}, "the column `rating` has a object"),
        (polars.DataFrame(rows).with_columns(polars.struct("rating").alias("s")), "the column `s` has the Arrow type"),
        ({"user_id": [], "item_id": []}, "holds no interactions"),
    ]
    for given, message in wrong:
        with pytest.raises(rm.DataError, match=message):
            rm.Dataset(given)
    with pytest.raises(rm.DataError, match="no column `sku`, which `columns` or `roles` names"):
        rm.Dataset(rows, columns={"item": "sku"})
    with pytest.raises(rm.DataError, match="items.*no column of ids"):
        rm.Dataset(rows, {"name": ["a"]})
    with pytest.raises(rm.DataError, match="/nowhere"):
        rm.Dataset.read("/nowhere")
    assert issubclass(rm.DataError, rm.Error) and rm.RecmirrorError is rm.Error


def test_a_data_set_is_sent_whole_to_another_process() -> None:
    data = rm.Dataset(table(), ITEMS, USERS, name="shop")
    sent = pickle.loads(pickle.dumps(data))
    assert (sent.name, sent.hash, sent.cleanup, sent.notes) == (data.name, data.hash, data.cleanup, data.notes)
    assert same(sent, data)


def test_fields_as_numbers() -> None:
    data = rm.Dataset(table(), ITEMS, USERS)
    features, names = data.item_features()
    assert features.shape == (60, len(names)) and features.dtype == np.float32
    odd = names.index("tags=odd")
    assert [features[row, odd] > 0 for row in range(4)] == [False, True, False, True]
    assert data.user_features()[0].shape[0] == 40
    assert rm.Dataset(table()).user_features()[0].shape == (40, 0)
