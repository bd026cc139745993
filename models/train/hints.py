"""Hints that tell the model's middle what the end needs, used in training alone.

To choose for a person the model must know what an item is to people, and one letter a list teaches that too little. So what
`teacher.py` knows is told where it can be used: a linear map of the hidden states foretells at an item's place its vector (deep
supervision; Lee et al. 2015, arXiv 1409.5185). What attention makes of the vectors is solved for (`heads.py`).

This loss does not mind how large the states are, and without a limit they grow a hundredfold, until nothing else of the text
can be read in them. So states may not be much larger than those of the model that the training started from.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy
import torch
from torch.nn import functional

import prefix

#: Where of the model's depth items are told.
ITEM = 0.4
#: Weight of the loss of states that grow.
GROWTH = 0.05


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
    """`vectors` [items + 1, d] of `teacher.py`, the last of taking nothing, for a model of `depth` layers whose states have
    `width` numbers."""

    def __init__(self, vectors: numpy.ndarray, width: int, depth: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.tensor(vectors / float(vectors.std())))
        self.item = Readout(width, vectors.shape[1])
        self.register_buffer("usual", torch.ones(depth + 1))

    @staticmethod
    def read(path: Path, model) -> Hints:
        return Hints(numpy.load(path)["vectors"], model.config.hidden_size, model.config.num_hidden_layers)

    @torch.no_grad()
    def measure(self, model, groups: list[prefix.Group], dtype: torch.dtype) -> None:
        """How large the states of a model without adapter usually are, by layer."""
        sizes = []
        with model.disable_adapter() if hasattr(model, "disable_adapter") else nullcontext():
            for group in groups:
                found = prefix.states_of(model, prefix.sequence(group, dtype), len(self.usual) - 1)
                sizes.append(torch.stack([mean_square(states).mean() for states in found]))
        self.usual.copy_(torch.stack(sizes).mean(0))

    def growth(self, found: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """How far the states are from their usual size: the square of the logarithm of its multiple, mean over layers."""
        sizes = torch.stack([mean_square(states).mean() for states in found[1:]])
        return GROWTH * (sizes / self.usual[1 : len(found)]).log().clamp_min(0).square().mean()

    def items(self, model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the items that rows name; the layers behind the one that tells them are not run."""
        layer = round(ITEM * len(prefix.backbone(model).layers))
        found = prefix.states_of(model, prefix.sequence(group, dtype), layer)
        taught = [(number, row.taught) for number, row in enumerate(group.rows) if row.taught]
        # What rows share is counted once.
        places = {prefix.place_of(group, number, at): item for number, row in taught for at, item in row.items}
        read = self.item(found[layer][0][list(places)])
        losses = {
            "item": functional.mse_loss(read, self.vectors[list(places.values())]),
            "growth": self.growth(found),
        }
        return sum(losses.values()), {name: float(value.detach()) for name, value in losses.items()}


def mean_square(states: torch.Tensor) -> torch.Tensor:
    """`[1, n, width]` -> `[n - 1]`: the first token's states are huge in every model, and mean nothing."""
    return states[0, 1:].float().square().mean(-1)
