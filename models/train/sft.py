"""Supervised fine-tuning of a language model on rows of `recmirror export --task choice` or `--task sft`.

    python sft.py --base CHECKPOINT --train FILE... [--held-out FILE...] --settings configs/sft-2cores.toml --out FOLDER

`CHECKPOINT` is a folder of Hugging Face transformers (`checkpoint.py` makes one of SmolLM2). `FOLDER/adapter` gets the
LoRA adapter, `curves.csv` and `curves.png` the course; a run that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import prefix
import tune


def loss_of(model, group: prefix.Group, dtype: torch.dtype) -> tuple[torch.Tensor, dict[str, float]]:
    """The mean over rows of each answer's negative log-likelihood; its tokens count alike."""
    batch = prefix.sequence(group, dtype)
    log, hits = prefix.answers(model, batch)
    loss = tune.finite(-log.sum() / len(group.rows))
    return loss, tune.choice(log, batch, hits)


def main() -> int:
    arguments = tune.arguments("Fine-tunes a language model on answers.").parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        settings = tune.Settings.read(arguments.settings)
        torch.manual_seed(settings.seed)
        tokenizer, model = tune.load_model(arguments.base, arguments.adapter, settings)
        groups, held_out = (
            prefix.grouped(
                [row for path in paths for row in prefix.read_rows(tokenizer, path, most=settings.most_tokens)],
                settings.ends,
            )
            for paths in (arguments.train, arguments.held_out)
        )
        tune.tune(model, tokenizer, prefix.shuffled(groups, settings.seed), held_out, settings, arguments.out, loss_of)
    except (OSError, prefix.RowError, tune.SettingsError, FloatingPointError) as problem:
        return tune.fail(problem)
    return 0


if __name__ == "__main__":
    sys.exit(main())
