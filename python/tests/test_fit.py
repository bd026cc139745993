"""Fitting user models, and running with them."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars
import pytest

import recmirror as rm
from shop import table, taste


def test_a_fitted_model_is_measured_and_serves_as_users(tmp_path: Path) -> None:
    data = rm.Dataset(interactions=taste(), name="shop")
    model = rm.fit(data, out=tmp_path / "mine", epochs=2, scenes=300, licence="made here")
    assert (tmp_path / "mine" / "card.toml").is_file() and model.interactions > 100
    alignment = model.alignment
    assert alignment is not None and alignment.verdict in str(alignment)
    figures = polars.DataFrame(alignment.figures)
    assert set(figures.columns) >= {"measure", "who", "estimate", "low", "high"} and len(figures) > 5
    assert 0 <= (alignment.estimate("choice") or -1) <= 1
    assert "<table>" in alignment._repr_html_()
    sent = pickle.loads(pickle.dumps(model))
    assert sent.path == model.path and str(sent.alignment) == str(alignment)
    env = rm.Environment(data, users=model, population=30, slate=3, steps=2, policies=["popular"])
    assert env.run(env.policy("popular")).shape == (2,)
    with pytest.raises(rm.UserModelError, match="force=True"):
        rm.fit(data, out=tmp_path / "mine", epochs=1, scenes=0)
    again = rm.fit(data, out=tmp_path / "mine", epochs=1, scenes=0, force=True)
    assert again.alignment is None and again.epochs == 1


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    few = {name: values[:50] for name, values in table().items()}
    with pytest.raises(rm.UserModelError, match="a fit needs"):
        rm.fit(rm.Dataset(few), out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
