"""Tests of `reasons.py` on a log of two tastes, and of `selected.py`.

Run with `python -m pytest` or `python test_reasons.py`; nothing is fetched.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy
import pytest

import reasons
import selected
import teacher
import test_teacher
from likeness import PLACES, Likeness

COUNT = 40


def project(folder: Path) -> None:
    """Items are even or odd, the second half of them late, too."""
    test_teacher.project(folder)
    test_teacher.likeness_of(teacher.Log([folder], "d")).write(folder / "vectors.npz")
    kinds = {item: [["Even", "Odd"][item % 2]] + ["Late"] * (item >= 4) for item in range(test_teacher.ITEMS) if item != 3}
    rows = [{"item_id": item, "item_description": {"kinds": found}} for item, found in kinds.items()]
    test_teacher.write(folder / "raws/d_item_feature.jsonl", rows)


def arguments(folder: Path) -> list[str]:
    return ["--project", str(folder), "--name", "d", "--vectors", str(folder / "vectors.npz"), "--kinds", "kinds"]


def said(folder: Path, *more: str) -> list[list[tuple[str, str]]]:
    """Reason and letter of every decision that is written for the scenes of a project."""
    out = folder / "out.jsonl"
    sys.argv = ["reasons.py", *arguments(folder), "--decisions", str(COUNT), "--out", str(out), *more]
    assert reasons.main() == 0
    answers = []
    for number, line in enumerate(teacher.read(out)):
        assert line["custom_id"] == f"d-{number}" and line["response"]["status_code"] == 200
        texts = [choice["message"]["content"] for choice in line["response"]["body"]["choices"]]
        answers.append([re.fullmatch(r"(.*)\nBehavior: \[([A-Z])\]", text).groups() for text in texts])
    return answers


def test_the_strong_one_knows_who_takes_what_and_the_weak_one_less(tmp_path: Path) -> None:
    project(tmp_path)
    # A quarter goes against its taste, so that even who knows all is not sure.
    taken = [1 - user % 2 if user < 3 else user % 2 for user in range(test_teacher.USERS)]
    histories = [[user % 2, 2 + user % 2] for user in range(test_teacher.USERS)]
    scenes = [test_teacher.scene(user, [6, 7], taken[user], histories[user], 60) for user in range(test_teacher.USERS)]
    test_teacher.write(tmp_path / "datasets/d_train.jsonl", scenes)
    share = {}
    for strength in ["strong", "weak"]:
        answers = said(tmp_path, "--strength", strength)
        assert [len(of) for of in answers] == [COUNT] * len(scenes)
        to_taste = [letter == "AB"[user % 2] for user, of in enumerate(answers) for _, letter in of]
        share[strength] = sum(to_taste) / len(to_taste)
    assert 0.65 < share["strong"] < 0.85 and 0.5 < share["weak"] < share["strong"] - 0.08, share
    assert said(tmp_path, "--strength", "weak") == answers != said(tmp_path, "--strength", "weak", "--seed", "2")


def test_reasons_are_kinds_of_what_is_taken_or_of_what_was_last(tmp_path: Path) -> None:
    project(tmp_path)
    log = teacher.Log([tmp_path], "d")
    kinds = reasons.Kinds(log, tmp_path / "raws/d_item_feature.jsonl", "kinds")
    number = log.items
    assert kinds.reason([number[0], number[2], number[5]], number[6], strong=True) == "In the mood for even and late."
    assert kinds.reason([number[4], number[6], number[0]], number[5], strong=True) == "In the mood for late and odd."
    assert kinds.reason([number[4], number[1]], number[6], strong=False) == "In the mood for odd."
    # Item 3 is of no kind that is known.
    assert kinds.reason([number[0]], number[3], strong=True) == "For a change."
    assert kinds.reason([], number[6], strong=True) == "For a change."
    new = test_teacher.scene(0, [6, 7], 0, [], 60)
    likeness = test_teacher.likeness_of(log)
    assert len(reasons.decisions(likeness, log, kinds, [new], True, 3, 1)[0]) == 3


def test_what_cannot_be_decided_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path)
    path = tmp_path / "datasets/d_train.jsonl"
    path.write_text("".join(json.dumps(row | {"offers_none": True}) + "\n" for row in teacher.read(path)))
    assert told(tmp_path, capsys).endswith("a list offers to take nothing, of which there are no reasons\n")
    project(tmp_path)
    assert "no item has `colours`" in told(tmp_path, capsys, "--kinds", "colours")
    assert "none_" in told(tmp_path, capsys, "--name", "none")
    Likeness(numpy.ones((4, 2)), numpy.ones(PLACES)).write(tmp_path / "other.npz")
    assert "3 vectors of 8 items" in told(tmp_path, capsys, "--vectors", str(tmp_path / "other.npz"))


def told(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    out = folder / "none.jsonl"
    sys.argv = ["reasons.py", *arguments(folder), "--strength", "weak", "--out", str(out), *more]
    assert reasons.main() == 2 and not out.exists()
    return capsys.readouterr().err


def test_the_scenes_of_pairs_are_picked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenes = test_teacher.project(tmp_path)
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    path = tmp_path / "datasets/d_train.jsonl"

    def picked(kept: list[dict]) -> int:
        # Pairs name people and items as texts.
        named = [{name: str(scene[name]) for name in ("user_id", "item_id")} for scene in kept]
        test_teacher.write(pairs, [one | {"timestamp": scene["timestamp"]} for one, scene in zip(named, kept, strict=True)])
        sys.argv = ["selected.py", "--pairs", str(pairs), "--scenes", str(path), "--out", str(out)]
        return selected.main()

    assert picked([scenes[7], scenes[2]]) == 0
    assert teacher.read(out) == [scenes[2], scenes[7]]
    assert picked([scenes[7], scenes[2] | {"timestamp": 1}]) == 2
    assert "2 pairs are of 1 of the scenes" in capsys.readouterr().err
    path.write_text("{}\n{bad\n")
    assert selected.main() == 2
    assert f"{path}:2: not a line of JSON" in capsys.readouterr().err
    assert teacher.read(out) == [scenes[2], scenes[7]]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
