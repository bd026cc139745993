"""Tests of the heads that are solved for, on a small random model.

    python models/train/test_heads.py
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent))
import attention
import heads
import lora
import prefix
import sft
import ship
import teacher
import test_teacher
import test_tune
import tune

SIZE = 64


def model(rank: int = 64):
    """Three layers with three heads, which have their keys in common."""
    torch.manual_seed(4)
    config = LlamaConfig(
        vocab_size=len(test_tune.tokenizer()),
        hidden_size=3 * SIZE,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        initializer_range=0.2,
        attn_implementation="eager",
    )
    made = LlamaForCausalLM(config)
    shape = LoraConfig(r=rank, lora_alpha=32, target_modules=tune.MODULES, task_type="CAUSAL_LM")
    made = get_peft_model(made, shape)
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return made.eval()


def weight(layer) -> torch.Tensor:
    return layer.base_layer.weight + layer.scaling[lora.NAME] * layer.lora_B[lora.NAME].weight @ layer.lora_A[lora.NAME].weight


def test_a_ridge_finds_the_map() -> None:
    torch.manual_seed(1)
    x, wanted = torch.randn(400, 5) * torch.tensor([1.0, 10, 100, 1, 1]), torch.randn(2, 5)
    torch.testing.assert_close(heads.ridge(x, x @ wanted.t()), wanted, rtol=0.05, atol=0.06)


def test_attention_gets_the_shares_that_it_is_to_have() -> None:
    torch.manual_seed(2)
    states = torch.randn(60, 8)
    states[:, 0] = torch.tensor([1.0, 1, 0, 0, 0] * 12)
    share = (states[:, 0] / 2).clone()
    looks = heads.Looks(states, torch.arange(60) // 5, share)
    assert math.isclose(looks.entropy(), math.log(2), rel_tol=1e-5)
    assert math.isclose(float(looks.loss(torch.zeros(60))), math.log(5), rel_tol=1e-5)
    [key] = heads.attracting(looks)
    assert float(looks.loss(states @ key)) < math.log(2) + 0.1


def test_matrices_are_set_exactly() -> None:
    made = model()
    guided = attention.Attention(made, attention.COMPARE)
    assert (guided.layer, guided.heads, guided.slow[:4]) == (2, 1, [31, 63, 30, 62])
    block, others = guided.block.self_attn, guided.block.self_attn.q_proj.base_layer.weight
    query, key, value, output = (torch.randn(3, 3 * SIZE) for _ in range(4))
    guided.look(query, key)
    guided.tell(value, output)
    torch.testing.assert_close(weight(block.q_proj)[[31, 63, 30]], query * SIZE**0.5, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.q_proj)[64:], others[64:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.k_proj)[[31, 63, 30]], key, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.v_proj)[:3], value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.o_proj)[:, :3], output.t(), rtol=1e-4, atol=1e-4)
    assert float(weight(block.v_proj)[3:].abs().max().detach()) < 1e-4


def files(folder: Path):
    """Base, adapter, rows and vectors as the stages before leave them."""
    log, rows = test_teacher.taught(folder)
    test_teacher.write(folder / "rows.jsonl", rows)
    test_teacher.likeness_of(log).write(folder / "vectors.npz")
    first = model(rank=8)
    first.save_pretrained(folder / "adapter")
    first.unload().save_pretrained(folder / "base")
    test_tune.tokenizer().save_pretrained(folder / "base")
    return argparse.Namespace(
        base=folder / "base", adapter=folder / "adapter", rows=[folder / "rows.jsonl"], vectors=folder / "vectors.npz",
        most=12, seed=1, letters=False, out=folder / "out",
    )


def test_heads_look_where_they_should_and_name_the_letter(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    _, before = heads.load(arguments.base, arguments.adapter, 4)
    heads.run(arguments)
    settings = replace(test_tune.SETTINGS, frozen_layers=0)
    tokenizer, after = tune.load_model(arguments.base, arguments.out / "adapter", settings)
    groups = prefix.grouped(prefix.read_rows(tokenizer, arguments.rows[0]), 1)
    with torch.no_grad():
        right = 0
        for group in groups:
            batch = prefix.sequence(group, torch.float32)
            inputs = {name: batch[name] for name in ["input_ids", "position_ids", "attention_mask"]}
            attentions = prefix.backbone(after)(**inputs, output_attentions=True).attentions
            [row] = group.rows
            places, asks = [place for place, _ in row.taught.items], row.taught.letter - 1
            for layer, wanted in [(1, places[:-3]), (2, places[-3:])]:
                assert float(attentions[layer][0, 0, asks, wanted].sum()) > 0.8, (layer, attentions[layer][0, 0, asks])
            shares = torch.tensor(row.taught.probabilities)
            right += int(shares[attentions[2][0, 0, asks, places[-3:]].argmax()] >= shares.max() - 1e-3)
        assert right >= 10, right
        lost = [heads.letter_loss(of, groups) for of in (before, after)]
    assert lost[1] < lost[0], lost


def test_there_is_room_for_all_numbers_of_items(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    for width, rank in [(4, SIZE), (SIZE + 5, SIZE + 6)]:
        _, made = heads.load(arguments.base, arguments.adapter, width)
        sizes = {len(layer.self_attn.q_proj.lora_A[lora.NAME].weight) for layer in prefix.backbone(made).layers[1:]}
        assert sizes == {rank}, sizes


def test_to_take_nothing_is_looked_at_as_far_as_it_is_likely(tmp_path: Path) -> None:
    scenes = [one | {"offers_none": True} for one in test_teacher.project(tmp_path)]
    log = teacher.Log([tmp_path], "d")
    rows = test_teacher.rows_of(scenes)
    for row in rows:
        row["prompt"][-1]["content"] += " [D] Nothing"
    looked = []
    for added in (-2.0, 2.0):
        arguments = files(tmp_path)
        found = teacher.paired(log, scenes, rows)
        likeness = replace(test_teacher.likeness_of(log), added=added)
        teacher.teach(likeness, found)
        test_teacher.write(arguments.rows[0], [row for row, _ in found])
        likeness.write(arguments.vectors)
        arguments.out = tmp_path / f"out{added}"
        heads.run(arguments)
        tokenizer, made = tune.load_model(arguments.base, arguments.out / "adapter", replace(test_tune.SETTINGS, frozen_layers=0))
        shares = []
        with torch.no_grad():
            for group in prefix.grouped(prefix.read_rows(tokenizer, arguments.rows[0]), 1):
                batch, [row] = prefix.sequence(group, torch.float32), group.rows
                assert row.taught.items[-1][1] == len(log.items) and row.taught.options == 4
                shares.append(float(prefix.attention_of(made, batch, 2)[0, row.taught.letter - 1, row.taught.items[-1][0]]))
        looked.append(sum(shares) / len(shares))
    assert looked[0] < 0.15 and looked[1] > 0.5, looked


def test_attention_is_trained_without_the_layers_above(tmp_path: Path) -> None:
    log, rows = test_teacher.read(tmp_path)
    groups, settings = prefix.grouped(rows, 2), replace(test_tune.SETTINGS, epochs=8.0, learning_rate=5e-4, part="attention")
    made = model(rank=4)
    lora.use(made)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    batch = prefix.sequence(groups[0], torch.float32)
    with torch.no_grad():
        # Weights are told of the layers that are run alone, too.
        inputs = {name: batch[name] for name in ["input_ids", "position_ids", "attention_mask"]}
        whole = prefix.backbone(made)(**inputs, output_attentions=True)
        torch.testing.assert_close(prefix.attention_of(made, batch, 1), whole.attentions[1][0])
    tune.tune(made, test_tune.tokenizer(), groups, groups, settings, tmp_path / "out", sft.loss_of(settings, None))
    curve = [line.split(",") for line in (tmp_path / "out/curves.csv").read_text().splitlines()]
    values = [float(value) for _, measure, value in curve if measure == "eval_loss"]
    assert values[-1] < 0.9 * values[0], values
    changed = {name for name, value in made.state_dict().items() if not torch.equal(value, before[name])}
    last = {name for name in changed if ".layers.2." in name}
    assert last and all("q_proj" in name or "k_proj" in name for name in last), "only what looks is trained in the last layer"


def test_letters_are_solved_for_again_and_nothing_else_is(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    heads.run(arguments)
    other = {"adapter": arguments.out / "adapter", "letters": True, "vectors": None, "out": tmp_path / "again"}
    again = argparse.Namespace(**vars(arguments) | other)
    heads.run(again)
    one, other = (load_file(folder / "adapter/adapter_model.safetensors") for folder in (arguments.out, again.out))
    assert one.keys() == other.keys() and all(one[name].shape == other[name].shape for name in one)
    for name, value in one.items():
        # Nothing was trained in between, so all is as before.
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-3)
    spoiled = {name: value * 0 if ".layers.2.self_attn.v_proj" in name else value for name, value in one.items()}
    save_file(spoiled, arguments.out / "adapter/adapter_model.safetensors", metadata={"format": "pt"})
    heads.run(argparse.Namespace(**vars(again) | {"out": tmp_path / "mended"}))
    mended = load_file(tmp_path / "mended/adapter/adapter_model.safetensors")
    for name, value in one.items():
        torch.testing.assert_close(mended[name], value, rtol=1e-3, atol=1e-3)
    for wrong, told in [({"letters": False}, "--vectors"), ({"adapter": arguments.adapter}, "no heads that were solved for")]:
        with pytest.raises(tune.SettingsError, match=told):
            heads.run(argparse.Namespace(**vars(again) | wrong | {"out": tmp_path / "none"}))


def test_an_adapter_that_was_shipped_can_be_gone_on_from(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    heads.run(arguments)
    (arguments.out / "record.json").write_text("{}")
    path = arguments.out / "adapter/adapter_model.safetensors"
    # Only one direction of the first layer counts.
    narrow = {
        name: torch.cat([value[:1], 1e-4 * value[1:]]) if ".layers.0." in name and ".lora_A." in name else value
        for name, value in load_file(path).items()
    }
    save_file(narrow, path, metadata={"format": "pt"})
    ship.ship([arguments.out], "films", tmp_path / "shipped")
    assert len(json.loads((tmp_path / "shipped/adapter_config.json").read_text())["rank_pattern"]) > 8
    _, one = heads.load(arguments.base, arguments.out / "adapter")
    _, other = heads.load(arguments.base, tmp_path / "shipped")
    tokens = torch.tensor([[3, 5, 7, 9]])
    with torch.no_grad():
        said = [of(input_ids=tokens).logits for of in (one, other)]
        assert float((said[0] - said[1]).abs().max()) < 0.02 * float(said[0].abs().max()), said


def test_the_adapter_that_was_there_stays_and_nothing_is_overwritten(tmp_path: Path) -> None:
    arguments = files(tmp_path)
    heads.run(arguments)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (arguments.adapter, arguments.out / "adapter"))
    assert one.keys() == other.keys()
    changed = {name for name in one if one[name].shape != other[name].shape or not torch.equal(one[name], other[name])}
    assert len(changed) == 16 and all(".self_attn." in name and ".layers.0." not in name for name in changed), changed
    with pytest.raises(tune.SettingsError, match="exists already"):
        heads.run(arguments)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
