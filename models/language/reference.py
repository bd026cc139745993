"""The same model in NumPy, as slow as it is plain: what the graphs are tested against."""

from __future__ import annotations

import numpy as np

from graph import Config


def logits(config: Config, weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """The logits after each token, [tokens, vocabulary], in double precision."""
    weight = {name: value.astype(np.float64) for name, value in weights.items()}
    size, heads, groups = config.head_dim, config.num_attention_heads, config.num_key_value_heads
    count = len(tokens)
    angles = np.arange(count)[:, None] / np.power(config.rope_theta, np.arange(0, size, 2) / size)[None]
    cosine, sine = np.tile(np.cos(angles), 2)[:, None], np.tile(np.sin(angles), 2)[:, None]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config.rms_norm_eps) * weight[name]

    def turned(x: np.ndarray) -> np.ndarray:
        low, high = x[..., : size // 2], x[..., size // 2 :]
        return x * cosine + np.concatenate([-high, low], -1) * sine

    def project(x: np.ndarray, name: str, rows: int) -> np.ndarray:
        return (x @ weight[f"{name}.weight"].T + weight.get(f"{name}.bias", 0)).reshape(count, rows, size)

    future = np.triu(np.full((count, count), -np.inf), 1)
    x = weight["model.embed_tokens.weight"][tokens]
    for layer in range(config.num_hidden_layers):
        path = f"model.layers.{layer}"
        y = norm(x, f"{path}.input_layernorm.weight")
        query = turned(project(y, f"{path}.self_attn.q_proj", heads))
        key = turned(project(y, f"{path}.self_attn.k_proj", groups)).repeat(heads // groups, axis=1)
        value = project(y, f"{path}.self_attn.v_proj", groups).repeat(heads // groups, axis=1)
        scores = np.einsum("ihd,jhd->hij", query, key) * size**-0.5 + future
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", shares, value).reshape(count, heads * size)
        x = x + mixed @ weight[f"{path}.self_attn.o_proj.weight"].T
        y = norm(x, f"{path}.post_attention_layernorm.weight")
        gate = y @ weight[f"{path}.mlp.gate_proj.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (y @ weight[f"{path}.mlp.up_proj.weight"].T)
        x = x + inner @ weight[f"{path}.mlp.down_proj.weight"].T
    head = "model.embed_tokens.weight" if config.tie_word_embeddings else "lm_head.weight"
    return norm(x, "model.norm.weight") @ weight[head].T
