"""What both stages of fine-tuning share: settings, the model with its adapter, the loop, curves, checkpoints.

The loop is Hugging Face's Trainer, the adapter PEFT's. Two things are added: rows that begin alike are read once
(`prefix.py`), and the adapter's own numbers stay in 32 bits while the model computes in 16 (`Masters`).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import re
import sys
import time
import tomllib
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Callable

# Threads that wait for each other by spinning starve whatever else runs on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

import lora
import prefix

LAYER = re.compile(r"\.layers\.(\d+)\.")
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PARTS = ["whole", "items", "attention"]


@dataclass(frozen=True)
class Settings:
    """The keys of a settings file (TOML, flat); docs in `configs/`."""

    learning_rate: float
    epochs: float = 1.0
    #: Groups of rows that one update sees.
    batch: int = 4
    #: Share of the run in which the learning rate rises, and in which it falls, both linearly.
    warmup: float = 0.03
    decay: float = 0.25
    weight_decay: float = 0.0
    #: 0: all weights are trained, and the whole model is written.
    rank: int = 16
    alpha: float = 32.0
    #: Layers from the bottom without an adapter, or whose adapter stays as it is where the run goes on from one: what does
    #: not change needs no way back through it.
    frozen_layers: int = 0
    dropout: float = 0.0
    #: `bf16`, `fp32`, or `auto`: bf16 where the machine computes in it.
    precision: str = "auto"
    seed: int = 1
    #: The run ends after this many minutes, its learning rate falling in time; 0: only after its epochs.
    minutes: float = 0.0
    #: The run ends after this many updates: on a machine that others use, minutes say little; 0: only after its epochs.
    updates: int = 0
    #: Rows that share their beginning are read together, at most this many; 1: each alone.
    ends: int = prefix.ENDS
    most_tokens: int = 2048
    save_steps: int = 50
    eval_steps: int = 100
    #: Of DPO: how far the model may leave its reference, and the weight of the chosen answer's own likelihood.
    beta: float = 0.1
    sft_weight: float = 0.0
    #: Of rows with a teacher: the weight of its probabilities against the letter taken.
    soft: float = 0.5
    #: Of such rows, what is trained: the answers, with the `whole` model, or `items` alone, or the `attention` of heads.py,
    #: with no more layers than they need.
    part: str = "whole"

    @staticmethod
    def read(path: Path) -> Settings:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Settings)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(f"{path}: unknown key `{unknown[0]}`; the keys are {', '.join(sorted(known))}")
        if "learning_rate" not in values:
            raise SettingsError(f"{path}: `learning_rate` is missing")
        if values.get("part", "whole") not in PARTS:
            raise SettingsError(f"{path}: `part` is `{values['part']}`, expected one of {', '.join(PARTS)}")
        return Settings(**values)

    def changed(self) -> dict:
        """What differs from the defaults."""
        usual = {field.name: field.default for field in fields(Settings)}
        return {f"setting_{name}": value for name, value in vars(self).items() if value != usual[name]}

    def dtype(self) -> torch.dtype:
        if self.precision not in ("auto", "bf16", "fp32"):
            raise SettingsError(f"`precision` is `{self.precision}`, expected auto, bf16 or fp32")
        fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else has_bf16()
        return torch.bfloat16 if self.precision == "bf16" or (self.precision == "auto" and fast) else torch.float32


class SettingsError(Exception):
    """Settings that cannot be used; the message names file and key."""


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def load_model(base: Path, adapter: Path | None, settings: Settings, trainable: bool = True):
    """The tokenizer and the model, with an adapter that goes on from `adapter` or starts from nothing."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    # Eager attention: on processors it is twice as fast with these masks as the fused one.
    model = AutoModelForCausalLM.from_pretrained(base, dtype=settings.dtype(), attn_implementation="eager")
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
        for name, parameter in model.named_parameters():
            place = LAYER.search(name)
            if place and int(place[1]) < settings.frozen_layers:
                parameter.requires_grad = False
    elif settings.rank:
        shape = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=MODULES,
            layers_to_transform=list(range(settings.frozen_layers, model.config.num_hidden_layers)),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, shape)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(settings.dtype())
    lora.use(model)
    return tokenizer, model


def device() -> torch.device:
    """Where a stage trains: the first graphics processor, where there is one."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def there(place: torch.device):
    """Tensors that are made meanwhile are made at `place`. On the processor they are anyway, and looking would cost time."""
    return nullcontext() if place.type == "cpu" else place


class Masters(torch.optim.AdamW):
    """AdamW that keeps its own copy of every number in 32 bits: in bf16 small updates would be lost."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            (first, second), rate = group["betas"], group["lr"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    for name in ["mean", "square"]:
                        state[name] = torch.zeros_like(parameter, dtype=torch.float32)
                    state["master"] = parameter.detach().float().clone()
                state["step"] += 1
                gradient = parameter.grad.float()
                state["mean"].lerp_(gradient, 1 - first)
                state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
                mean = state["mean"] / (1 - first ** state["step"])
                scale = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
                state["master"].mul_(1 - rate * group["weight_decay"]).addcdiv_(mean, scale, value=-rate)
                parameter.copy_(state["master"])
                # The trainer forgets the gradients of the model, not those of what is trained beside it.
                parameter.grad = None

    def load_state_dict(self, state):
        super().load_state_dict(state)
        # The base class casts states to the type of the parameters.
        for saved, parameter in zip(state["state"].values(), self.state, strict=True):
            for name in ["mean", "square", "master"]:
                self.state[parameter][name] = saved[name].float().clone()


class Clock(TrainerCallback):
    """How much of the run is over, by updates or by minutes, whichever is more; ends it when its time is up."""

    def __init__(self, minutes: float, out: Path) -> None:
        self.minutes, self.path = minutes, out / "elapsed.json"
        self.before = json.loads(self.path.read_text())["seconds"] if self.path.is_file() else 0.0
        self.start = time.monotonic()

    def seconds(self) -> float:
        return self.before + time.monotonic() - self.start

    def part(self, step: int, steps: int) -> float:
        timed = self.seconds() / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(step / max(steps, 1), timed))

    def on_step_end(self, args, state, control, **_):
        if self.minutes and self.seconds() >= 60 * self.minutes:
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args, state, control, **_):
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"seconds": self.seconds()}))
        partial.replace(self.path)


class Readouts(TrainerCallback):
    """Keeps a module that is trained beside the model, which the trainer does not know."""

    def __init__(self, module: torch.nn.Module, out: Path) -> None:
        self.module, self.path = module, out / "readouts.pt"
        if self.path.is_file():
            module.load_state_dict(torch.load(self.path))

    def on_save(self, args, state, control, **_):
        partial = self.path.with_suffix(".partial")
        torch.save(self.module.state_dict(), partial)
        partial.replace(self.path)


class Curves(TrainerCallback):
    """`curves.csv` and `curves.png`: every figure that was logged, by update."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def on_log(self, args, state, control, **_):
        rows = [(entry["step"], name, value) for entry in state.log_history for name, value in entry.items()]
        rows = [row for row in rows if row[1] not in ("step", "epoch") and isinstance(row[2], (int, float))]
        partial = self.out / "curves.csv.partial"
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "measure", "value"])
            writer.writerows(rows)
        partial.replace(self.out / "curves.csv")
        if state.is_local_process_zero:
            draw(rows, self.out / "curves.png")


def draw(rows: list[tuple[int, str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    wanted = [("loss", ["loss", "eval_loss"]), ("share of answers foretold", ["hit", "eval_hit", "eval_right"])]
    figure, axes = pyplot.subplots(1, len(wanted), figsize=(10, 3.5), layout="constrained")
    for axis, (title, names) in zip(axes, wanted, strict=True):
        for name in names:
            line = [(step, value) for step, measure, value in rows if measure == name]
            if line:
                axis.plot(*zip(*line, strict=True), label=name, marker="." if name.startswith("eval") else None)
        axis.set_xlabel("update")
        axis.set_title(title)
        if axis.lines:
            axis.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


class Tuner(Trainer):
    """Trainer over groups of rows; `loss_of` gives the loss of a group and figures to log."""

    def __init__(self, *, loss_of: Callable, dtype: torch.dtype, clock: Clock, settings: Settings, **rest) -> None:
        super().__init__(data_collator=lambda groups: groups, **rest)
        self.loss_of, self.dtype, self.clock, self.settings = loss_of, dtype, clock, settings
        self.sums: dict[str, list[float]] = {}
        # The mean over the groups of an update is the trainer's.
        self.model_accepts_loss_kwargs = False

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        [group] = inputs
        with there(self.args.device):
            loss, figures = self.loss_of(model, group, self.dtype)
        for name, value in figures.items():
            self.sums.setdefault(name, []).append(value)
        return (loss, {}) if return_outputs else loss

    def _prepare_inputs(self, inputs):
        return inputs

    def create_scheduler(self, num_training_steps, optimizer=None):
        warmup, decay = max(self.settings.warmup, 1e-9), max(self.settings.decay, 1e-9)

        def rate(step: int) -> float:
            part = self.clock.part(step, num_training_steps)
            return max(0.02, min(1.0, part / warmup, (1 - part) / decay))

        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, rate)
        return self.lr_scheduler

    def log(self, logs, *rest):
        if "loss" in logs:
            logs |= {name: sum(values) / len(values) for name, values in self.sums.items()}
            self.sums.clear()
        super().log(logs, *rest)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        self.model.eval()
        sums, count = {}, 0
        with torch.no_grad(), there(self.args.device):
            for group in eval_dataset if eval_dataset is not None else self.eval_dataset:
                loss, figures = self.loss_of(self.model, group, self.dtype)
                weight = len(group.rows)
                count += weight
                for name, value in ({"loss": float(loss)} | figures).items():
                    sums[name] = sums.get(name, 0.0) + weight * value
        self.model.train()
        found = {f"{metric_key_prefix}_{name}": value / max(count, 1) for name, value in sums.items()}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found


def tune(model, tokenizer, groups, held_out, settings: Settings, out: Path, loss_of: Callable, readouts=None) -> None:
    """Trains, going on from the last checkpoint in `out` if there is one; writes the adapter to `out/adapter`.

    `readouts` is a module that the loss uses: it is trained with the model, and kept for going on only.
    """
    final = out / "adapter"
    if final.exists():
        raise SettingsError(f"{final} exists already; name another folder, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    arguments = TrainingArguments(
        output_dir=str(out / "checkpoints"),
        num_train_epochs=settings.epochs,
        max_steps=settings.updates or -1,
        # A group at a time: the activations of one are all that is in memory.
        per_device_train_batch_size=1,
        gradient_accumulation_steps=settings.batch,
        learning_rate=settings.learning_rate,
        max_grad_norm=1.0,
        logging_steps=10,
        save_steps=settings.save_steps,
        save_total_limit=2,
        eval_strategy="steps" if held_out else "no",
        eval_steps=settings.eval_steps,
        seed=settings.seed,
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    clock = Clock(settings.minutes, out)
    callbacks = [clock, Curves(out)] + ([Readouts(readouts, out)] if readouts is not None else [])
    if readouts is not None:
        readouts.to(device())
    optimizer = Masters(parameters(model, readouts, settings.learning_rate), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    trainer = Tuner(
        model=model,
        args=arguments,
        train_dataset=groups,
        eval_dataset=held_out or None,
        loss_of=loss_of,
        dtype=settings.dtype(),
        clock=clock,
        settings=settings,
        optimizers=(optimizer, None),
        callbacks=callbacks,
    )
    checkpoints = sorted((out / "checkpoints").glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=bool(checkpoints))
    if held_out:
        trainer.evaluate()
    partial = out / "adapter.partial"
    model.save_pretrained(partial)
    if not settings.rank:
        tokenizer.save_pretrained(partial)
    partial.rename(final)
    record = {"updates": trainer.state.global_step, "minutes": round(clock.seconds() / 60, 1), "groups": len(groups)}
    record["rows"] = sum(len(group.rows) for group in groups)
    (out / "record.json").write_text(json.dumps(record | settings.changed()))


def parameters(model, readouts, rate: float) -> list[dict]:
    """What is trained, with its learning rate. Readouts start from nothing, which the model does not: they move faster."""
    groups = [{"params": [value for value in model.parameters() if value.requires_grad]}]
    return groups + ([{"params": [*readouts.parameters()], "lr": 5 * rate}] if readouts is not None else [])


def arguments(description: str) -> argparse.ArgumentParser:
    """What both stages are told on the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--base", type=Path, required=True, help="the checkpoint to start from")
    parser.add_argument("--adapter", type=Path, help="an adapter to go on from")
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="rows to train on")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="rows that are only measured")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=0, help="0: one for each core")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def choice(log: torch.Tensor, batch: dict, hits: torch.Tensor) -> dict[str, float]:
    """Share of rows whose every token of the answer is the most likely one."""
    rows = int(batch["owners"].max()) + 1
    right = torch.ones(rows, dtype=torch.bool).scatter_reduce(0, batch["owners"], hits, "amin")
    return {"hit": float(right.float().mean())}


def fail(problem: Exception) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return 2


def finite(loss: torch.Tensor) -> torch.Tensor:
    if not math.isfinite(loss.item()):
        raise FloatingPointError("the loss is no number any more; lower `learning_rate`")
    return loss
