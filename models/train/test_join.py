"""Tests of `join.py` and `frequent.py`: several data sets as one, on two small ones.

Run with `python -m pytest` or `python test_join.py`; nothing is fetched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy
import pytest
import torch

import frequent
import heads
import join
import likeness
import prefix
import teacher
import test_teacher
import test_tune
from likeness import DIMENSIONS, PLACES, Likeness

ITEMS = (4, 6)


def part(folder: Path, items: int, added: float, seed: int) -> None:
    """What teacher.py and moments.py write of a data set of so many items."""
    random = numpy.random.default_rng(seed)
    vectors = random.normal(size=(items + 1, DIMENSIONS)).astype(numpy.float32)
    (folder / "taught").mkdir(parents=True)
    Likeness(vectors, numpy.ones(PLACES, dtype=numpy.float32), added).write(folder / "taught/vectors.npz")
    (folder / "taught/names.json").write_text(json.dumps([f"{folder.name}{number}" for number in range(items)]))
    rows = [row(folder.name, [number % items], 0) for number in range(4 * join.BLOCK)]
    test_teacher.write(folder / "taught/catalogue.jsonl", rows)
    for name in ("all", "1", "2", "3"):
        test_teacher.write(folder / f"moments/{name}.jsonl", [row(folder.name, [0, items - 1, items], 2)])


def row(name: str, items: list[int], options: int) -> dict:
    return {
        "prompt": [{"role": "user", "content": name}],
        "teacher": {"items": [[1, item] for item in items], "options": options},
    }


def joined(folder: Path, base: Path | None = None) -> tuple[numpy.ndarray, numpy.ndarray]:
    for number, items in enumerate(ITEMS):
        part(folder / "ab"[number], items, 0.5 + number, number)
    join.join([join.Part.read(folder / name) for name in "ab"], folder / "out", base)
    return likeness.told(folder / "out/taught/vectors.npz")


def test_numbers_of_items_are_kept_apart(tmp_path: Path) -> None:
    vectors, added = joined(tmp_path)
    assert added.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 1.5], "only taking nothing has something added"
    for name, start in [("a", 0), ("b", ITEMS[0] + 1)]:
        own = Likeness.read(tmp_path / name / "taught/vectors.npz").vectors
        numpy.testing.assert_array_equal(vectors[start : start + len(own)], own)
    for name in ("all", "1", "2", "3"):
        rows = teacher.read(tmp_path / f"out/moments/{name}.jsonl")
        found = {one["prompt"][0]["content"]: [item for _, item in one["teacher"]["items"]] for one in rows}
        assert found == {"a": [0, 3, 4], "b": [5, 10, 11]}


def test_items_of_all_catalogues_are_met_alike_often(tmp_path: Path) -> None:
    joined(tmp_path)
    rows = teacher.read(tmp_path / "out/taught/catalogue.jsonl")
    count = {name: sum(one["prompt"][0]["content"] == name for one in rows) for name in "ab"}
    # Two thirds of the items, and so of four blocks three.
    assert count == {"a": 3 * join.BLOCK, "b": 4 * join.BLOCK}


def test_one_data_set_stays_as_it_is(tmp_path: Path) -> None:
    part(tmp_path / "a", 4, 0.5, 1)
    join.join([join.Part.read(tmp_path / "a")], tmp_path / "out")
    for name in ("taught/catalogue.jsonl", "moments/2.jsonl"):
        assert teacher.read(tmp_path / "out" / name) == teacher.read(tmp_path / "a" / name)
    for one, other in zip(
        *(likeness.told(tmp_path / name / "taught/vectors.npz") for name in ("a", "out")), strict=True
    ):
        numpy.testing.assert_array_equal(one, other)


def test_vectors_of_several_data_sets_are_not_taken_for_those_of_one(tmp_path: Path) -> None:
    joined(tmp_path)
    with pytest.raises(ValueError, match="of several data sets"):
        Likeness.read(tmp_path / "out/taught/vectors.npz")


def test_names_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    part(tmp_path / "a", 4, 0.5, 1)
    (tmp_path / "a/taught/names.json").write_text(json.dumps(["a0"]))
    with pytest.raises(ValueError, match="1 names of 4 items"):
        join.Part.read(tmp_path / "a")


def test_turned_vectors_agree_on_alike_texts_and_no_affinity_changes() -> None:
    random = numpy.random.default_rng(3)
    truth = random.normal(size=(16, 6))
    rotation, _ = numpy.linalg.qr(random.normal(size=(6, 6)))
    states = [random.normal(size=(400, 16)) for _ in range(2)]
    vectors = [states[0] @ truth, states[1] @ truth @ rotation]
    maps = join.maps_of(states, vectors)
    one, other = (vector @ turn for vector, turn in zip(vectors, join.turns(maps), strict=True))
    numpy.testing.assert_allclose(one @ one.T, vectors[0] @ vectors[0].T, atol=1e-8)
    # A map that was fitted to one block foretells the other only once both are turned.
    fitted = numpy.linalg.lstsq(states[0], one, rcond=None)[0]
    assert numpy.square(states[1] @ fitted - other).mean() < 0.01 * other.var()
    apart = numpy.linalg.lstsq(states[0], vectors[0], rcond=None)[0]
    assert numpy.square(states[1] @ apart - vectors[1]).mean() > vectors[1].var()


def test_none_of_each_data_set_has_its_own_share() -> None:
    """`heads.compare` raises what is looked at by `added` of its number."""
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    added = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, -1.0])
    seen = heads.raised({10: (0, 0), 11: (2, 1), 12: (5, 2)}, [10, 11, 12], added)
    assert [round(seen[place], 3) for place in (10, 11, 12)] == [1.0, 2.718, 0.368] and len(vectors) == len(added)


def test_rows_that_all_begin_alike_are_grouped_in_their_order() -> None:
    rows = [prefix.Row([1, 2, 3, 4, 5 + number % 2], 5) for number in range(8)]
    mixed = prefix.grouped(rows, 4, ordered=False)
    assert [[one.tokens[-1] for one in group.rows] for group in mixed] == [[5, 6, 5, 6]] * 2
    alike = prefix.grouped(rows, 4)
    assert [[one.tokens[-1] for one in group.rows] for group in alike] == [[5] * 4, [6] * 4]


def log(times: bool) -> list[dict]:
    rows = [("u", "a"), ("v", "a"), ("u", "b"), ("u", "c"), ("v", "c"), ("w", "b"), ("u", "d")]
    return [{"user_id": user, "item_id": item, "timestamp": 7 if times else None} for user, item in rows]


def test_rare_items_go_with_who_has_nothing_else(tmp_path: Path) -> None:
    test_teacher.write(
        tmp_path / "raws/d_interaction.jsonl", [*log(True), {"user_id": "x", "item_id": "e", "timestamp": 7}]
    )
    test_teacher.write(tmp_path / "raws/d_item_feature.jsonl", [{"item_id": item} for item in "abcde"])
    test_teacher.write(tmp_path / "raws/d_user_feature.jsonl", [{"user_id": user} for user in "uvwx"])
    for _ in range(2):
        sys.argv = ["frequent.py", "--project", str(tmp_path), "--name", "d", "--least", "2"]
        assert frequent.main() == 0
        left = {
            name: teacher.read(tmp_path / f"raws/d_{name}.jsonl")
            for name in ("interaction", "item_feature", "user_feature")
        }
        assert [row["item_id"] for row in left["item_feature"]] == ["a", "b", "c"]
        assert [row["user_id"] for row in left["user_feature"]] == ["u", "v", "w"]
        assert len(left["interaction"]) == 6 and {row["timestamp"] for row in left["interaction"]} == {7}


def test_a_log_without_times_gets_those_of_its_order() -> None:
    rows = frequent.timed(log(False))
    of = {user: [row["timestamp"] - frequent.START for row in rows if row["user_id"] == user] for user in "uvw"}
    assert of == {
        "u": [0, frequent.SPAN // 4, frequent.SPAN // 2, 3 * frequent.SPAN // 4],
        "v": [0, frequent.SPAN // 2],
        "w": [0],
    }
    assert frequent.timed(rows) == rows and frequent.timed(log(True)) == log(True)


def test_states_of_texts_come_from_the_published_model(tmp_path: Path) -> None:
    test_tune.model(adapter=False).save_pretrained(tmp_path)
    test_tune.tokenizer().save_pretrained(tmp_path)
    states = join.states_of(tmp_path, ["a 1", "a 1", "b 2 c"])
    numpy.testing.assert_array_equal(states[0], states[1])
    assert states.shape[0] == 3 and numpy.abs(states[0] - states[2]).max() > 1e-4


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
