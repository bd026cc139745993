"""The comparison of agents in examples/rl, on means by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "rl"))

import comparison  # noqa: E402


def test_agents_are_compared_with_each_policy_over_the_seeds() -> None:
    means = {"agent-0": 0.4, "agent-1": 0.5, "agent-2": 0.6, "popular": 0.45, "ials": 0.3, "oracle": 0.9}
    found = comparison.compare_agents("late", means)
    assert found["best_myopic"] == "popular", "the oracle asks the users"
    # t of 2 degrees of freedom times the standard error .1 / sqrt(3).
    assert found["agent"] == pytest.approx((0.5, 0.5 - 4.303 * 0.057735, 0.5 + 4.303 * 0.057735), abs=1e-5)
    assert found["agent_over"]["popular"][0] == pytest.approx(0.05)


@pytest.mark.parametrize("seeds", sorted(comparison.T_95))
def test_every_number_of_seeds_that_may_be_asked_has_an_interval(seeds: int) -> None:
    mean, low, high = comparison.interval([float(value) for value in range(seeds)])
    assert low < mean < high
