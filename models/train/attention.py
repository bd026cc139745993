"""The attention heads that choose: which they are, how `heads.py` sets them in the adapter, how `sft.py` trains what they look at.

Positions are told to attention by turning pairs of numbers (Su et al. 2021, arXiv 2104.09864). What has to be compared at any
distance stands in the pairs that turn slowest.
"""

from __future__ import annotations

import torch

import lora
import prefix

#: Where of the model's depth the heads are that gather the history, and those that compare options with it; both above the
#: layer at which items are told (`hints.py`).
GATHER, COMPARE = 0.44, 0.5
#: Of the attention heads the share that is set: one group of SmolLM2's, which has the same keys.
GUIDED = 1 / 3


class Attention:
    """The heads of one layer that are set; what they have in common is one head of keys and values."""

    def __init__(self, model, part: float) -> None:
        stack, config = prefix.backbone(model), model.config
        self.layer = round(part * len(stack.layers))
        self.block = stack.layers[self.layer]
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.heads = max(1, round(GUIDED * config.num_attention_heads))
        if self.heads > config.num_attention_heads // config.num_key_value_heads:
            raise ValueError("the heads that are set have more than one head of keys and values")
        half = self.size // 2
        #: The numbers of a head, those that turn slowest first.
        self.slow = [number for pair in range(half - 1, -1, -1) for number in (pair, pair + half)]

    def normed(self, states: torch.Tensor) -> torch.Tensor:
        return self.block.input_layernorm(states).float()

    def look(self, query: torch.Tensor, key: torch.Tensor) -> None:
        """The logit of a token becomes the product of `query` [n, width] of the one and `key` [n, width] of the other."""
        slow = self.slow[: len(query)]
        rows = [head * self.size + number for head in range(self.heads) for number in slow]
        set_rows(self.block.self_attn.q_proj, rows, (query * self.size**0.5).repeat(self.heads, 1))
        keys = torch.zeros(self.size, key.shape[1])
        keys[slow] = key
        set_rows(self.block.self_attn.k_proj, list(range(self.size)), keys)

    def tell(self, value: torch.Tensor, output: torch.Tensor) -> None:
        """Of what they look at they take `value` [n, width], and add its product with `output` [n, width] to the state."""
        values = torch.zeros(self.size, value.shape[1])
        values[: len(value)] = value
        set_rows(self.block.self_attn.v_proj, list(range(self.size)), values)
        columns = [head * self.size + number for head in range(self.heads) for number in range(len(output))]
        set_columns(self.block.self_attn.o_proj, columns, output.t().repeat(1, self.heads) / self.heads)


@torch.no_grad()
def set_rows(layer, rows: list[int], wanted: torch.Tensor) -> None:
    """Gives the matrix of a layer these rows, by its adapter."""
    down, up = cleared(layer)
    down[: len(rows)] = wanted - layer.base_layer.weight[rows].float()
    up[rows, list(range(len(rows)))] = 1 / layer.scaling[lora.NAME]


@torch.no_grad()
def set_columns(layer, columns: list[int], wanted: torch.Tensor) -> None:
    down, up = cleared(layer)
    up[:, : len(columns)] = (wanted - layer.base_layer.weight[:, columns].float()) / layer.scaling[lora.NAME]
    down[list(range(len(columns))), columns] = 1


def cleared(layer) -> tuple[torch.Tensor, torch.Tensor]:
    down, up = layer.lora_A[lora.NAME].weight, layer.lora_B[lora.NAME].weight
    return down.zero_(), up.zero_()


def looks(model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
    """The mean cross entropy of what the heads that compare look at with the teacher's shares, for training; every row has some.
    The layers above them are not run."""
    heads, batch = Attention(model, COMPARE), prefix.sequence(group, dtype)
    # Theirs differ once they are trained; what counts is their sum.
    found = prefix.attention_of(model, batch, heads.layer)[: heads.heads].float().mean(0)
    losses, right = [], []
    for number, row in enumerate(group.rows):
        options = [prefix.place_of(group, number, place) for place, _ in row.taught.items[-row.taught.options :]]
        asks, shares = prefix.place_of(group, number, row.taught.letter - 1), torch.tensor(row.taught.probabilities)
        look = found[asks, options]
        losses.append(-(shares * look.clamp_min(1e-30).log()).sum())
        right.append(float(look.detach().argmax() == shares.argmax()))
    return torch.stack(losses).mean(), {"same": sum(right) / len(right)}
