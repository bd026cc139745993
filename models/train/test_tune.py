"""Tests of fine-tuning on a tiny random model; a minute on one core, nothing is fetched.

Run with `python -m pytest` or `python test_tune.py`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import DPOConfig, DPOTrainer

import dpo
import lora
import prefix
import sft
import ship
import tune

FIXTURE = Path(__file__).resolve().parents[2] / "tests/fixtures/language/llama"
SETTINGS = tune.Settings(learning_rate=5e-3, precision="fp32", batch=2, epochs=2.0, save_steps=2, eval_steps=3)
LOSS = sft.loss_of(SETTINGS, None)


def tokenizer():
    return AutoTokenizer.from_pretrained(FIXTURE)


def model(adapter: bool = True):
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer()),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        attn_implementation="eager",
    )
    made = LlamaForCausalLM(config)
    if adapter:
        made = get_peft_model(made, LoraConfig(r=4, lora_alpha=8, target_modules=tune.MODULES, task_type="CAUSAL_LM"))
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    return made


def line(user: int, answer: str, options: int = 3) -> dict:
    question = f"user {user} saw A, B and C many times before\nOptions:\n" + f"[A] {answer} [B] b{user % 3} [C] c"
    return {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": f"Behavior: [{answer}]"}],
        "options": options,
    }


def lines() -> list[dict]:
    return [line(user, answer) for user in range(6) for answer in "ABC"]


def written(folder: Path, rows: list[dict]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def groups(folder: Path, ends: int = 8) -> list[prefix.Group]:
    return prefix.grouped(prefix.read_rows(tokenizer(), written(folder, lines())), ends)


def test_rows_that_are_read_together_count_as_they_do_alone(tmp_path: Path) -> None:
    found = groups(tmp_path)
    group = max(found, key=lambda group: len(group.rows))
    assert len(group.rows) > 1 and group.length() < sum(len(row.tokens) for row in group.rows)
    with torch.no_grad():
        together, _ = prefix.answers(model(), prefix.sequence(group, torch.float32))
        alone = [
            prefix.answers(model(), prefix.sequence(prefix.Group([row], row.answer), torch.float32))[0]
            for row in group.rows
        ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_the_likelihoods_are_those_of_the_model_itself(tmp_path: Path) -> None:
    row = prefix.read_rows(tokenizer(), written(tmp_path, lines()))[0]
    tiny = model()
    with torch.no_grad():
        logits = tiny(input_ids=torch.tensor([row.tokens])).logits[0].log_softmax(-1)
        wanted = torch.stack([logits[place - 1, row.tokens[place]] for place in range(row.answer, len(row.tokens))])
        found, _ = prefix.answers(tiny, prefix.sequence(prefix.Group([row], row.answer), torch.float32))
    torch.testing.assert_close(found, wanted)
    answer = tokenizer().decode(row.tokens[row.answer :])
    assert answer.startswith("Behavior: [A]"), answer


def test_the_joined_product_has_the_gradients_of_peft(tmp_path: Path) -> None:
    gradients = []
    for joined in (False, True):
        tiny = model()
        if joined:
            lora.use(tiny)
        loss, _ = LOSS(tiny, groups(tmp_path)[0], torch.float32)
        loss.backward()
        gradients.append({name: value.grad for name, value in tiny.named_parameters() if value.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and gradients[0]
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)


def test_what_a_loss_makes_is_where_the_model_is(tmp_path: Path) -> None:
    """A stand-in for a graphics processor: there only shapes are computed, and what is made elsewhere does not fit."""
    elsewhere, group = torch.device("meta"), groups(tmp_path)[0]
    moved = model().to(elsewhere)
    with tune.there(elsewhere):
        assert dpo.likelihoods(moved, group, torch.float32).device.type == "meta"
        assert prefix.states_of(moved, prefix.sequence(group, torch.float32), 1)[1].device.type == "meta"
    with pytest.raises(RuntimeError, match="meta"):
        dpo.likelihoods(moved, group, torch.float32)
    with tune.there(torch.device("cpu")):
        assert prefix.sequence(group, torch.float32)["input_ids"].device.type == "cpu"


def test_a_disabled_adapter_is_out_of_the_way(tmp_path: Path) -> None:
    tiny = model()
    batch = prefix.sequence(groups(tmp_path)[0], torch.float32)
    with torch.no_grad(), tiny.disable_adapter():
        wanted, _ = prefix.answers(tiny, batch)
        lora.use(tiny)
        found, _ = prefix.answers(tiny, batch)
    torch.testing.assert_close(found, wanted)
    with torch.no_grad():
        own, _ = prefix.answers(tiny, batch)
    assert not torch.allclose(own, wanted)


def test_masters_take_the_steps_of_adamw() -> None:
    start = torch.randn(5, generator=torch.Generator().manual_seed(1))
    ends = []
    for kind in (torch.optim.AdamW, tune.Masters):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = kind([parameter], lr=0.1, weight_decay=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            (parameter.square().sum() + parameter.sum()).backward()
            optimizer.step()
        ends.append(parameter.detach())
    torch.testing.assert_close(ends[0], ends[1])


def test_masters_keep_what_16_bits_would_lose() -> None:
    parameter = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimizer = tune.Masters([parameter], lr=1e-4)
    for _ in range(100):
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    assert abs(float(parameter.detach()) - 0.99) < 0.004


def test_the_loss_of_pairs_is_that_of_trl(tmp_path: Path) -> None:
    """TRL's trainer takes the adapter as it was given as the reference."""
    tiny, names = model().eval(), tokenizer()
    # TRL counts the line break behind a turn, which says nothing, to the answer.
    names.chat_template = names.chat_template.replace("<|turn|>\\n'", "<|turn|>'")
    turns = {letter: [{"role": "assistant", "content": f"Behavior: [{letter}]"}] for letter in "AB"}
    pair = {"prompt": line(1, "A")["prompt"], "chosen": turns["A"], "rejected": turns["B"]}
    arguments = DPOConfig(output_dir=str(tmp_path), beta=SETTINGS.beta, use_cpu=True, report_to=[], bf16=False)
    trainer = DPOTrainer(tiny, args=arguments, train_dataset=Dataset.from_list([pair]), processing_class=names)
    with torch.no_grad():
        rows = dpo.read_pairs(names, written(tmp_path, [pair]), 2048)[0]
        group = prefix.Group(rows, rows[0].answer)
        reference = tuple(dpo.likelihoods(tiny, group, torch.float32).tolist())
        for name, parameter in tiny.named_parameters():
            if "lora_B.default" in name:
                parameter.mul_(-1)
        wanted = trainer.compute_loss(trainer.model.eval(), next(iter(trainer.get_train_dataloader())))
        found, figures = dpo.loss_of(SETTINGS)(tiny, dpo.Pairs(rows, group.shared, reference), torch.float32)
    torch.testing.assert_close(found, wanted)
    assert abs(figures["margin"]) > 1e-3


def test_the_hardest_of_the_other_letters_is_rejected(tmp_path: Path) -> None:
    tiny, names = model(), tokenizer()
    [group] = dpo.pairs_of(tiny, dpo.read_pairs(names, written(tmp_path, [line(1, "B")]), 2048), torch.float32, 8)
    said = [names.decode(row.tokens[row.answer :])[:13] for row in group.rows]
    assert said[0] == "Behavior: [B]" and said[1] in ("Behavior: [A]", "Behavior: [C]")
    with torch.no_grad():
        answers = [[{"role": "assistant", "content": f"Behavior: [{letter}]"}] for letter in "AC"]
        rows = [prefix.tokenised(names, line(1, "B")["prompt"], answer) for answer in answers]
        letter = prefix.common(rows[0].tokens, rows[1].tokens) - rows[0].answer
        alone = [prefix.sequence(prefix.Group([row], row.answer), torch.float32) for row in rows]
        values = [float(prefix.answers(tiny, batch)[0][letter]) for batch in alone]
    assert said[1] == f"Behavior: [{'AC'[values.index(max(values))]}]"


def test_pairs_that_are_read_together_are_those_of_each_line_alone(tmp_path: Path) -> None:
    tiny, names = model(), tokenizer()
    said = {letter: [{"role": "assistant", "content": f"Because.\nBehavior: [{letter}]"}] for letter in "AC"}
    pair = {"prompt": line(0, "B")["prompt"], "chosen": said["C"], "rejected": said["A"]}
    rows = dpo.read_pairs(names, written(tmp_path, [*(line(0, letter) for letter in "ABC"), line(1, "B"), pair]), 2048)
    together = dpo.pairs_of(tiny, rows, torch.float32, 8)
    assert max(len(group.rows) for group in together) > 2 and sum(len(group.rows) for group in together) == 2 * len(rows)
    alone = {tuple(of[0].tokens): dpo.pairs_of(tiny, [of], torch.float32, 8)[0] for of in rows}
    for group in together:
        for place in range(0, len(group.rows), 2):
            of = alone[tuple(group.rows[place].tokens)]
            assert [row.tokens for row in group.rows[place : place + 2]] == [row.tokens for row in of.rows]
            torch.testing.assert_close(group.reference[place : place + 2], of.reference, rtol=1e-4, atol=1e-4)


def trained(folder: Path, out: str, stop_after: int | None = None) -> dict[str, torch.Tensor] | None:
    tiny = model()
    found = prefix.shuffled(groups(folder, 2), 1)
    if stop_after is not None:
        count = 0

        def loss_of(*arguments):
            nonlocal count
            count += 1
            if count > stop_after:
                raise KeyboardInterrupt
            return LOSS(*arguments)

        with pytest.raises(KeyboardInterrupt):
            tune.tune(tiny, tokenizer(), found, [], SETTINGS, folder / out, loss_of)
        return None
    tune.tune(tiny, tokenizer(), found, found[:2], SETTINGS, folder / out, LOSS)
    return {name: value.detach() for name, value in tiny.named_parameters() if "lora" in name}


def test_a_stopped_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = trained(tmp_path, "whole")
    trained(tmp_path, "stopped", stop_after=9)
    resumed = trained(tmp_path, "stopped")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-4, atol=1e-5)
    rows = (tmp_path / "whole/curves.csv").read_text().splitlines()
    losses = [float(row.split(",")[2]) for row in rows if ",eval_loss," in row]
    assert len(losses) >= 2 and losses[-1] < losses[0], losses
    assert (tmp_path / "whole/curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "whole/adapter/adapter_model.safetensors").is_file()


@pytest.mark.parametrize("updates", [3, 12])
def test_a_run_ends_after_its_updates(tmp_path: Path, updates: int) -> None:
    """Nine groups of two are five updates an epoch: a run may end in the first one, and go on behind the last."""
    settings = replace(SETTINGS, updates=updates)
    found = prefix.shuffled(groups(tmp_path, 2), 1)
    tune.tune(model(), tokenizer(), found, [], settings, tmp_path / "out", LOSS)
    assert json.loads((tmp_path / "out/record.json").read_text())["updates"] == updates


def test_wrong_files_and_settings_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, lines())
    path.write_text(path.read_text() + '{"prompt": []}\n', encoding="utf-8")
    with pytest.raises(prefix.RowError, match=r"rows.jsonl:19: not a row"):
        prefix.read_rows(tokenizer(), path)
    settings = tmp_path / "s.toml"
    settings.write_text("learning_rat = 1\n", encoding="utf-8")
    with pytest.raises(tune.SettingsError, match="unknown key `learning_rat`"):
        tune.Settings.read(settings)
    settings.write_text('learning_rate = 1\npart = "all"', encoding="utf-8")
    with pytest.raises(tune.SettingsError, match="`part` is `all`, expected one of whole, items"):
        tune.Settings.read(settings)
    for config in sorted((Path(__file__).parent / "configs").glob("*.toml")):
        assert tune.Settings.read(config).learning_rate > 0


def test_what_is_shipped_is_the_last_adapter_in_16_bits(tmp_path: Path) -> None:
    for name in ["first", "last"]:
        folder = tmp_path / name / "adapter"
        folder.mkdir(parents=True)
        numbers = {"a": torch.full((2, 2), 0.1 if name == "last" else 0.3)}
        numbers |= {"b.lora_A.weight": torch.ones(2, 2), "b.lora_B.weight": torch.zeros(2, 2)}
        save_file(numbers, folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 4, "base_model_name_or_path": "/somewhere"}')
        (tmp_path / name / "record.json").write_text('{"updates": 7, "setting_rank": 2}')
    stages, out = [tmp_path / "first", tmp_path / "last"], tmp_path / "out"
    size = ship.ship(stages, "films", out)
    stored = load_file(out / "adapter_model.safetensors")
    found = stored["a"]
    assert [*stored] == ["a"], "a matrix that changes nothing is left out"
    assert found.dtype == torch.float16 and torch.allclose(found.float(), torch.tensor(0.1), atol=1e-4)
    assert size == (out / "adapter_model.safetensors").stat().st_size
    card = tomllib.loads((out / "card.toml").read_text())
    assert card["training"]["last"] == {"updates": 7, "setting_rank": 2} and card["training"]["data"] == "films"
    assert "/somewhere" not in (out / "adapter_config.json").read_text()
    for name in ["adapter_model.safetensors", "adapter_config.json"]:
        assert card["files"][name]["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()
    (out / "letters.toml").write_text("")
    ship.ship(stages, "films", out)
    assert (out / "letters.toml").is_file(), "the adapter is the same"
    save_file({"a": torch.full((2, 2), 0.2)}, stages[1] / "adapter/adapter_model.safetensors")
    ship.ship(stages, "films", out)
    assert not (out / "letters.toml").is_file(), "what another one liked says nothing of it"
    save_file({"a": torch.full((2, 2), 1e6)}, stages[1] / "adapter/adapter_model.safetensors")
    with pytest.raises(ValueError, match="float16 cannot hold"):
        ship.ship(stages, "films", out)


def test_directions_that_hardly_count_are_not_shipped(tmp_path: Path) -> None:
    torch.manual_seed(2)
    made = model(adapter=False)
    own = {"rank_pattern": {"layers.2.self_attn.v_proj": 6}, "alpha_pattern": {"layers.2.self_attn.v_proj": 12}}
    shape = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **own)
    made = get_peft_model(made, shape)
    sizes = torch.tensor([1.0, 0.3, ship.SMALL * 1.5, ship.SMALL / 2, 1e-4, 1e-4])
    for name, value in made.named_parameters():
        if "lora_" in name:
            rank = min(value.shape)
            direction = torch.linalg.qr(torch.randn(max(value.shape), rank))[0]
            with torch.no_grad():
                value.copy_(direction.t() if "lora_A" in name else direction * sizes[:rank])
    for stage in ["first", "last"]:
        made.save_pretrained(tmp_path / stage / "adapter")
        (tmp_path / stage / "record.json").write_text("{}")
    ship.ship([tmp_path / "first", tmp_path / "last"], "films", tmp_path / "out")
    stored = load_file(tmp_path / "out/adapter_model.safetensors")
    ranks = {len(value) for name, value in stored.items() if "lora_A" in name}
    assert ranks == {3, 6}, "of 4 directions 3 count; a matrix with a rank of its own keeps it"
    read, tokens = PeftModel.from_pretrained(model(adapter=False), tmp_path / "out"), torch.tensor([[3, 5, 7, 9]])
    with torch.no_grad():
        wanted, found = made(input_ids=tokens).logits, read(input_ids=tokens).logits
        without = model(adapter=False)(input_ids=tokens).logits
    assert (found - wanted).abs().max() < 0.05 * (without - wanted).abs().max()


def test_a_record_tells_the_settings_that_are_not_the_usual_ones() -> None:
    assert tune.Settings(learning_rate=0.1, rank=3, soft=0.5).changed() == {"setting_learning_rate": 0.1, "setting_rank": 3}


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
