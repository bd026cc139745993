"""Tests of what `teacher.py` writes into rows and what `sft.py` makes of it, on a tiny random model and a log of two tastes.

Run with `python -m pytest` or `python test_teacher.py`; nothing is fetched.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

import hints
import moments
import prefix
import sft
import teacher
import test_tune
import tune
import unseen
from likeness import PLACES, Likeness, eigenvectors

USERS, ITEMS = 12, 8
LATE = 1_000


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def scene(user: int, options: list[int], taken: int, history: list[int], time: int) -> dict:
    text = {"history": "\n".join(f"b{item}: 4" for item in history), "action_list": [f"b{item}" for item in options]}
    times = {"user_id": user, "item_id": options[taken], "timestamp": time * 1000, "item_pos": taken}
    return {"text": text, "items": options} | times


def project(folder: Path, late: tuple[dict, ...] = ()) -> list[dict]:
    """Even users take even items, odd ones odd items; returns the training scenes."""
    log = [
        {"user_id": user, "item_id": item, "timestamp": 10 * item}
        for user in range(USERS)
        for item in range(ITEMS)
        if item % 2 == user % 2
    ]
    write(folder / "raws/d_interaction.jsonl", log + list(late))
    train = [scene(user, [6, 7, 5], user % 2, [user % 2, 2 + user % 2], 60) for user in range(USERS)]
    write(folder / "datasets/d_train.jsonl", train)
    known = scene(0, list(range(ITEMS)), 0, [0], LATE)
    write(folder / "datasets/d_eval.jsonl", [known])
    return train


def rows_of(scenes: list[dict]) -> list[dict]:
    rows = []
    for one in scenes:
        names = " ".join(f"[{letter}] {text}" for letter, text in zip("ABC", one["text"]["action_list"]))
        prompt = [{"role": "user", "content": f"{one['text']['history']}\nOptions: {names}"}]
        answer = [{"role": "assistant", "content": f"Behavior: [ {'ABC'[one['item_pos']]} ]"}]
        rows.append({"prompt": prompt, "completion": answer, "options": 3})
    return rows


def taught(folder: Path) -> tuple[teacher.Log, list[dict]]:
    scenes = project(folder)
    log = teacher.Log([folder], "d")
    return log, told(log, scenes, rows_of(scenes))


def likeness_of(log: teacher.Log) -> Likeness:
    """As the log alone tells, before any list."""
    return Likeness(numpy.pad(eigenvectors(log.taken()), ((0, 1), (0, 0))), numpy.ones(PLACES))


def told(log: teacher.Log, scenes: list[dict], rows: list[dict]) -> list[dict]:
    found = teacher.paired(log, scenes, rows)
    teacher.teach(likeness_of(log), found)
    return [row for row, _ in found]


def test_the_teacher_knows_who_takes_what(tmp_path: Path) -> None:
    _, rows = taught(tmp_path)
    for user, row in enumerate(rows):
        found = row["teacher"]["probabilities"]
        liked = [place for place, item in enumerate([6, 7, 5]) if item % 2 == user % 2]
        assert math.isclose(sum(found), 1, abs_tol=1e-3) and found.index(max(found)) in liked, found
        content = row["prompt"][-1]["content"]
        told = [content[:end].split()[-1] for end, _ in row["teacher"]["items"]]
        assert told == ["4", "4", "b6", "b7", "b5"]
        assert [item for _, item in row["teacher"]["items"]] == [user % 2, 2 + user % 2, 6, 7, 5]


def test_what_comes_after_the_first_evaluation_scene_is_not_told(tmp_path: Path) -> None:
    project(tmp_path / "a")
    project(tmp_path / "b", ({"user_id": 0, "item_id": 7, "timestamp": LATE + 1},))
    one, other = (teacher.Log([tmp_path / name], "d").taken() for name in "ab")
    assert numpy.array_equal(one, other)
    project(tmp_path / "c", ({"user_id": 0, "item_id": 7, "timestamp": LATE - 1},))
    assert not numpy.array_equal(one, teacher.Log([tmp_path / "c"], "d").taken())


def test_an_option_stands_where_its_letter_does_when_that_is_behind_it(tmp_path: Path) -> None:
    assert teacher.behind("Options:\nb6 [A]\n", 11, "A") == 14
    assert teacher.behind("Options: [A] b6 [B] b7", 15, "A") == 15
    assert teacher.behind("b6", 2, "A") == 2
    scenes = project(tmp_path)
    rows = rows_of(scenes)
    for one, row in zip(scenes, rows, strict=True):
        names = "".join(f"{text} [{letter}]\n" for letter, text in zip("ABC", one["text"]["action_list"]))
        row["prompt"][-1]["content"] = f"{one['text']['history']}\nOptions:\n{names}"
    log = teacher.Log([tmp_path], "d")
    found = told(log, scenes, rows)
    for row in found + teacher.catalogue(log, found, numpy.random.default_rng(1)):
        content = row["prompt"][-1]["content"]
        ends = [content[:end][-2:] for end, _ in row["teacher"]["items"]]
        if row["teacher"]["options"]:
            assert ends == [" 4", " 4", "[A", "[B", "[C"], row
        else:
            assert ends[-1] in (" 4", "[A", "[B", "[C") and len(ends) <= 2, row


def test_to_take_nothing_is_the_last_option(tmp_path: Path) -> None:
    scenes = [one | {"offers_none": True} for one in project(tmp_path)]
    rows = rows_of(scenes)
    scenes[0]["item_pos"] = 3
    for behind, row in zip([True, False] * USERS, rows):
        named = row["prompt"][-1]
        named["content"] = f"b0: 4\nOptions:\n" + "".join(
            f"{text} [{letter}]\n" if behind else f"[{letter}] {text}\n"
            for letter, text in zip("ABCD", ["b6", "b7", "b5", "None of these"])
        )
    for one in scenes:
        one["text"]["history"] = "b0: 4"
        one["user_id"] = 0
    log = teacher.Log([tmp_path], "d")
    found = teacher.paired(log, scenes, rows)
    assert [choice.taken for _, choice in found][:2] == [3, 1] and found[0][1].options == [6, 7, 5, ITEMS]
    for behind, (row, _) in zip([True, False] * USERS, found):
        (place, item), content = row["teacher"]["items"][-1], row["prompt"][-1]["content"]
        assert item == ITEMS and row["teacher"]["options"] == 4
        assert content[:place].endswith("None of these [D" if behind else "[D] None of these"), content[:place]
    raised = replace(likeness_of(log), added=2.0)
    assert raised.affinities([], [6, ITEMS]).tolist() == [0.0, 2.0]
    teacher.teach(likeness_of(log), found[:1])
    usual = found[0][0]["teacher"]["probabilities"][-1]
    teacher.teach(raised, found[:1])
    assert len(found[0][0]["teacher"]["probabilities"]) == 4 and found[0][0]["teacher"]["probabilities"][-1] > usual
    drawn = teacher.catalogue(log, [row for row, _ in found], numpy.random.default_rng(1), of=4, items=20)
    assert all(item < ITEMS for row in drawn for _, item in row["teacher"]["items"])
    rows[0]["prompt"][-1]["content"] = "b0: 4\nOptions:\nb6 [A]\nb7 [B]\nb5 [C]\n"
    with pytest.raises(ValueError, match="no option \\[D\\]"):
        teacher.paired(log, scenes, rows)


def test_rows_of_other_scenes_and_scenes_without_items_are_refused(tmp_path: Path) -> None:
    scenes = project(tmp_path)
    with pytest.raises(ValueError, match="11 rows of 12 scenes"):
        teacher.paired(teacher.Log([tmp_path], "d"), scenes, rows_of(scenes)[1:])
    write(tmp_path / "datasets/d_eval.jsonl", [{"text": {}}])
    with pytest.raises(ValueError, match="no scenes with `items`"):
        teacher.Log([tmp_path], "d")


def test_a_catalogue_row_tells_one_item_where_it_stands(tmp_path: Path) -> None:
    log, rows = taught(tmp_path)
    drawn = teacher.catalogue(log, rows, numpy.random.default_rng(1), of=10, items=40)
    counts, uses = numpy.zeros(ITEMS), numpy.zeros(ITEMS)
    for row in drawn:
        assert row["completion"] == [] and row["teacher"]["options"] == 0
        content = row["prompt"][-1]["content"]
        (title, item), (end, again) = [*row["teacher"]["items"], *row["teacher"]["items"]][:2]
        assert item == again and content[:title].endswith(f"b{item}") and title <= end
        assert content[:end].removesuffix(": 4").endswith(f"b{item}"), (content, end, item)
        assert content.count("b") == 1, "no other item is named"
        counts[item] += 1
    for row in rows:
        uses += numpy.bincount([item for _, item in row["teacher"]["items"]], minlength=ITEMS)
    wanted = numpy.sqrt(uses) / numpy.sqrt(uses).sum()
    assert len(drawn) == 400 and abs(counts / 400 - wanted).max() < 0.06, (counts, wanted)


def test_the_first_layers_alone_say_what_they_say_in_the_whole(tmp_path: Path) -> None:
    _, rows = read(tmp_path)
    tiny = test_tune.model()
    batch = prefix.sequence(prefix.Group(rows[:1], rows[0].answer), torch.float32)
    with torch.no_grad():
        whole = prefix.states_of(tiny, batch, 3)
        part = prefix.states_of(tiny, batch, 2)
    assert len(whole) == 4 and len(part) == 3 and len(prefix.backbone(tiny).layers) == 3
    for one, other in zip(part, whole, strict=False):
        torch.testing.assert_close(one, other)


def test_items_are_learned_from_a_catalogue(tmp_path: Path) -> None:
    log, rows = taught(tmp_path)
    write(tmp_path / "catalogue.jsonl", teacher.catalogue(log, rows, numpy.random.default_rng(1), items=4))
    groups = prefix.grouped(prefix.read_rows(test_tune.tokenizer(), tmp_path / "catalogue.jsonl"), 1)[:12]
    tiny = test_tune.model()
    told = hints.Hints(likeness_of(log).vectors, tiny.config.hidden_size, 3)
    settings = replace(test_tune.SETTINGS, epochs=12.0, part="items")
    of = sft.loss_of(settings, told)
    tune.tune(tiny, test_tune.tokenizer(), groups, groups, settings, tmp_path / "out", of, told)
    curve = [line.split(",") for line in (tmp_path / "out/curves.csv").read_text().splitlines()]
    values = [float(value) for _, measure, value in curve if measure == "eval_item"]
    assert values[-1] < 0.9 * values[0], values


def read(folder: Path) -> tuple[teacher.Log, list[prefix.Row]]:
    log, rows = taught(folder)
    write(folder / "rows.jsonl", rows)
    return log, prefix.read_rows(test_tune.tokenizer(), folder / "rows.jsonl")


def test_places_are_the_tokens_of_items_and_letters(tmp_path: Path) -> None:
    _, rows = read(tmp_path)
    names = test_tune.tokenizer()
    for row in rows:
        said = [names.decode([row.tokens[place]]).strip() for place, _ in row.taught.items]
        assert said[:2] == ["4", "4"] and [word[-1] for word in said[2:]] == ["6", "7", "5"], said
        assert row.tokens[row.taught.letter] in row.taught.letters
    [group] = [group for group in prefix.grouped(rows) if len(group.rows) > 1][:1] or [prefix.Group(rows[:2], 3)]
    tokens = prefix.sequence(group, torch.float32)["input_ids"][0]
    for number, row in enumerate(group.rows):
        for place, _ in row.taught.items:
            assert tokens[prefix.place_of(group, number, place)] == row.tokens[place]


def test_rows_of_one_moment_stand_together() -> None:
    def row(person: str, options: str) -> dict:
        return {"prompt": [{"content": f"{person}\nOptions:\n{options}"}], "teacher": {}}

    files = [[row("p", "a"), row("q", "b")], [row("q", "c"), row("r", "d")], [row("p", "e"), row("q", "f")]]
    drawn = moments.together(files, 2, 10, 1)
    assert sorted(map(len, drawn)) == [2, 3], "r stands in one file alone"
    assert all(len({moments.moment(row) for row in rows}) == 1 for rows in drawn)
    assert drawn == moments.together(files, 2, 10, 1) and len(moments.together(files, 1, 2, 1)) == 2
    with pytest.raises(ValueError, match="no line `Options:`"):
        moments.moment({"prompt": [{"content": "Items:"}]})


def test_scenes_of_moments_that_rows_tell_of_are_left_out() -> None:
    scene = lambda history: {"text": {"profile": "a cook", "history": history, "action_list": ["x", "y"]}}
    row = {"prompt": [{"content": "s"}, {"content": "a cook\nHistory:\nHeat +\nOptions:\nx [A]\ny [B]"}]}
    seen = {moments.moment(row)}
    assert unseen.unseen([scene("Heat +"), scene("Heat +\nBabe +")], seen) == [scene("Heat +\nBabe +")]


def test_a_list_is_turned_and_the_same_is_taken() -> None:
    one = scene(0, [6, 7, 5], 1, [0], 60)
    turned = unseen.rotations(one)
    assert [of["items"] for of in turned] == [[6, 7, 5], [7, 5, 6], [5, 6, 7]]
    assert all(of["items"][of["item_pos"]] == 7 and of["text"]["action_list"] == [f"b{item}" for item in of["items"]] for of in turned)
    assert one["items"] == [6, 7, 5] and one["item_pos"] == 1
    assert [of["item_pos"] for of in unseen.rotations(one | {"item_pos": 3, "offers_none": True})] == [3, 3, 3]


def test_rows_that_lack_what_is_trained_are_told(tmp_path: Path) -> None:
    log, rows = read(tmp_path)
    tiny = test_tune.model()
    told = hints.Hints(likeness_of(log).vectors, tiny.config.hidden_size, 3)
    part = {name: replace(test_tune.SETTINGS, part=name) for name in tune.PARTS}
    [plain] = prefix.grouped([replace(rows[0], taught=None)])
    [silent] = prefix.grouped([prefix.Row(rows[0].tokens, len(rows[0].tokens), rows[0].taught)])
    for name in tune.PARTS:
        sft.check(prefix.grouped(rows), part[name], told)
    sft.check([plain], part["whole"], None)
    sft.check([silent], part["items"], told)
    with pytest.raises(tune.SettingsError, match="--vectors"):
        sft.check([plain], part["items"], None)
    with pytest.raises(prefix.RowError, match="without a teacher"):
        sft.check([plain], part["items"], told)
    with pytest.raises(prefix.RowError, match="without a teacher's probabilities"):
        sft.check([plain], part["attention"], None)
    with pytest.raises(prefix.RowError, match="without an answer"):
        sft.check([silent], part["whole"], told)


def test_states_that_grow_cost_and_others_do_not(tmp_path: Path) -> None:
    log, rows = read(tmp_path)
    groups = prefix.grouped(rows, 2)[:3]
    tiny = test_tune.model()
    told = hints.Hints(likeness_of(log).vectors, tiny.config.hidden_size, 3)
    told.measure(tiny, groups, torch.float32)
    with torch.no_grad(), tiny.disable_adapter():
        found = prefix.states_of(tiny, prefix.sequence(groups[0], torch.float32), 2)
    times = [tuple(factor * states for states in found) for factor in (0.1, 1, 10)]
    small, usual, large = (float(told.growth(of).detach()) for of in times)
    assert small == 0 and usual < 0.01 and math.isclose(large, hints.GROWTH * math.log(100) ** 2, rel_tol=0.1)


def test_layers_that_stay_as_they_are_do(tmp_path: Path) -> None:
    first = test_tune.model()
    first.save_pretrained(tmp_path / "adapter")
    first.get_base_model().save_pretrained(tmp_path / "base")
    test_tune.tokenizer().save_pretrained(tmp_path / "base")
    settings = replace(test_tune.SETTINGS, frozen_layers=2)
    _, model = tune.load_model(tmp_path / "base", tmp_path / "adapter", settings)
    trained = {int(tune.LAYER.search(name)[1]) for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {2}


def test_a_sure_teacher_is_the_letter_itself(tmp_path: Path) -> None:
    _, rows = read(tmp_path)
    sure = []
    for row in rows:
        place = row.taught.letters.index(row.tokens[row.taught.letter])
        certain = tuple(float(other == place) for other in range(len(row.taught.letters)))
        sure.append(replace(row, taught=replace(row.taught, probabilities=certain)))
    tiny = test_tune.model()
    losses = []
    for found, soft in [(sure, 1.0), (rows, 0.0), (rows, 1.0)]:
        settings = replace(test_tune.SETTINGS, soft=soft)
        losses.append(float(sft.loss_of(settings, None)(tiny, prefix.Group(found[:3], 1), torch.float32)[0].detach()))
    assert abs(losses[0] - losses[1]) < 1e-3 < 1e-2 < abs(losses[1] - losses[2]), losses


def test_hints_are_learned_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    log, rows = read(tmp_path)
    groups = prefix.grouped(rows, 2)
    settings = replace(test_tune.SETTINGS, epochs=16.0, learning_rate=2e-3, part="items")

    def run(out: str, stop_after: int | None = None) -> list[torch.Tensor]:
        torch.manual_seed(5)
        tiny, calls = test_tune.model(), 0
        told = hints.Hints(likeness_of(log).vectors, tiny.config.hidden_size, 3)
        of = sft.loss_of(settings, told)

        def loss_of(*arguments):
            nonlocal calls
            calls += 1
            if calls == stop_after:
                raise KeyboardInterrupt
            return of(*arguments)

        tune.tune(tiny, test_tune.tokenizer(), groups, groups[:2], settings, tmp_path / out, loss_of, told)
        return [*told.state_dict().values()]

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop_after=30)
    for one, other in zip(whole, run("stopped"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    curve = [line.split(",") for line in (tmp_path / "whole/curves.csv").read_text().splitlines()]
    values = [float(value) for _, measure, value in curve if measure == "eval_item"]
    assert values[-1] < 0.9 * values[0], values


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
