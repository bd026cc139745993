"""Tests of `likeness.py` on lists from which a hidden taste takes.

Run with `python -m pytest` or `python test_likeness.py`; nothing is fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy
import pytest

from likeness import PLACES, SCALE, Choice, Likeness, eigenvectors, padded

ITEMS = 40


def lists(count: int, seed: int) -> list[Choice]:
    """Of four options, the first of the kind that the latest of six items is of; there are two kinds, even and odd."""
    random = numpy.random.default_rng(seed)
    made = []
    for _ in range(count):
        history = random.integers(ITEMS, size=6)
        options = random.permutation(ITEMS)[:4]
        of_kind = options % 2 == history[-1] % 2
        made.append(Choice(history.tolist(), options.tolist(), int(of_kind.argmax())))
    return made


def share(likeness: Likeness, choices: list[Choice]) -> float:
    """Of lists from which the highest affinity has the kind that was taken."""
    best = [choice.options[likeness.affinities(choice.history, choice.options).argmax()] for choice in choices]
    return sum(item % 2 == choice.options[choice.taken] % 2 for item, choice in zip(best, choices)) / len(choices)


def test_the_latest_count_as_much_as_their_weight() -> None:
    vectors = numpy.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [0.0, 0.0]])
    weights = numpy.full(PLACES, 1.0)
    weights[-1], weights[0] = 3.0, 5.0
    likeness = Likeness(vectors, weights)
    # Items 0 and then 1: (1 x (1, 0) + 3 x (0, 1)) / 4.
    numpy.testing.assert_allclose(likeness.affinities([0, 1], [0, 1, 2]), [0.25, 0.75, 1.25])
    # What is older than all that have a weight of their own has that of the oldest.
    old = likeness.affinities([0] * 2 + [1] * PLACES, [0, 1])
    everything = 3 * 5.0 + (PLACES - 2) + 3.0
    numpy.testing.assert_allclose(old, [10.0 / everything, 1 - 10.0 / everything])
    numpy.testing.assert_array_equal(likeness.affinities([], [0, 1]), [0, 0])


def test_what_was_taken_is_learned_and_that_the_latest_decides() -> None:
    # A little of the kinds is known, in much noise.
    start = 0.1 * numpy.random.default_rng(1).standard_normal((ITEMS, 8)).astype(numpy.float32)
    start[:, 0] += 0.05 * (-1.0) ** numpy.arange(ITEMS)
    fitted = Likeness.fit(start, lists(60_000, 2))
    new = lists(1_000, 3)
    alone = Likeness(numpy.pad(start, ((0, 1), (0, 0))), numpy.ones(PLACES))
    assert share(alone, new) < 0.65 < 0.8 < share(fitted, new)
    assert fitted.weights[-1] > 1.2 * fitted.weights[-6:-1].max(), fitted.weights
    # Nobody had more than six before.
    numpy.testing.assert_array_equal(fitted.weights[:-6], 1)


def test_the_fit_is_the_same_twice_and_without_lists_there_is_none(tmp_path: Path) -> None:
    start = numpy.random.default_rng(1).standard_normal((ITEMS, 4)).astype(numpy.float32)
    short = [Choice([], [1, 2], 0), Choice([3], [4, 5, 6], 2)]
    one, again, other = (Likeness.fit(start, lists(600, 2) + short, seed) for seed in (1, 1, 2))
    one.write(tmp_path / "vectors.npz")
    read = Likeness.read(tmp_path / "vectors.npz")
    for found in (again, read):
        numpy.testing.assert_array_equal(found.vectors, one.vectors)
        numpy.testing.assert_array_equal(found.weights, one.weights)
    assert numpy.abs(other.vectors - one.vectors).max() > 0
    # A pull of few lists is strong: nothing goes far.
    assert numpy.abs(one.vectors[:-1] - SCALE * start).max() < 0.05
    numpy.testing.assert_array_equal(Likeness.fit(start, []).vectors[:-1], SCALE * start)
    assert not one.added and not one.vectors[-1].any(), "no list offered to take nothing"


def test_when_people_take_nothing_is_learned(tmp_path: Path) -> None:
    start = numpy.random.default_rng(1).standard_normal((ITEMS, 8)).astype(numpy.float32) * 0.1
    start[:, 0] += (-1.0) ** numpy.arange(ITEMS)
    # Half the lists have nothing of the kind, and nothing is taken.
    offered = []
    for number, choice in enumerate(lists(60_000, 2)):
        options = [item for item in choice.options if number % 2 or item % 2 != choice.history[-1] % 2]
        of_kind = [item % 2 == choice.history[-1] % 2 for item in options]
        offered.append(Choice([choice.history[-1]], [*options, ITEMS], of_kind.index(True) if any(of_kind) else len(options)))
    fitted = Likeness.fit(start, offered[1_000:])
    fitted.write(tmp_path / "vectors.npz")
    read = Likeness.read(tmp_path / "vectors.npz")
    assert read.added == fitted.added > 0.5, fitted.added
    taken = [read.affinities(choice.history, choice.options).argmax() == len(choice.options) - 1 for choice in offered[:1_000]]
    right = [nothing == (choice.taken == len(choice.options) - 1) for nothing, choice in zip(taken, offered)]
    assert sum(right) > 950, sum(right)


def test_some_people_are_harder_to_please() -> None:
    start = numpy.zeros((ITEMS, 8), dtype=numpy.float32)
    start[:, 0] = (-1.0) ** numpy.arange(ITEMS)
    random = numpy.random.default_rng(4)
    choices = []
    for choice in lists(60_000, 5):
        # Whoever took something even takes nothing of half the lists, others of a tenth, whatever is offered.
        nothing = random.random() < (0.1 if choice.history[-1] % 2 else 0.5)
        choices.append(Choice([choice.history[-1]], [*choice.options, ITEMS], len(choice.options) if nothing else choice.taken))
    fitted = Likeness.fit(start, choices)
    even, odd = (float(fitted.affinities([item], [ITEMS])[0]) for item in (0, 1))
    assert even > odd + 1, (even, odd)


def test_eigenvectors_tell_apart_who_takes_what() -> None:
    taken = numpy.array([[user % 2 == item % 2 for item in range(8)] for user in range(10)], dtype=numpy.float32)
    found = eigenvectors(taken)
    alike = found @ found.T
    for item in range(8):
        assert alike[item, item % 2 :: 2].min() > 0 > alike[item, 1 - item % 2 :: 2].max(), alike


def test_lists_are_filled_up() -> None:
    assert padded([[1, 2], [], [3]]).tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert padded([[1, 2], [], [3]], left=True).tolist() == [[1, 2], [-1, -1], [-1, 3]]
    assert padded([]).shape == (0, 0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
