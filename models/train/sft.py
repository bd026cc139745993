"""Supervised fine-tuning of a language model on rows of `recmirror export --task choice` or `--task sft`.

    python sft.py --base CHECKPOINT --train FILE... [--held-out FILE...] --settings configs/sft-2cores.toml --out FOLDER

Items are learned (`part = "items"`) from rows of `teacher.py` with its `--vectors`; to go on from such a stage, name its
`--adapter`, and its `--readouts` for items again.

`CHECKPOINT` is a folder of Hugging Face transformers (`checkpoint.py` makes one of SmolLM2). `FOLDER/adapter` gets the
LoRA adapter, `curves.csv` and `curves.png` the course; a run that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

import attention
import prefix
import tune
from hints import Hints


def loss_of(settings: tune.Settings, hints: Hints | None):
    def of(model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
        """The mean over rows of each answer's negative log-likelihood; its tokens count alike."""
        if settings.part == "items":
            loss, figures = hints.train(model.training).items(model, group, dtype)
            return tune.finite(loss), figures
        if settings.part == "attention":
            loss, figures = attention.looks(model, group, dtype)
            return tune.finite(loss), figures
        batch = prefix.sequence(group, dtype)
        logits = prefix.foretold(model, batch)
        log = prefix.log_of(logits, batch)
        figures = tune.choice(log, batch, logits.detach().argmax(-1) == batch["targets"])
        rows = len(group.rows)
        loss = -log.sum() / rows + settings.soft * softened(logits, log, group, batch) / rows
        return tune.finite(loss), figures

    return of


def softened(logits: torch.Tensor, log: torch.Tensor, group: prefix.Group, batch: dict) -> torch.Tensor:
    """What the loss changes by when the letters' probabilities of the teacher take the place of the letter taken."""
    change = torch.zeros(())
    for row, index, there in prefix.of_letters(logits, group, batch):
        letters = there.log_softmax(-1)[list(row.taught.letters)]
        change = change + log[index] - (torch.tensor(row.taught.probabilities) * letters).sum()
    return change


def main() -> int:
    parser = tune.arguments("Fine-tunes a language model on answers.")
    parser.add_argument("--vectors", type=Path, help="`vectors.npz` of teacher.py, when the rows come from there")
    parser.add_argument("--readouts", type=Path, help="`readouts.pt` of the run whose --adapter this one goes on from")
    arguments = parser.parse_args()
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
    hints = Hints.read(arguments.vectors, model).to(tune.device()) if arguments.vectors else None
    groups, held_out = (
        prefix.grouped(
            [row for path in paths for row in prefix.read_rows(tokenizer, path, most=settings.most_tokens)],
            settings.ends,
            ordered=settings.part != "items",
        )
        for paths in (arguments.train, arguments.held_out)
    )
    check(groups + held_out, settings, hints)
    groups = prefix.shuffled(groups, settings.seed)
    if hints is not None and arguments.readouts:
        hints.load_state_dict(torch.load(arguments.readouts, map_location=tune.device()))
    elif hints is not None:
        with tune.there(tune.device()):
            hints.measure(model, groups[:8], settings.dtype())
    tune.tune(model, tokenizer, groups, held_out, settings, arguments.out, loss_of(settings, hints), hints)


def check(groups: list[prefix.Group], settings: tune.Settings, hints: Hints | None) -> None:
    """Whether the rows have what is trained on them."""
    if settings.part == "items" and hints is None:
        raise tune.SettingsError(f"`part` is `{settings.part}`, which needs the --vectors of teacher.py")
    for row in (row for group in groups for row in group.rows):
        if settings.part == "whole" and row.answer == len(row.tokens):
            raise prefix.RowError("a row without an answer, as of catalogue.jsonl, trains `part` = \"items\" alone")
        if settings.part == "items" and row.taught is None:
            raise prefix.RowError("a row without a teacher; `part` = \"items\" needs one")
        if settings.part == "attention" and (row.taught is None or not row.taught.probabilities):
            raise prefix.RowError("a row without a teacher's probabilities; `part` = \"attention\" needs them")


if __name__ == "__main__":
    sys.exit(main())
