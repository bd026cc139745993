"""Rows that begin alike are read once: the shared beginning, then each row's own end, none of which sees another.

A user's scenes share their system prompt, profile and history; only lists and letters differ. A sequence is
`beginning | end 1 | end 2 | ...`; positions go on from the beginning in every end, and the attention mask lets an end
see the beginning and itself. The loss is that of the rows one by one, for the tokens of far fewer.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch

#: Ends of one sequence at most: with more the mask costs what the sharing saves.
ENDS = 8
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Taught:
    """What `teacher.py` tells of a row: `(place, item)` of each item's token, the last `options` of them options; where the
    answer's letter stands; and by what probability it is each of the `letters`, none when that is not told."""

    items: tuple[tuple[int, int], ...]
    options: int
    letter: int = 0
    letters: tuple[int, ...] = ()
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """A tokenised row: the answer is `tokens[answer:]`."""

    tokens: list[int]
    answer: int
    taught: Taught | None = None


@dataclass(frozen=True)
class Group:
    """Rows whose first `shared` tokens are the same."""

    rows: list[Row]
    shared: int

    def length(self) -> int:
        return self.shared + sum(len(row.tokens) - self.shared for row in self.rows)


class RowError(Exception):
    """A training file that cannot be used; the message names file and line."""


def read_rows(tokenizer, path: Path, answers: str = "completion", most: int = 2048) -> list[Row]:
    """The rows of a file of `recmirror export --form trl`; those of more than `most` tokens are left out."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            value = json.loads(line)
            row = tokenised(tokenizer, value["prompt"], value[answers], value.get("teacher"))
        except (KeyError, TypeError, ValueError) as problem:
            raise RowError(f"{path}:{number}: not a row with `prompt` and `{answers}` ({problem!r})") from problem
        if len(row.tokens) <= most:
            rows.append(row)
    if not rows:
        raise RowError(f"{path}: no row of at most {most} tokens")
    return rows


def tokenised(tokenizer, prompt: list[dict], answer: list[dict], teacher: dict | None = None) -> Row:
    """Prompt and answer split into tokens together, as the model will meet them."""
    before = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(prompt + (answer or [{"role": "assistant", "content": ""}]), tokenize=False)
    if not whole.startswith(before):
        raise ValueError("the chat template does not put the answer behind the prompt")
    encoded = tokenizer(whole.rstrip("\n"), return_offsets_mapping=True, add_special_tokens=False)
    first = next(place for place, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(before))
    taught = None
    if teacher is not None:
        taught = places_of(teacher, encoded["offset_mapping"], before.rindex(prompt[-1]["content"]))
        if answer:
            letter = whole.rindex("[") + 1
            letter += len(whole[letter:]) - len(whole[letter:].lstrip())
            if whole[letter] not in LETTERS:
                raise ValueError("a row with a teacher does not answer with a letter in brackets")
            place = next(place for place, (_, end) in enumerate(encoded["offset_mapping"]) if end > letter)
            taught = replace(taught, letter=place)
        if "probabilities" in teacher:
            names = [tokenizer.convert_tokens_to_ids(name) for name in LETTERS[: len(teacher["probabilities"])]]
            if encoded["input_ids"][place] not in names:
                raise ValueError("soft labels need a tokenizer to which a letter is a token of its own")
            taught = replace(taught, letters=tuple(names), probabilities=tuple(teacher["probabilities"]))
    if not answer and taught is not None:
        # Nothing is asked behind the last item.
        first = taught.items[-1][0] + 1
        return Row(encoded["input_ids"][:first], first, taught)
    return Row(encoded["input_ids"], first, taught)


def places_of(teacher: dict, offsets: list[tuple[int, int]], start: int) -> Taught:
    """Ends of items in the last message, which stands at `start`, become the tokens that hold them."""
    token = {}
    for place, (first, end) in enumerate(offsets):
        token |= dict.fromkeys(range(first, end), place)
    return Taught(tuple((token[start + end - 1], item) for end, item in teacher["items"]), teacher["options"])


def grouped(rows: list[Row], ends: int = ENDS, ordered: bool = True) -> list[Group]:
    """Groups of rows that share at least a third of their tokens. Not `ordered`, rows that stand beside each other are grouped:
    where all rows begin alike, those of one title would be together otherwise."""
    groups: list[Group] = []
    for row in sorted(rows, key=lambda row: row.tokens) if ordered else rows:
        if groups and len(groups[-1].rows) < ends:
            last = groups[-1]
            shared = min(last.shared, common(last.rows[0].tokens, row.tokens), row.answer)
            if 3 * shared >= max(len(other.tokens) for other in [*last.rows, row]):
                groups[-1] = Group([*last.rows, row], shared)
                continue
        groups.append(Group([row], row.answer))
    return groups


def common(one: list[int], other: list[int]) -> int:
    """Tokens that two rows begin with alike."""
    least = min(len(one), len(other))
    return next((place for place in range(least) if one[place] != other[place]), least)


def shuffled(groups: list[Group], seed: int) -> list[Group]:
    groups = list(groups)
    random.Random(seed).shuffle(groups)
    return groups


def place_of(group: Group, number: int, place: int) -> int:
    """Where in the sequence of a group token `place` of row `number` stands."""
    if place < group.shared:
        return place
    return place + sum(len(row.tokens) - group.shared for row in group.rows[:number])


def sequence(group: Group, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The tensors of one group: tokens, positions, mask, and where each answer's tokens are foretold.

    `places` [n] are the places whose logits foretell `targets` [n]; `owners` [n] is the row of each, `tokens` [n] its
    place in the row.
    """
    shared = group.shared
    tokens, positions = list(group.rows[0].tokens[:shared]), list(range(shared))
    owner = [-1] * shared
    places, targets, owners, of = [], [], [], []
    for number, row in enumerate(group.rows):
        start = len(tokens) - shared
        tokens += row.tokens[shared:]
        positions += range(shared, len(row.tokens))
        owner += [number] * (len(row.tokens) - shared)
        for place in range(row.answer, len(row.tokens)):
            # The first token of an end is foretold by the last one of the beginning.
            places.append(place - 1 if place == shared else start + place - 1)
            targets.append(row.tokens[place])
            owners.append(number)
            of.append(place)
    who = torch.tensor(owner)
    count = len(tokens)
    allowed = (who[None, :] == -1) | (who[None, :] == who[:, None])
    allowed &= torch.ones(count, count, dtype=torch.bool).tril()
    mask = torch.zeros(count, count, dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min)
    return {
        "input_ids": torch.tensor([tokens]),
        "position_ids": torch.tensor([positions]),
        "attention_mask": mask[None, None],
        "places": torch.tensor(places),
        "targets": torch.tensor(targets),
        "owners": torch.tensor(owners),
        "tokens": of,
    }


def answers(model, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token of the answers: its log-probability [n], and whether it is the most likely one [n]."""
    logits = foretold(model, batch)
    return log_of(logits, batch), logits.detach().argmax(-1) == batch["targets"]


def states_of(model, batch: dict[str, torch.Tensor], layers: int) -> tuple[torch.Tensor, ...]:
    """The hidden states `[1, n, width]` before and behind each of the first `layers` layers; the others are not run."""
    # The last states come normed, so one more layer is run than is told.
    return cut(model, batch, layers + 1, output_hidden_states=True).hidden_states[: layers + 1]


def attention_of(model, batch: dict[str, torch.Tensor], layer: int) -> torch.Tensor:
    """`[heads, n, n]`: how much each place looks at each other in a layer; those above it are not run."""
    return cut(model, batch, layer + 1, output_attentions=True).attentions[layer][0]


def cut(model, batch: dict[str, torch.Tensor], layers: int, **wanted):
    """What the first `layers` layers alone say."""
    stack = backbone(model)
    whole = stack.layers
    stack.layers = whole[:layers]
    try:
        return stack(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=batch["attention_mask"],
            use_cache=False,
            **wanted,
        )
    finally:
        stack.layers = whole


def foretold(model, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The logits [n, vocabulary] at `places`."""
    states = backbone(model)(
        input_ids=batch["input_ids"],
        position_ids=batch["position_ids"],
        attention_mask=batch["attention_mask"],
        use_cache=False,
    ).last_hidden_state[0]
    # Logits of the other places would be most of the work.
    return head(model)(states[batch["places"]]).float()


def of_letters(logits: torch.Tensor, group: Group, batch: dict[str, torch.Tensor]) -> list[tuple[Row, int, torch.Tensor]]:
    """Of each row with a teacher's probabilities: the row, which of the `logits` foretells its letter, and the logits there."""
    at = {(owner, place): index for index, (owner, place) in enumerate(zip(batch["owners"].tolist(), batch["tokens"]))}
    told = [(number, row) for number, row in enumerate(group.rows) if row.taught is not None and row.taught.probabilities]
    return [(row, at[number, row.taught.letter], logits[at[number, row.taught.letter]]) for number, row in told]


def log_of(logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return logits.log_softmax(-1).gather(1, batch["targets"][:, None])[:, 0]


def causal(model):
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def backbone(model):
    return causal(model).model


def head(model):
    return causal(model).lm_head
