"""Direct preference optimisation of a fine-tuned language model (Rafailov et al. 2023, arXiv 2305.18290).

    python dpo.py --base CHECKPOINT --adapter FOLDER --train FILE... --settings configs/dpo-2cores.toml --out FOLDER

The rows have `prompt`, `chosen`, `rejected` (`recmirror export --task preference`), or `prompt`, `completion`, `options`
(`--task choice`): then the rejected answer has the one of the other letters that the model finds most likely before the run.
The reference of the loss is the model as it starts. For a pair with log-likelihoods `c`, `r` under the model and `c0`,
`r0` under the reference the loss is `-ln sigmoid(beta ((c - c0) - (r - r0))) - sft_weight c`; the second part, off unless set,
keeps the chosen answer likely (Pang et al. 2024, arXiv 2404.19733).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import prefix
import tune


@dataclass(frozen=True)
class Pairs(prefix.Group):
    """Rows `chosen, rejected, chosen, rejected, ...`, and each row's log-likelihood under the reference."""

    reference: tuple[float, ...] = ()


def loss_of(settings: tune.Settings):
    def of(model, group: Pairs, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        rows = likelihoods(model, group, dtype)
        chosen, rejected = (rows - torch.tensor(group.reference)).view(-1, 2).unbind(1)
        margin = settings.beta * (chosen - rejected)
        loss = -torch.nn.functional.logsigmoid(margin).mean() - settings.sft_weight * rows[::2].mean()
        right = (rows[::2] > rows[1::2]).float().mean()
        return tune.finite(loss), {"margin": float(margin.detach().mean()), "right": float(right)}

    return of


def likelihoods(model, group: prefix.Group, dtype: torch.dtype) -> torch.Tensor:
    """`[rows]`: the log-likelihood of each row's answer."""
    batch = prefix.sequence(group, dtype)
    log, _ = prefix.answers(model, batch)
    return torch.zeros(len(group.rows)).index_add(0, batch["owners"], log)


def read_pairs(tokenizer, path: Path, most: int) -> list[list[prefix.Row]]:
    """For each line the chosen answer, then the rejected one or all letters that might be it."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            value = json.loads(line)
            answers = [value["chosen"], value["rejected"]] if "chosen" in value else letters_of(value)
            rows = [prefix.tokenised(tokenizer, value["prompt"], answer) for answer in answers]
        except (KeyError, TypeError, ValueError) as problem:
            raise prefix.RowError(f"{path}:{number}: not a row of pairs or of choices ({problem!r})") from problem
        if max(len(row.tokens) for row in rows) <= most:
            found.append(rows)
    if not found:
        raise prefix.RowError(f"{path}: no pair of at most {most} tokens")
    return found


def letters_of(value: dict) -> list[list[dict]]:
    """The answer of a row of choices, and the same with every other letter."""
    [turn] = value["completion"]
    before, _, rest = turn["content"].rpartition("[")
    letter, _, after = rest.partition("]")
    if letter not in prefix.LETTERS[: value["options"]]:
        raise ValueError(f"the completion does not end with a letter in brackets: {turn['content']!r}")
    others = [other for other in prefix.LETTERS[: value["options"]] if other != letter]
    return [[turn | {"content": f"{before}[{name}]{after}"}] for name in [letter, *others]]


def pairs_of(model, lines: list[list[prefix.Row]], dtype: torch.dtype, ends: int) -> list[Pairs]:
    """Chosen and hardest rejected answer of each line, with their likelihoods under the model as it is now."""
    of = {id(rows[0]): rows for rows in lines}
    pairs = []
    model.eval()
    with torch.no_grad():
        for number, group in enumerate(prefix.grouped([rows[0] for rows in lines], max(1, ends // 2))):
            rejected = hardest(model, group, [of[id(chosen)][1:] for chosen in group.rows], dtype)
            rows = [row for pair in zip(group.rows, rejected, strict=True) for row in pair]
            shared = min(group.shared, *(prefix.common(rows[0].tokens, row.tokens) for row in rejected))
            both = prefix.Group(rows, shared)
            pairs.append(Pairs(rows, shared, tuple(likelihoods(model, both, dtype).tolist())))
            if number % 20 == 0:
                print(f"reference: {sum(len(one.rows) for one in pairs) // 2} of {len(lines)}", file=sys.stderr, flush=True)
    model.train()
    return pairs


def hardest(model, group: prefix.Group, others: list[list[prefix.Row]], dtype: torch.dtype) -> list[prefix.Row]:
    """Of the other answers to each row the one that is most likely where they first differ; they differ in a letter."""
    if all(len(rows) == 1 for rows in others):
        return [row for [row] in others]
    batch = prefix.sequence(group, dtype)
    logits = prefix.foretold(model, batch)
    at = {key: index for index, key in enumerate(zip(batch["owners"].tolist(), batch["tokens"], strict=True))}
    found = []
    for number, (chosen, rows) in enumerate(zip(group.rows, others, strict=True)):
        place = prefix.common(chosen.tokens, rows[0].tokens)
        if len(rows) > 1:
            told = logits[at[number, place]]
            rows = sorted(rows, key=lambda row: -float(told[row.tokens[place]]))
        found.append(rows[0])
    return found


def main() -> int:
    arguments = tune.arguments("Preference optimisation of a fine-tuned language model.").parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        run(arguments)
    except (OSError, prefix.RowError, tune.SettingsError, FloatingPointError) as problem:
        return tune.fail(problem)
    return 0


def run(arguments: argparse.Namespace) -> None:
    settings = tune.Settings.read(arguments.settings)
    torch.manual_seed(settings.seed)
    tokenizer, model = tune.load_model(arguments.base, arguments.adapter, settings)
    model.to(tune.device())
    dtype = settings.dtype()
    arguments.out.mkdir(parents=True, exist_ok=True)
    stored = arguments.out / "pairs.pt"
    if not stored.is_file():
        sets = []
        for paths in (arguments.train, arguments.held_out):
            lines = [rows for path in paths for rows in read_pairs(tokenizer, path, settings.most_tokens)]
            with tune.there(tune.device()):
                sets.append(pairs_of(model, lines, dtype, settings.ends))
        torch.save(sets, stored.with_suffix(".partial"))
        stored.with_suffix(".partial").replace(stored)
    # A resumed run must compare with the model as it was at the start, and so keeps its figures.
    train, held_out = torch.load(stored, weights_only=False)
    groups = prefix.shuffled([replace(group) for group in train], settings.seed)
    tune.tune(model, tokenizer, groups, held_out, settings, arguments.out, loss_of(settings))


if __name__ == "__main__":
    sys.exit(main())
