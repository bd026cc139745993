"""Tests of the graphs, the quantisation, the adapters and the names of weights, on small random models.

Run with `python -m pytest` or `python test_language.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import gguf
import numpy as np
import onnxruntime
from safetensors.numpy import save_file

import adapter
import letters
import make
import reference
from graph import BLOCK, Config, Form, build, quantise
from tiny import LLAMA, QWEN2, random_weights
from weights import hugging_face_name, unpermuted

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3]


def session(config: Config, form: Form) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(build(config, random_weights(config), form).SerializeToString())


def run(graph: onnxruntime.InferenceSession, config: Config, tokens: list[int], past=None, keep: int = 0):
    """The logits after `tokens`, and the keys and values."""
    names = [f"{layer}.{part}" for layer in range(config.num_hidden_layers) for part in ["key", "value"]]
    empty = np.zeros((1, config.num_key_value_heads, 0, config.head_dim), np.float32)
    past = past or [empty] * len(names)
    before = past[0].shape[2]
    inputs = {
        "input_ids": np.array([tokens]),
        "attention_mask": np.ones((1, before + len(tokens)), np.int64),
        "position_ids": before + np.arange(len(tokens))[None],
        "num_logits_to_keep": np.array(keep),
    } | {f"past_key_values.{name}": value for name, value in zip(names, past, strict=True)}
    known = {port.name for port in graph.get_inputs()}
    inputs = {name: value for name, value in inputs.items() if name in known}
    logits, *present = graph.run(["logits", *(f"present.{name}" for name in names)], inputs)
    return logits[0], present


def test_graphs_equal_the_reference() -> None:
    for config in [LLAMA, QWEN2]:
        expected = reference.logits(config, random_weights(config), TOKENS)
        for form in [Form(), Form(attention="plain"), Form("plain", position_ids=False, num_logits_to_keep=False)]:
            graph = session(config, form)
            whole, _ = run(graph, config, TOKENS)
            np.testing.assert_allclose(whole, expected, atol=1e-4)
            first, past = run(graph, config, TOKENS[:6])
            rest, _ = run(graph, config, TOKENS[6:], past)
            np.testing.assert_allclose(np.concatenate([first, rest]), expected, atol=1e-4)


def test_the_last_logits_alone_can_be_asked_for() -> None:
    graph = session(LLAMA, Form())
    whole, _ = run(graph, LLAMA, TOKENS)
    kept, _ = run(graph, LLAMA, TOKENS, keep=3)
    assert kept.shape[0] == 3
    np.testing.assert_allclose(kept, whole[-3:], atol=1e-6)


def test_eight_bits_are_near_and_exact_where_they_can_be() -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((6, 2 * BLOCK)).astype(np.float32)
    weight[2, :BLOCK] = 0
    weight[3] = np.rint(rng.uniform(-126, 126, 2 * BLOCK))
    weight[3, [0, BLOCK]] = 127
    steps, scales = quantise(weight)
    again = ((steps.astype(np.float32) - 128) * scales[:, :, None]).reshape(weight.shape)
    np.testing.assert_array_equal(again[3], weight[3])
    np.testing.assert_array_equal(again[2, :BLOCK], 0)
    assert (np.abs(again - weight) <= scales.repeat(BLOCK, axis=1) / 2 + 1e-7).all()
    expected = reference.logits(LLAMA, random_weights(LLAMA), TOKENS)
    found, _ = run(session(LLAMA, Form(bits=8)), LLAMA, TOKENS)
    assert np.abs(found - expected).mean() < 0.05 * expected.std()


def test_equal_weights_give_equal_bytes() -> None:
    first, again = (build(QWEN2, random_weights(QWEN2), Form()) for _ in range(2))
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


def test_rows_of_queries_are_put_in_order() -> None:
    # A GGUF file holds the rows of a head as pairs of rotary positions.
    rows = LLAMA.num_attention_heads * LLAMA.head_dim
    weight = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    halves = weight.reshape(LLAMA.num_attention_heads, 2, LLAMA.head_dim // 2, 2)
    permuted = halves.swapaxes(1, 2).reshape(rows, 2)
    np.testing.assert_array_equal(unpermuted("blk.0.attn_q.weight", permuted, LLAMA), weight)
    np.testing.assert_array_equal(unpermuted("blk.0.attn_v.weight", permuted, LLAMA), permuted)
    assert hugging_face_name("blk.3.attn_q.weight") == "model.layers.3.self_attn.q_proj.weight"
    assert hugging_face_name("token_embd.weight") == "model.embed_tokens.weight"


NAME = "model.layers.1.self_attn.q_proj"


def lora(folder: Path, settings: dict, drop: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Writes an adapter of random numbers for one matrix."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((4, LLAMA.hidden_size)).astype(np.float32)
    b = rng.standard_normal((LLAMA.hidden_size, 4)).astype(np.float32)
    tensors = {f"base_model.model.{NAME}.lora_A.weight": a, f"base_model.model.{NAME}.lora_B.weight": b}
    save_file({name: value for name, value in tensors.items() if name != drop}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8} | settings))
    return a, b


def test_an_adapter_is_merged() -> None:
    cases = [
        ({}, 2.0),
        ({"use_rslora": True}, 4.0),
        ({"alpha_pattern": {"layers.1.self_attn.q_proj": 12}}, 3.0),
        ({"alpha_pattern": {"layers.11.self_attn.q_proj": 12, "k_proj": 4}}, 2.0),
        ({"r": 9, "lora_alpha": 18, "rank_pattern": {r".*\.1\..*q_proj": 4}, "alpha_pattern": {"q_proj": 8}}, 2.0),
        ({"r": 3, "lora_alpha": 6, "rank_pattern": {r".*\.1\..*q_proj": 4}, "alpha_pattern": {"q_proj": 8}}, 2.0),
    ]
    for settings, scale in cases:
        with tempfile.TemporaryDirectory() as place:
            a, b = lora(Path(place), settings)
            before, weights = random_weights(LLAMA), random_weights(LLAMA)
            assert adapter.merge(weights, Path(place)) == [f"{NAME}.weight"]
            x = np.random.default_rng(3).standard_normal(LLAMA.hidden_size)
            expected = before[f"{NAME}.weight"] @ x + scale * (b @ (a @ x))
            np.testing.assert_allclose(weights[f"{NAME}.weight"] @ x, expected, atol=1e-4)
            own = {f"{NAME}.weight"} if settings.get("r") == 3 else set()
            assert adapter.exact(before, Path(place)) == own
            assert all((weights[name] == before[name]).all() for name in before if name != f"{NAME}.weight")


def test_the_card_tells_what_the_card_of_the_adapter_tells() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lora(folder, {})
        told = '[training]\ndata = "films: of two logs"\n[training.sft]\nupdates = 3\n[licence]\ndata = "research"\n'
        (folder / "card.toml").write_text(told, encoding="utf-8")
        origin = folder / "adapter_config.json"
        plain, tuned = (tomllib.loads(make.card(origin, with_lora, {"a.b": "0"})) for with_lora in [None, folder])
    assert "Fine-tuned on films, to choose" in tuned["summary"] and "Fine-tuned" not in plain["summary"]
    assert tuned["training"]["data"] == "films: of two logs" and tuned["training"]["sft"] == {"updates": 3}, tuned
    assert tuned["licence"].keys() == {"model", "data"} and plain["licence"].keys() == {"model"}
    assert tuned["files"] == plain["files"] == {"a.b": {"sha256": "0"}}


def test_an_adapter_that_is_not_that_of_its_card_is_refused() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "adapter_config.json").write_text("{}")
        make.whole(folder)
        (folder / "card.toml").write_text(f'[files."adapter_config.json"]\nsha256 = "{make.sha256_of(folder / "adapter_config.json")}"\n')
        make.whole(folder)
        (folder / "adapter_config.json").write_text("{ }")
        try:
            make.whole(folder)
        except ValueError as problem:
            assert "adapter_config.json: has sha256" in str(problem), problem
        else:
            raise AssertionError("a changed file was taken")


def said(folder: Path, rows: list[dict]) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_liking_for_places_is_found_whatever_stands_there() -> None:
    rng, liking = np.random.default_rng(3), np.array([0.4, 0.1, -0.5])
    with tempfile.TemporaryDirectory() as place:
        rows = []
        for number in range(4000):
            logits = rng.normal(size=3) + liking
            shares = np.exp(logits) / np.exp(logits).sum()
            # "None of these", where it is offered, has a share of its own and no place.
            options = [*(0.7 * shares), 0.3] if number % 2 else [*shares]
            rows.append({"items": [1, 2, 3], "item_pos": 0, "probabilities": {"other": [1, 0, 0], "m": options}})
        rows.append({"items": [1, 2], "item_pos": 0, "probabilities": {"m": [0.5, 0.5]}})
        path = said(Path(place), rows)
        written = tomllib.loads(letters.text(letters.read(path, "m"), {}))
        assert "temperature" not in written
        found = written["list"]
        assert [entry["lists"] for entry in found] == [4000], "one list of two is too few"
        np.testing.assert_allclose(found[0]["liking"], liking, atol=0.06)
        more = {"items": [1, 2], "item_pos": 0}
        for wrong in [
            more | {"probabilities": {"m": [1.0]}},
            more,
            more | {"items": [1], "probabilities": {"x": [1]}},
            {"items": [1, 2], "probabilities": {"m": [0.5, 0.5]}},
            more | {"item_pos": 2, "probabilities": {"m": [0.5, 0.5]}},
        ]:
            try:
                letters.read(said(Path(place), [rows[0], wrong]), "m")
            except ValueError as problem:
                assert "answers.jsonl:2: not an answer of `m`" in str(problem), problem
            else:
                raise AssertionError(f"{wrong} was taken")


def test_a_temperature_is_found_from_what_was_taken() -> None:
    rng, liking = np.random.default_rng(4), np.array([0.6, -0.2, -0.4])
    with tempfile.TemporaryDirectory() as place:
        rows = []
        for _ in range(4000):
            logits = rng.normal(size=3)
            truth = np.exp(logits) / np.exp(logits).sum()
            # The model is 1.5 times as sure as it may be, and likes the first place.
            shares = np.exp(1.5 * logits + liking) / np.exp(1.5 * logits + liking).sum()
            rows.append({"items": [1, 2, 3], "item_pos": int(rng.choice(3, p=truth)), "probabilities": {"m": [*shares]}})
        answers = letters.read(said(Path(place), rows), None)
        written = tomllib.loads(letters.text(answers, answers))
        assert abs(written["temperature"] - 1.5) < 0.1, written
        few = letters.read(said(Path(place), rows[:100]), None)
        try:
            letters.text(answers, few)
        except ValueError as problem:
            assert "100 unseen lists are too few" in str(problem), problem
        else:
            raise AssertionError("100 lists were enough")


def test_adapters_that_cannot_be_merged_are_told() -> None:
    a = f"base_model.model.{NAME}.lora_A.weight"
    cases = [
        ({"use_dora": True}, "", "use_dora"),
        ({"bias": "all"}, "", "bias"),
        ({"r": 5}, "", "shapes"),
        ({"rank_pattern": {"q_proj": 5}}, "", "shapes"),
        ({}, a, "only one"),
    ]
    for settings, drop, expected in cases:
        with tempfile.TemporaryDirectory() as place:
            lora(Path(place), settings, drop)
            try:
                adapter.merge(random_weights(LLAMA), Path(place))
            except adapter.AdapterError as problem:
                assert expected in str(problem), problem
            else:
                raise AssertionError(f"{settings} was merged")


def test_an_adapter_that_is_cut_off_is_told() -> None:
    with tempfile.TemporaryDirectory() as place:
        lora(Path(place), {})
        file = Path(place) / "adapter_model.safetensors"
        file.write_bytes(file.read_bytes()[:40])
        try:
            adapter.merge(random_weights(LLAMA), Path(place))
        except adapter.AdapterError as problem:
            assert "cannot be read" in str(problem), problem
        else:
            raise AssertionError("a file that is cut off was merged")


def test_a_file_without_a_key_is_told() -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "half.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(64)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        command = [sys.executable, str(Path(make.__file__)), "--source", str(path), "--out", str(Path(place) / "out")]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr == f"error: {path} has no `tokenizer.ggml.tokens`; a GGUF file of a whole language model has one\n"


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"{name}: ok")
