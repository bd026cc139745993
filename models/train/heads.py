"""Sets by least squares what the heads compute that choose, where a few thousand examples would have to teach it.

    python heads.py --base BASE --adapter CONTEXT/adapter --rows FILE --vectors vectors.npz --out FOLDER
    python heads.py --base BASE --adapter ATTENTION/adapter --rows FILE --letters --out FOLDER

Once the states tell which item a title is, the rest of a choice is arithmetic that attention can do, and whose numbers can be
solved for: heads of one layer look at all items of the history alike and write the mean of their vectors into the state; those
of a later layer look at each option by how well its vector goes with that mean, and copy its letter towards the output. The
matrices of these heads are set in the adapter, at a rank that holds all their numbers; `sft.py` goes on from there. Where it
has trained what they look at (`part = "attention"`), the states are others, and what is copied is solved for again (`--letters`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable

import numpy
import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import lora
import prefix
import tune
from attention import COMPARE, GATHER, Attention
from likeness import told

#: Letters that are copied.
LETTERS = "ABCDEFGHIJK"
#: How much larger what is written about the history is than what stands there by itself, and the ridge of all fits, relative
#: to each number's own size.
WRITTEN, RIDGE = 10.0, 6e-3
#: Iterations and decay of the fits of attention.
FITTED, DECAY = 200, 3e-4
SHARPNESS = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6]
LENGTHS = [2.0**power for power in range(7, 10)]
#: Groups on which a length is tried.
TRIED = 6


@dataclass
class Places:
    """Of one group: its tokens' states at a layer, and which of them are what."""

    states: torch.Tensor
    history: dict[int, int]
    options: dict[int, tuple[int, int]]
    #: Of each list, the tokens that its last one sees.
    seen: list[torch.Tensor]
    #: Of each list: the token before the letter, the items taken before, the places of options, the teacher's shares.
    asks: list[tuple[int, list[int], list[int], list[float]]]


def places_of(model, group: prefix.Group, layer: int) -> Places:
    batch = prefix.sequence(group, torch.float32)
    found = Places(prefix.states_of(model, batch, layer)[layer][0].float(), {}, {}, [], [])
    for number, row in enumerate(group.rows):
        taught = row.taught
        at = [(prefix.place_of(group, number, place), item) for place, item in taught.items]
        before, options = at[: -taught.options], at[-taught.options :]
        found.history |= dict(before)
        found.options |= {place: (item, letter) for letter, (place, item) in enumerate(options)}
        asks = prefix.place_of(group, number, taught.letter - 1)
        found.seen.append((batch["attention_mask"][0, 0, asks] == 0).nonzero()[:, 0])
        found.asks.append((asks, [item for _, item in before], [place for place, _ in options], list(taught.probabilities)))
    return found


def ridge(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """`[out, in]` for which `x W^T` is near `y`."""
    weighted = x if weight is None else x * weight[:, None]
    gram = (x.t() @ weighted).double()
    # Some numbers of a state are a thousand times larger than others: each gets its own ridge.
    gram += torch.diag(RIDGE * gram.diagonal() + 1e-9)
    return torch.linalg.solve(gram, (weighted.t() @ y).double()).float().t()


def gather(model, groups: list[prefix.Group], vectors: torch.Tensor) -> torch.Tensor:
    """Lets heads write the mean vector of the history; gives where to, `[d, width]`."""
    heads, later = Attention(model, GATHER), round(COMPARE * len(prefix.backbone(model).layers))
    found = [places_of(model, group, heads.layer) for group in groups]
    read = [heads.normed(of.states) for of in found]
    # Options are items, too, and lists have more of them.
    known = [of.history | {place: item for place, (item, _) in of.options.items()} for of in found]
    items = torch.cat([n[list(of)] for n, of in zip(read, known, strict=True)])
    wanted = torch.cat([vectors[list(of.values())] for of in known])
    value = ridge(items, wanted)
    report("items", items @ value.t(), wanted)
    asks = torch.cat([n[[at for at, *_ in of.asks]] for n, of in zip(read, found, strict=True)])
    key = attracting(looks_of(zip(read, found, strict=True), 1, lambda of, _: dict.fromkeys(of.history, 1.0)))
    heads.look(ridge(asks, torch.ones(len(asks), 1)), key)
    # What hardly varies by itself can be read again.
    states = torch.cat([places_of(model, group, later).states[1:] for group in groups[:16]])
    variances, directions = torch.linalg.eigh(torch.cov(states.t().double()))
    size = WRITTEN * float(variances.clamp_min(1e-4 * float(variances.mean()))[: vectors.shape[1]].mean().sqrt())
    print(f"the history is written {size:.2f} long", flush=True)
    output = size * directions[:, : vectors.shape[1]].float().t()
    heads.tell(value, output)
    return output


@dataclass
class Looks:
    """What tokens at a layer are seen from where: one row for each token, those of one place beside each other."""

    states: torch.Tensor
    #: Of each row, which place sees it, and the share of that place's attention that it is to get.
    place: torch.Tensor
    share: torch.Tensor

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy of attention by these logits with the shares."""
        count = int(self.place[-1]) + 1
        most = torch.full((count,), -torch.inf).scatter_reduce(0, self.place, logits.detach(), "amax")
        total = torch.zeros(count).index_add(0, self.place, (logits - most[self.place]).exp())
        return (total.log() + most).mean() - (self.share * logits).sum() / count

    def entropy(self) -> float:
        return -float((self.share * self.share.clamp_min(1e-9).log()).sum()) / (int(self.place[-1]) + 1)


def attracting(looks: Looks) -> torch.Tensor:
    """`[1, width]`: keys under which attention has its shares. The loss is convex."""
    deviation = looks.states.std(0) + 1e-6
    x = looks.states / deviation
    key = torch.zeros(x.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([key], max_iter=FITTED, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = looks.loss(x @ key) + DECAY * key.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(step)
    with torch.no_grad():
        print(f"attention: cross entropy {float(looks.loss(x @ key)):.3f}, least {looks.entropy():.3f}", flush=True)
    return (key.detach() / deviation)[None]


def looks_of(read: Iterable[tuple[torch.Tensor, Places]], lists: int, wanted: Callable) -> Looks:
    """What the first `lists` lists of each group see; `wanted(group, list)` are the places to look at, with their weights."""
    states, place, share = [], [], []
    for n, of in read:
        for number, seen in enumerate(of.seen[:lists]):
            weights = torch.zeros(len(n))
            for at, weight in wanted(of, number).items():
                weights[at] = weight
            states.append(n[seen])
            place.append(torch.full((len(seen),), len(place)))
            share.append(weights[seen] / weights.sum())
    return Looks(torch.cat(states), torch.cat(place), torch.cat(share))


def compare(model, groups: list[prefix.Group], vectors: torch.Tensor, added: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
    """Lets heads look at options by their shares; gives how to read letters there, `[letters, width]`. `added` raises the share of
    each number, which is that of taking nothing alone."""
    heads = Attention(model, COMPARE)
    found = [places_of(model, group, heads.layer) for group in groups]
    read = [heads.normed(of.states) for of in found]
    options = torch.cat([n[list(of.options)] for n, of in zip(read, found, strict=True)])
    listed = torch.cat([vectors[[item for item, _ in of.options.values()]] for of in found])
    item = ridge(options, listed)
    report("items of the options", options @ item.t(), listed)
    asks = torch.cat([n[[at for at, *_ in of.asks]] for n, of in zip(read, found, strict=True)])
    mean = torch.stack([vectors[before].mean(0) for of in found for _, before, *_ in of.asks])
    one = ridge(asks, torch.ones(len(asks), 1))
    history = calibrated(asks, mean, written / heads.block.input_layernorm.weight.float(), one)
    report("history", asks @ history.t(), mean)

    def weighted(of: Places, number: int) -> dict[int, float]:
        return raised(of.options, of.asks[number][2], added)

    key = attracting(looks_of(zip(read, found, strict=True), prefix.ENDS, weighted))
    losses = {b: crossed(read, found, item, b * history, key) for b in SHARPNESS}
    sharpness = min(losses, key=losses.get)
    print(f"sharpness {sharpness}: cross entropy {losses[sharpness]:.3f}", flush=True)
    heads.look(torch.cat([sharpness * history, one]), torch.cat([item, key]))
    return letters_of(read, found)


def raised(items: dict[int, tuple[int, int]], options: list[int], added: torch.Tensor) -> dict[int, float]:
    """Of the places of `options` the weights in attention; `items` has the number that stands at each."""
    return {place: math.exp(added[items[place][0]]) for place in options}


def letters_of(read: list[torch.Tensor], found: list[Places]) -> torch.Tensor:
    """`[letters, width]`: how to read at an option which letter it has."""
    options = torch.cat([n[list(of.options)] for n, of in zip(read, found, strict=True)])
    wanted = torch.zeros(len(options), len(LETTERS))
    wanted[range(len(options)), [letter for of in found for _, letter in of.options.values()]] = 1
    value = ridge(options, wanted)
    report("letters", options @ value.t(), wanted)
    return value


def calibrated(asks: torch.Tensor, told: torch.Tensor, direction: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
    """`[d, width]`: what was written along each direction, by its own slope and offset."""
    raw = asks @ direction.t()
    centred = raw - raw.mean(0)
    slope = (centred * (told - told.mean(0))).sum(0) / centred.square().sum(0)
    return direction * slope[:, None] + (told.mean(0) - slope * raw.mean(0))[:, None] * one


def crossed(read: list, found: list[Places], item: torch.Tensor, history: torch.Tensor, key: torch.Tensor) -> float:
    """Mean cross entropy of attention with the teacher's shares."""
    losses = []
    for n, of in zip(read, found, strict=True):
        vectors, liked = n @ item.t(), n @ key[0]
        for seen, (at, _, options, shares) in zip(of.seen, of.asks, strict=True):
            logits = liked + vectors @ (history @ n[at])
            losses.append(-float((torch.tensor(shares) * (logits[options] - logits[seen].logsumexp(0))).sum()))
    return sum(losses) / len(losses)


def report(what: str, found: torch.Tensor, wanted: torch.Tensor) -> None:
    error = (found - wanted).square().mean() / (wanted - wanted.mean(0)).square().mean()
    print(f"{what}: {1 - float(error):.2f} of the variance told, {len(wanted)} examples", flush=True)


def copy(model, tokenizer, groups: list[prefix.Group], letters: torch.Tensor) -> None:
    """Lets the heads that compare raise the letter of what they look at, as far as the answers' log loss falls."""
    heads = Attention(model, COMPARE)
    rows = prefix.head(model).weight[[tokenizer.convert_tokens_to_ids(letter) for letter in LETTERS]].float()
    raising = (rows - rows.mean(0)) * prefix.backbone(model).norm.weight.float()
    raising /= raising.square().sum(1, keepdim=True)
    losses = {}
    for length in LENGTHS:
        heads.tell(letters, length * raising)
        losses[length] = letter_loss(model, groups[:TRIED])
        print(f"length {length}: log loss of letters {losses[length]:.3f}", flush=True)
    heads.tell(letters, min(losses, key=losses.get) * raising)


def letter_loss(model, groups: list[prefix.Group]) -> float:
    """Mean cross entropy of the letters' probabilities with the teacher's."""
    found = []
    for group in groups:
        batch = prefix.sequence(group, torch.float32)
        logits = prefix.foretold(model, batch)
        for row, _, there in prefix.of_letters(logits, group, batch):
            log = there[list(row.taught.letters)].log_softmax(0)
            found.append(-float((torch.tensor(row.taught.probabilities) * log).sum()))
    return sum(found) / len(found)


def load(base: Path, adapter: Path, width: int | None = None):
    """The model with its adapter, and with room for these heads, to whom items have `width` numbers; without `width` the adapter
    has them already."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    depth = model.config.num_hidden_layers
    names = [f"layers.{round(part * depth)}.self_attn.{of}_proj" for part in (GATHER, COMPARE) for of in "qkvo"]
    config = LoraConfig.from_pretrained(adapter)
    found = Attention(model, COMPARE)
    if width is not None:
        # All rows of keys and values are set, and of each head as many of queries as are compared.
        rank, scale = max(found.size, found.heads * (width + 1)), config.lora_alpha / config.r
        # An adapter that was shipped has lower ranks of other matrices.
        config.rank_pattern = config.rank_pattern | dict.fromkeys(names, rank)
        config.alpha_pattern = config.alpha_pattern | dict.fromkeys(names, rank * scale)
    elif config.rank_pattern.get(f"layers.{found.layer}.self_attn.v_proj", 0) < found.size:
        raise tune.SettingsError(f"{adapter} has no heads that were solved for; leave --letters out")
    model = get_peft_model(model, config)
    kept = load_file(adapter / "adapter_model.safetensors")
    left = [] if width is None else names
    set_peft_model_state_dict(model, {key: value for key, value in kept.items() if not any(name in key for name in left)})
    lora.use(model)
    return AutoTokenizer.from_pretrained(base), model.eval()


def solve(model, groups: list[prefix.Group], vectors: numpy.ndarray, added: numpy.ndarray) -> torch.Tensor:
    """Lets the heads gather and compare; gives how to read letters, `[letters, width]`."""
    scaled = torch.tensor(vectors / float(vectors.std()))
    return compare(model, groups, scaled, torch.tensor(added), gather(model, groups, scaled))


def read_letters(model, groups: list[prefix.Group]) -> torch.Tensor:
    heads = Attention(model, COMPARE)
    found = [places_of(model, group, heads.layer) for group in groups]
    return letters_of([heads.normed(of.states) for of in found], found)


def run(arguments: argparse.Namespace) -> None:
    start = time.monotonic()
    final = arguments.out / "adapter"
    if final.exists():
        raise tune.SettingsError(f"{final} exists already; name another folder, or remove it")
    if arguments.vectors is None and not arguments.letters:
        raise tune.SettingsError("--vectors of teacher.py is missing; only --letters does without")
    taught = None if arguments.letters else told(arguments.vectors)
    tokenizer, model = load(arguments.base, arguments.adapter, taught and taught[0].shape[1])
    rows = [row for path in arguments.rows for row in prefix.read_rows(tokenizer, path) if row.taught and row.taught.probabilities]
    groups = prefix.shuffled(prefix.grouped(rows), arguments.seed)[: arguments.most]
    with torch.no_grad():
        # The library notes which layers tell their states at the first call.
        prefix.states_of(model, prefix.sequence(groups[0], torch.float32), len(prefix.backbone(model).layers))
        letters = solve(model, groups, *taught) if taught else read_letters(model, groups)
        copy(model, tokenizer, groups, letters)
    partial = arguments.out / "adapter.partial"
    model.save_pretrained(partial)
    partial.rename(final)
    record = {"minutes": round((time.monotonic() - start) / 60, 1), "groups": len(groups)}
    (arguments.out / "record.json").write_text(json.dumps(record))


def main() -> int:
    parser = argparse.ArgumentParser(description="Sets by least squares what the heads compute that choose.")
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True, help="of the stage that tells items in lists")
    parser.add_argument("--rows", type=Path, nargs="+", required=True, help="rows of teacher.py")
    parser.add_argument("--vectors", type=Path, help="`vectors.npz` of teacher.py")
    parser.add_argument("--letters", action="store_true", help="solve again for what is copied, and for nothing else")
    parser.add_argument("--most", type=int, default=110, help="groups of rows that are used")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        run(arguments)
    except (OSError, ValueError, prefix.RowError, tune.SettingsError) as problem:
        return tune.fail(problem)
    return 0


if __name__ == "__main__":
    sys.exit(main())
