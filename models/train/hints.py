"""Hints that tell the model's middle what the end needs, used in training alone.

To choose for a person the model must know what an item is to people, sum that over the history, compare it with each option,
and name the letter of the best. One letter a list teaches all four steps too little. So what `teacher.py` knows is told
where each step is taken:

- Readouts (deep supervision; Lee et al. 2015, arXiv 1409.5185): linear maps of the hidden states foretell at an item's place
  its vector, and which token stands there (a letter is copied in the end, and must not be lost), and at the token before
  the letter the mean vector of the history.
- Guided attention (Deshpande and Narasimhan 2020, arXiv 2010.02399): from that token some heads look at all items of the
  history alike, and higher up some look at the options, at each by its share.
"""

from __future__ import annotations

from pathlib import Path

import numpy
import torch
from torch.nn import functional

import prefix

#: Where of the model's depth each step is read, and where the guided heads are.
ITEM, GATHER, HISTORY, COMPARE = 0.4, 0.5, 0.57, 0.7
#: Of the attention heads the share that is guided: one group of SmolLM2's, which has the same keys.
GUIDED = 1 / 3


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
    """`vectors` [items, d] of `teacher.py`, for a model of `depth` layers and the `embeddings` [tokens, width]."""

    def __init__(self, vectors: numpy.ndarray, embeddings: torch.Tensor, depth: int) -> None:
        super().__init__()
        width = embeddings.shape[1]
        self.looking = tuple(f".layers.{round(part * depth)}.self_attn.{of}_proj" for part in (GATHER, COMPARE) for of in "qkvo")
        self.register_buffer("vectors", torch.tensor(vectors / float(vectors.std())))
        self.register_buffer("codes", codes(embeddings), persistent=False)
        self.item, self.history = (Readout(width, vectors.shape[1]) for _ in range(2))
        # Where items are told, and where their letters are copied.
        self.early, self.late = (Readout(width, self.codes.shape[1]) for _ in range(2))

    @staticmethod
    def read(path: Path, model) -> Hints:
        embeddings = model.get_input_embeddings().weight.detach().float()
        return Hints(numpy.load(path)["vectors"], embeddings, model.config.num_hidden_layers)

    def guides(self, name: str) -> bool:
        """Whether a parameter of the model says where guided heads look, or what they tell of it."""
        return any(part in name for part in self.looking)

    def items(self, model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the items that rows name; the layers behind the one that tells them are not run."""
        layer = round(ITEM * len(prefix.backbone(model).layers))
        batch = prefix.sequence(group, dtype)
        states = prefix.seen_by(model, batch, layer).states[layer][0]
        taught = [(number, row.taught) for number, row in enumerate(group.rows) if row.taught]
        # What rows share is counted once.
        places = {prefix.place_of(group, number, at): item for number, row in taught for at, item in row.items}
        read = states[list(places)]
        losses = {
            "item": functional.mse_loss(self.item(read), self.vectors[list(places.values())]),
            "token": functional.mse_loss(self.early(read), self.codes[batch["input_ids"][0][list(places)]]),
        }
        return sum(losses.values()), {name: float(value.detach()) for name, value in losses.items()}

    def alone(self, model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of all hints; the layers behind them are not run."""
        depth = len(prefix.backbone(model).layers)
        batch = prefix.sequence(group, dtype)
        return self(prefix.seen_by(model, batch, round(COMPARE * depth)), group, batch["input_ids"][0], depth)

    def forward(
        self, seen: prefix.Seen, group: prefix.Group, tokens: torch.Tensor, depth: int
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """What a model of `depth` layers saw of the group, of the `tokens` [n] -> the loss, and its parts."""
        item, history, last = (seen.states[round(part * depth)][0] for part in (ITEM, HISTORY, COMPARE))
        gather, compare = (guided(seen.attentions[round(part * depth)][0]) for part in (GATHER, COMPARE))
        names = ["item", "token", "history", "gather", "compare"]
        parts: dict[str, list[torch.Tensor]] = {name: [] for name in names}
        for number, row in enumerate(group.rows):
            if not row.taught or not row.taught.options:
                continue
            options = row.taught.options
            places = [prefix.place_of(group, number, place) for place, _ in row.taught.items]
            asks = prefix.place_of(group, number, row.taught.letter - 1)
            vectors = self.vectors[[known for _, known in row.taught.items]]
            parts["item"].append(functional.mse_loss(self.item(item[places]), vectors))
            named = places[-options:]
            parts["token"].append(functional.mse_loss(self.late(last[named]), self.codes[tokens[named]]))
            told = vectors[:-options].mean(0, keepdim=True)
            parts["history"].append(functional.mse_loss(self.history(history[[asks]]), told))
            parts["gather"].append(-log(gather[:, asks, places[:-options]]).mean())
            if row.taught.probabilities:
                shares = torch.tensor(row.taught.probabilities)
                parts["compare"].append(-(log(compare[:, asks, places[-options:]]) * shares).sum(-1).mean())
        losses = {name: torch.stack(values).mean() for name, values in parts.items() if values}
        return sum(losses.values()), {name: float(value.detach()) for name, value in losses.items()}


def codes(embeddings: torch.Tensor, numbers: int = 16) -> torch.Tensor:
    """`[tokens, numbers]`: a few numbers that tell tokens apart, of mean 0 and deviation 1."""
    drawn = torch.randn(embeddings.shape[1], numbers, generator=torch.Generator().manual_seed(1))
    found = embeddings @ drawn
    return (found - found.mean(0)) / found.std(0).clamp_min(1e-6)


def guided(attention: torch.Tensor) -> torch.Tensor:
    """Of the weights of all heads `[heads, n, n]` those of the guided ones."""
    return attention[: max(1, round(GUIDED * len(attention)))]


def log(weights: torch.Tensor) -> torch.Tensor:
    return weights.float().clamp_min(1e-9).log()
