"""Tests of the heads that are solved for, on a small random model.

    python models/train/test_heads.py
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent))
import heads
import lora
import prefix
import test_teacher
import test_tune
import tune

SIZE = 64


def model():
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
    shape = LoraConfig(r=64, lora_alpha=32, target_modules=tune.MODULES, task_type="CAUSAL_LM")
    return get_peft_model(made, shape).eval()


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
    attention = heads.Attention(made, heads.COMPARE)
    assert (attention.layer, attention.heads, attention.slow[:4]) == (2, 1, [31, 63, 30, 62])
    block, others = attention.block.self_attn, weight(attention.block.self_attn.q_proj).detach().clone()
    query, key, value, output = (torch.randn(3, 3 * SIZE) for _ in range(4))
    attention.look(query, key)
    attention.tell(value, output)
    torch.testing.assert_close(weight(block.q_proj)[[31, 63, 30]], query * SIZE**0.5, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.q_proj)[64:], others[64:], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.k_proj)[[31, 63, 30]], key, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.v_proj)[:3], value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weight(block.o_proj)[:, :3], output.t(), rtol=1e-4, atol=1e-4)
    assert float(weight(block.v_proj)[3:].abs().max().detach()) < 1e-4


def test_heads_look_at_the_history_and_at_the_options(tmp_path: Path) -> None:
    log, rows = test_teacher.read(tmp_path)
    groups, made = prefix.grouped(rows, 1), model()
    vectors = torch.tensor(log.vectors / float(log.vectors.std()))
    with torch.no_grad():
        prefix.states_of(made, prefix.sequence(groups[0], torch.float32), 3)
        written = heads.gather(made, groups, vectors, torch.float32)
        heads.compare(made, groups, vectors, written, torch.float32)
        for group in groups:
            batch = prefix.sequence(group, torch.float32)
            inputs = {name: batch[name] for name in ["input_ids", "position_ids", "attention_mask"]}
            attentions = prefix.backbone(made)(**inputs, output_attentions=True).attentions
            places = [place for place, _ in group.rows[0].taught.items]
            asks = group.rows[0].taught.letter - 1
            for layer, wanted in [(1, places[:-3]), (2, places[-3:])]:
                assert float(attentions[layer][0, 0, asks, wanted].sum()) > 0.8, (layer, attentions[layer][0, 0, asks])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
