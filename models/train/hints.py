"""Readouts that tell the model's middle what the end needs: deep supervision (Lee et al. 2015, arXiv 1409.5185).

To choose for a person the model must know what an item is to people, sum that over the history, compare it with each option,
and name the letter of the best. One letter a list teaches all four steps too little. So linear readouts of the hidden states
foretell what `teacher.py` knows: at an item's last token its vector, at an option's last token the mean vector of the
history and, higher up, the option's share. The readouts are used in training alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy
import torch
from torch.nn import functional

import prefix

#: Where of the model's depth each step is read.
ITEM, HISTORY, SHARE = 0.53, 0.67, 0.8


class Readout(torch.nn.Module):
    """A linear map of states whose every number is first brought to mean 0 and deviation 1, as measured so far: a few of
    them are a thousand times larger than the others (Sun et al. 2024, arXiv 2402.17762)."""

    def __init__(self, width: int, out: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, out, bias=bias)
        torch.nn.init.zeros_(self.linear.weight)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("square", torch.zeros(width))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """`[n, width]` -> `[n, out]`."""
        states = states.float()
        if self.training:
            self.measure(states.detach())
        deviation = (self.square - self.mean**2).clamp_min(1e-6).sqrt()
        standard = ((states - self.mean) / deviation).clamp(-5, 5)
        return self.linear(standard / states.shape[-1] ** 0.5)

    def measure(self, states: torch.Tensor) -> None:
        self.seen += 1
        share = float((1 / self.seen).clamp_min(0.005))
        self.mean.lerp_(states.mean(0), share)
        self.square.lerp_((states**2).mean(0), share)


class Hints(torch.nn.Module):
    """`vectors` [items, d] of `teacher.py`; states of `width` numbers."""

    def __init__(self, vectors: numpy.ndarray, width: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.tensor(vectors / float(vectors.std())))
        self.item, self.history = (Readout(width, vectors.shape[1]) for _ in range(2))
        # Shares do not change with what is added to all options.
        self.share = Readout(width, 1, bias=False)

    @staticmethod
    def read(path: Path, width: int) -> Hints:
        return Hints(numpy.load(path)["vectors"], width)

    def items(self, model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of rows that name items and ask nothing: the layers behind the one that tells items are not run."""
        layer = round(ITEM * len(prefix.backbone(model).layers))
        states = prefix.states_of(model, prefix.sequence(group, dtype), layer)[layer][0]
        taught = [(number, row.taught) for number, row in enumerate(group.rows)]
        places = [prefix.place_of(group, number, place) for number, row in taught for place, _ in row.items]
        wanted = self.vectors[[known for _, row in taught for _, known in row.items]]
        loss = functional.mse_loss(self.item(states[places]), wanted)
        return loss, {"item": float(loss.detach())}

    def forward(self, states: tuple[torch.Tensor, ...], group: prefix.Group) -> tuple[torch.Tensor, dict[str, float]]:
        """`states`: of every layer [1, n, width], the embeddings first -> the loss of the group, and its parts."""
        item, history, share = (states[round(part * (len(states) - 1))][0] for part in (ITEM, HISTORY, SHARE))
        taught = [(number, row.taught) for number, row in enumerate(group.rows) if row.taught and row.taught.options]
        places, ends, wanted, told, shares = [], [], [], [], []
        for number, row in taught:
            of = [prefix.place_of(group, number, place) for place, _ in row.items]
            vectors = self.vectors[[known for _, known in row.items]]
            places, wanted = places + of, [*wanted, vectors]
            ends += of[-row.options :]
            told.append(vectors[: -row.options].mean(0).expand(row.options, -1))
            shares.append(row.probabilities)
        losses = {
            "item": functional.mse_loss(self.item(item[places]), torch.cat(wanted)),
            "history": functional.mse_loss(self.history(history[ends]), torch.cat(told)),
        }
        logits = self.share(share[ends])[:, 0].split([row.options for _, row in taught])
        known = [(log, torch.tensor(p)) for log, p in zip(logits, shares, strict=True) if p]
        if known:
            losses["share"] = sum(-(p * log.log_softmax(0)).sum() for log, p in known) / len(known)
        return sum(losses.values()), {name: float(value.detach()) for name, value in losses.items()}
