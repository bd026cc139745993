"""What a log of co-occurrences knows about rows of `recmirror export --task choice`, written into them for `sft.py`.

    python teacher.py --project P --name DATASET --rows FILE... --out FOLDER

A person's choice says little: one of five. How alike items are, in the eyes of all who took them, says more, and a small
language model learns a choice in far fewer rows when it is told. For each row of `FILE` (of the scenes
`P/datasets/DATASET_train.jsonl`, in their order) `FOLDER/FILE` has the row with a key `teacher`:

- `items`: `[end, item]` of each item that the prompt names, history first: where its line ends in the last message, or the
  letter does that stands behind an option. A title alone may go on ("Star Trek"), so lines should end with a mark, too. To
  take nothing, where a list offers it, is the last option, with the number behind those of all items.
- `options`: how many of those are options
- `probabilities`: of the options, softmax of `b` x the option's affinity with the history (`likeness.py`); `b` is the most
  likely one for what the file's people took.

and `FOLDER/vectors.npz` what `likeness.py` fits to the lists of all files, `FOLDER/names.json` the text of each number. Only interactions
before the first evaluation scene of any of the projects count, and training scenes, so nothing that is measured is told.

`FOLDER/catalogue.jsonl` has rows without an answer, made of those of the first file, that name one item each, as an item of
the history or as an option would be: from them a model learns what each title stands for before it learns to choose. The
more often the rows name an item, the more often it is there (by the root of the count).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

import numpy

from likeness import Choice, Likeness, eigenvectors

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Where `b` is looked for.
SHARPNESS = numpy.arange(0.05, 60.0, 0.05)


class Log:
    """What was taken before the evaluation scenes: `past[user]`, `[(time, item)]`, and the items by number."""

    def __init__(self, projects: list[Path], name: str) -> None:
        """The projects have the same log, and scenes of different kinds."""
        rows = read(projects[0] / "raws" / f"{name}_interaction.jsonl")
        self.texts, before = {}, math.inf
        for project in projects:
            for part in ("train", "eval"):
                for scene in scenes(project / "datasets" / f"{name}_{part}.jsonl"):
                    self.texts |= zip(scene["items"], scene["text"]["action_list"], strict=False)
                    before = min(before, scene["timestamp"]) if part == "eval" else before
        # Ids are numbers or texts, in some logs both.
        ids = sorted({row["item_id"] for row in rows}, key=lambda item: (isinstance(item, str), item))
        self.items = {item: number for number, item in enumerate(ids)}
        self.none = len(self.items)
        self.names = {self.items[item]: text for item, text in self.texts.items()}
        self.past: dict = {}
        for row in rows:
            if 1000 * row["timestamp"] < before:
                self.past.setdefault(row["user_id"], []).append((1000 * row["timestamp"], row["item_id"]))

    def taken(self) -> numpy.ndarray:
        """`[users, items]`, 1 where a user took an item."""
        taken = numpy.zeros((len(self.past), len(self.items)), dtype=numpy.float32)
        for number, past in enumerate(self.past.values()):
            taken[number, [self.items[item] for _, item in past]] = 1
        return taken

    def named(self, scene: dict, line: str):
        """The item that a line of the history tells: of the user's earlier ones that whose text it begins with."""
        past = [item for time, item in self.past.get(scene["user_id"], []) if time < scene["timestamp"]]
        return max(
            (item for item in past if item in self.texts and line.startswith(self.texts[item])),
            key=lambda item: len(self.texts[item]),
            default=None,
        )

    def history(self, scene: dict) -> tuple[list[str], list]:
        """The lines of a scene's history, and of each the item that it tells."""
        lines = [line for line in scene["text"]["history"].split("\n") if line]
        return lines, [self.named(scene, line) for line in lines]


def read(path: Path) -> list[dict]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as problem:
            raise ValueError(f"{path}:{number}: not a line of JSON ({problem})") from problem
    return rows


def write(path: Path, rows: list[dict]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    partial.replace(path)


def scenes(path: Path) -> list[dict]:
    found = read(path)
    if not found or "items" not in found[0]:
        raise ValueError(f"{path}: no scenes with `items`; make them again with `recmirror scenes`")
    return found


def ends(content: str, texts: list[str]) -> list[int]:
    """Where each text ends in `content`, one after the other."""
    found, place = [], 0
    for text in texts:
        place = content.index(text, place) + len(text)
        found.append(place)
    return found


def behind(content: str, place: int, letter: str) -> int:
    """Where the letter ends that stands behind a text which ends at `place`; there, if none does."""
    found = re.match(rf" ?[\[(]{letter}", content[place:])
    return place + found.end() if found else place


def of_none(content: str, place: int, letter: str) -> int:
    """Where the letter ends that takes nothing, or its line where it begins with the letter; `place` is that of the option before."""
    found = re.search(rf"[\[(]{letter}", content[place:])
    if not found:
        raise ValueError(f"no option [{letter}] to take nothing in a prompt whose scene offers it")
    line = content.find("\n", place + found.start())
    leads = content[: place + found.start()].endswith("\n")
    return (line if line >= 0 else len(content)) if leads else place + found.end()


def taught(log: Log, scene: dict, row: dict) -> tuple[dict, Choice | None]:
    """The row with its items, and the list by numbers; without where nothing of the history is known."""
    lines, history = log.history(scene)
    if all(item is None for item in history):
        return row, None
    places = ends(row["prompt"][-1]["content"], lines + scene["text"]["action_list"][: len(scene["items"])])
    options = len(scene["items"])
    content = row["prompt"][-1]["content"]
    places[-options:] = [behind(content, place, letter) for place, letter in zip(places[-options:], LETTERS, strict=False)]
    named = [(place, item) for place, item in zip(places, history + scene["items"], strict=True) if item is not None]
    items = [(place, log.items[item]) for place, item in named]
    if scene.get("offers_none"):
        items.append((of_none(content, places[-1], LETTERS[options]), log.none))
        options += 1
    numbers = [number for _, number in items]
    choice = Choice(numbers[:-options], numbers[-options:], scene["item_pos"])
    return row | {"teacher": {"items": items, "options": options}}, choice


def catalogue(log: Log, rows: list[dict], random: numpy.random.Generator, of: int = 1000, items: int = 60) -> list[dict]:
    """Rows of one item, that of `of` rows their beginnings, each with `items` items drawn without regard to its person. An item
    is told where its text ends, too, and not at its place alone: from there it only has to be carried on."""
    uses = Counter(item for row in rows for _, item in row["teacher"]["items"] if item != log.none)
    texts = [(log.names[item], item) for item in sorted(uses)]
    weights = numpy.sqrt([uses[item] for _, item in texts])
    made = []
    for place in random.permutation(len(rows))[:of]:
        row = rows[place]
        history, option = pieces(log, row)
        for number, drawn in enumerate(random.choice(len(texts), items, p=weights / weights.sum())):
            text, item = texts[drawn]
            before, end = history if number % 2 else option[random.integers(len(option))]
            content = before + text + end
            # Some chat templates drop white space at the end, and tokens depend on what follows.
            prompt = [*row["prompt"][:-1], row["prompt"][-1] | {"content": content + "\n."}]
            told = [(place, item) for place in sorted({len(before + text), len(content)})]
            made.append({"prompt": prompt, "completion": [], "teacher": {"items": told, "options": 0}})
    return made


def pieces(log: Log, row: dict) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """What stands before and behind an item, up to its place: the first of the history, and each option, as if nothing but
    that one item was named."""
    content, named = row["prompt"][-1]["content"], [one for one in row["teacher"]["items"] if one[1] != log.none]
    spans, last = [], 0
    for end, item in named:
        start = content.index(log.names[item], last)
        spans.append((start, start + len(log.names[item]), end))
        last = end
    options = row["teacher"]["options"] - (len(row["teacher"]["items"]) - len(named))
    between = content[: spans[0][0]] + content[spans[-options - 1][2] : spans[-options][0]]
    start, text, end = spans[0]
    return (content[:start], content[text:end]), [(between, content[text:end]) for _, text, end in spans[-options:]]


def sharpness(known: list[tuple[numpy.ndarray, int]]) -> float:
    """The `b` under which what people took is the most likely; `known`: affinities of a list, and the place of what was taken."""
    if not known:
        return 0.0
    # An option that is not there is as unlikely as can be.
    ahead = numpy.full((len(known), max(len(affinities) for affinities, _ in known)), -numpy.inf)
    for row, (affinities, taken) in zip(ahead, known, strict=True):
        row[: len(affinities)] = affinities - affinities[taken]
    loss = [numpy.logaddexp.reduce(b * ahead, axis=1).sum() for b in SHARPNESS]
    return float(SHARPNESS[numpy.argmin(loss)])


def paired(log: Log, of: list[dict], rows: list[dict]) -> list[tuple[dict, Choice | None]]:
    if len(of) != len(rows):
        raise ValueError(f"{len(rows)} rows of {len(of)} scenes: the rows are not of these scenes")
    return [taught(log, scene, row) for scene, row in zip(of, rows, strict=True)]


def teach(likeness: Likeness, found: list[tuple[dict, Choice | None]]) -> float:
    """Writes probabilities into the rows of a file; gives their `b`."""
    known = [(row, choice, likeness.affinities(choice.history, choice.options)) for row, choice in found if choice]
    b = sharpness([(affinities, choice.taken) for _, choice, affinities in known])
    for row, _, affinities in known:
        weights = numpy.exp(b * (affinities - affinities.max()))
        row["teacher"]["probabilities"] = [round(float(p), 4) for p in weights / weights.sum()]
    return b


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes what co-occurrence knows into rows of choices.")
    parser.add_argument("--project", type=Path, nargs="+", required=True, help="one, or one for each file of rows")
    parser.add_argument("--name", required=True, help="the data set")
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    projects = arguments.project * len(arguments.rows) if len(arguments.project) == 1 else arguments.project
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        log = Log(arguments.project, arguments.name)
        files = [
            paired(log, scenes(project / "datasets" / f"{arguments.name}_train.jsonl"), read(path))
            for project, path in zip(projects, arguments.rows, strict=True)
        ]
        likeness = Likeness.fit(eigenvectors(log.taken()), [choice for found in files for _, choice in found if choice])
        likeness.write(arguments.out / "vectors.npz")
        names = json.dumps([log.names.get(number) for number in range(log.none)])
        (arguments.out / "names.json").write_text(names, encoding="utf-8")
        for path, found in zip(arguments.rows, files, strict=True):
            b = teach(likeness, found)
            rows = [row for row, _ in found]
            write(arguments.out / path.name, rows)
            if path == arguments.rows[0]:
                drawn = [row for row in rows if "teacher" in row]
                write(arguments.out / "catalogue.jsonl", catalogue(log, drawn, numpy.random.default_rng(1)))
            known = sum("probabilities" in row.get("teacher", {}) for row in rows)
            print(f"{path}: {len(rows)} rows, {known} with probabilities, b {b:.2f}")
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
