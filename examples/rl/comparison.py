"""The result of a comparison: intervals over the training seeds, a table and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import recmirror as rm

# Policies that know what a recommender cannot, or that plan ahead by hand.
NOT_MYOPIC = ("oracle", "diverse")
KINDS = {"oracle": "asks the users", "diverse": "rule made by hand"} | dict.fromkeys(("linucb", "thompson", "exploring"), "bandit")
T_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}

Interval = tuple[float, float, float]


def interval(values: list[float]) -> Interval:
    """Mean and 95% t interval."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - T_95[len(values)] * error, mean + T_95[len(values)] * error


def means_of(result: rm.Result, metric: str) -> dict[str, float]:
    """Each policy over the whole run."""
    return {row["policy"]: row["mean"] for row in result.summary if row["metric"] == metric}


def series_of(result: rm.Result, metric: str) -> dict[str, np.ndarray]:
    """Each policy at each step."""
    found: dict[str, list[float]] = {}
    for row in result.series:
        if row["metric"] == metric:
            found.setdefault(row["policy"], []).append(np.nan if row["mean"] is None else row["mean"])
    return {policy: np.array(values) for policy, values in found.items()}


def late_of(result: rm.Result) -> dict[str, float]:
    """The acceptance rate of each policy in the last third of the steps."""
    series = series_of(result, "acceptance_rate")
    return {policy: float(np.nanmean(values[-(len(values) // 3) :])) for policy, values in series.items()}


def is_agent(policy: str) -> bool:
    return policy.startswith("agent-")


def compare_agents(name: str, means: dict[str, float]) -> dict[str, Any]:
    """The agents against each policy, with intervals over the training seeds."""
    agents = [value for policy, value in means.items() if is_agent(policy)]
    others = {policy: value for policy, value in means.items() if not is_agent(policy)}
    best = max((policy for policy in others if policy not in NOT_MYOPIC), key=lambda policy: others[policy])
    found = {"measure": name, "best_myopic": best, "agent": interval(agents), "policies": others}
    return found | {"agent_over": {policy: interval([one - value for one in agents]) for policy, value in others.items()}}


def written(one: Interval, scale: float, digits: int, sign: str = "") -> str:
    mean, low, high = (value * scale for value in one)
    return f"{mean:{sign}.{digits}f} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def table(whole: dict[str, Any], late: dict[str, Any], steps: int) -> str:
    """The table of the documentation."""
    lines = [
        f"| policy | kind | accepted a user, {steps} steps | agent more | acceptance rate, last third | agent more (pp) |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| **agent** | learned over whole lives | **{written(whole['agent'], 1, 2)}** | | **{written(late['agent'], 100, 1)}%** | |",
    ]
    for policy in sorted(whole["policies"], key=lambda policy: -whole["policies"][policy]):
        lines.append(
            f"| {policy} | {KINDS.get(policy, 'one step ahead')} | {whole['policies'][policy]:.2f} "
            f"| {written(whole['agent_over'][policy], 1, 2, '+')} | {late['policies'][policy]:.1%} "
            f"| {written(late['agent_over'][policy], 100, 1, '+')} |"
        )
    return "\n".join(lines) + "\n"


def plot(result: rm.Result, training: dict[int, list[float]], path: Path) -> None:
    """What the agents earned as they learned, and each policy over time; agents as their mean with an interval."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "recmirror", "font.size": 8}
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    band(left, np.array(list(training.values())), 5)
    left.set_xlabel("update (mean of five)")
    left.set_ylabel("accepted a user, while exploring")
    series = {policy: smooth(values, 7) for policy, values in series_of(result, "acceptance_rate").items()}
    for policy, values in series.items():
        if not is_agent(policy):
            right.plot(values, label=policy, linewidth=1)
    band(right, np.array([values for policy, values in series_of(result, "acceptance_rate").items() if is_agent(policy)]), 7)
    right.set_xlabel("step (mean of seven)")
    right.set_ylabel("acceptance rate")
    right.legend(fontsize=6, ncols=2)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    return np.convolve(values, np.ones(width) / width, mode="valid")


def band(axes: Any, rows: np.ndarray, width: int) -> None:
    """The mean of the seeds, with a 95% interval."""
    rows = np.array([smooth(row, width) for row in rows])
    mean, places = rows.mean(axis=0), np.arange(rows.shape[1])
    spread = T_95[len(rows)] * rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
    axes.plot(places, mean, color="black", label="agent")
    axes.fill_between(places, mean - spread, mean + spread, color="black", alpha=0.2, linewidth=0)
