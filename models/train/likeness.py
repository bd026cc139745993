"""How alike items are in the eyes of those who took them: 24 numbers an item, of co-occurrence and of lists.

An option's affinity is the product of its vector with the weighted mean of the vectors of the history, whose weight is one of
its place, counted from the latest: a factored item similarity model (Kabbur, Ning and Karypis 2013).

The vectors start as the leading eigenvectors of the matrix of cosines between items (item-kNN; Sarwar et al. 2001) times the square
root of their eigenvalues, centred, and divided by the fourth root of their deviation so that the first do not outweigh the others;
the weights start equal. Both are fitted to what people took of lists (softmax of the affinities over the options), each list
once: a second time, who takes what is learned by heart. In the second half of them the rate falls to nothing. A pull holds the
vectors near where they started, and a share of each history is left out, so that no single title decides.

To take nothing is an option like an item where a list offers it: it has a vector of its own, because some people are harder
to please than others, and a number that is added to its affinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy
import torch

DIMENSIONS = 24
#: Of the history, the latest items have a weight each; older ones have that of the oldest of these.
PLACES = 12
RATE = 5e-3
LISTS = 512
LEFT_OUT = 0.2
#: What is added to the affinity of taking nothing is one number for all, and moves faster.
NONE_RATE = 5e-2
PULL = 1.0
#: What the eigenvectors are multiplied by: their affinities are small beside those of who chose.
SCALE = 2.0


@dataclass(frozen=True)
class Choice:
    """A list: items by number, the latest of the history last, and the place of what was taken. To take nothing has the number
    behind those of all items."""

    history: list[int]
    options: list[int]
    taken: int


@dataclass(frozen=True)
class Likeness:
    """`vectors` [items + 1, DIMENSIONS], the last of taking nothing, `weights` [PLACES], the latest last, and what is `added` to
    the affinity of taking nothing."""

    vectors: numpy.ndarray
    weights: numpy.ndarray
    added: float = 0.0

    def affinities(self, history: list[int], options: list[int]) -> numpy.ndarray:
        """Of each option with the history; 0 of items without a history."""
        added = numpy.where(numpy.array(options) == len(self.vectors) - 1, numpy.float32(self.added), numpy.float32(0))
        if not history:
            return added
        weights = self.weights[numpy.arange(-len(history), 0).clip(-PLACES)]
        return self.vectors[options] @ (weights @ self.vectors[history] / weights.sum()) + added

    @staticmethod
    def fit(vectors: numpy.ndarray, choices: list[Choice], seed: int = 1) -> Likeness:
        """`vectors`: of `eigenvectors`, without that of taking nothing."""
        vectors, none = numpy.pad(vectors, ((0, 1), (0, 0))), len(vectors)
        if not choices:
            return Likeness(SCALE * vectors, numpy.ones(PLACES, dtype=numpy.float32))
        torch.set_num_threads(1)
        random = torch.Generator().manual_seed(seed)
        start = torch.tensor(SCALE * vectors, dtype=torch.float32)
        # One more, of zeros, stands where a list is shorter than others.
        fitted = torch.cat([start, torch.zeros(1, start.shape[1])]).requires_grad_()
        weights = torch.zeros(PLACES, requires_grad=True)
        added = torch.zeros((), requires_grad=True)
        history = padded([choice.history[-PLACES:] for choice in choices], left=True)
        options = padded([choice.options for choice in choices])
        taken = torch.tensor([choice.taken for choice in choices])
        optimizer = torch.optim.Adam([{"params": [fitted, weights]}, {"params": [added], "lr": NONE_RATE}], lr=RATE)
        batches = torch.randperm(len(choices), generator=random).split(LISTS)
        for number, rows in enumerate(batches):
            optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 * (1 - number / len(batches)))
            kept = (history[rows] >= 0) & (torch.rand(history[rows].shape, generator=random) >= LEFT_OUT)
            shares = kept * weights[PLACES - history.shape[1] :].exp()
            shares = shares / shares.sum(1, keepdim=True).clamp_min(1e-6)
            person = (fitted[history[rows]] * shares[..., None]).sum(1)
            affinity = (fitted[options[rows]] @ person[..., None])[..., 0] + added * (options[rows] == none)
            affinity = affinity.masked_fill(options[rows] < 0, -1e9)
            loss = torch.nn.functional.cross_entropy(affinity, taken[rows])
            loss = loss + PULL * (fitted[:-1] - start).square().sum() / len(choices)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return Likeness(fitted[:-1].detach().numpy(), weights.exp().detach().numpy(), float(added.detach()))

    @staticmethod
    def read(path: Path) -> Likeness:
        held = numpy.load(path)
        if "added" not in held:
            raise ValueError(f"{path}: no `added`, what taking nothing has more than an item; make it again with teacher.py")
        if held["added"].ndim:
            raise ValueError(f"{path}: vectors of several data sets; name those of one, which teacher.py wrote")
        return Likeness(held["vectors"], held["weights"], float(held["added"]))

    def write(self, path: Path) -> None:
        numpy.savez(path, vectors=self.vectors, weights=self.weights, added=self.added)


def told(path: Path) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Of `vectors.npz`, of one data set or of several (`join.py`): the vectors, and what is added to the affinity of each number."""
    held = numpy.load(path)
    if "added" in held and held["added"].ndim:
        return held["vectors"], held["added"]
    one = Likeness.read(path)
    return one.vectors, numpy.array([0.0] * (len(one.vectors) - 1) + [one.added])


def eigenvectors(taken: numpy.ndarray) -> numpy.ndarray:
    """`taken` [users, items], 0 or 1 -> `[items, DIMENSIONS]`."""
    together = taken.T @ taken
    count = numpy.diag(together)
    cosine = together / numpy.sqrt(numpy.outer(count, count)).clip(1)
    numpy.fill_diagonal(cosine, 0)
    values, found = numpy.linalg.eigh(cosine)
    first = numpy.argsort(-values)[:DIMENSIONS]
    found = found[:, first] * numpy.sqrt(values[first].clip(0))
    found -= found.mean(0)
    return (found / found.std(0).clip(1e-6) ** 0.25).astype(numpy.float32)


def padded(lists: list[list[int]], left: bool = False) -> torch.Tensor:
    """`[lists, longest]`, -1 where there is nothing."""
    width = max((len(items) for items in lists), default=0)
    found = torch.full((len(lists), width), -1)
    for row, items in zip(found, lists, strict=True):
        row[width - len(items) if left else 0 : width if left else len(items)] = torch.tensor(items, dtype=torch.long)
    return found
