"""How conclusions change with what "accepted" means: runs scenarios with `user.accept` at `take` and at `like`, and prints a
Markdown table of both orders and of the pairs of policies that hold, turn round, or are sure in one of them alone.

    python3 scripts/meanings.py target/release/recmirror scenarios/movielens.toml scenarios/fatigue.toml --out runs/meanings
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

METRIC = "acceptance_rate"
MEANINGS = ("take", "like")
# The ends of the interval of a difference, the strictest first.
ENDS = (("simultaneous_low", "simultaneous_high"), ("low", "high"), ("t_low", "t_high"))


class Conclusions(NamedTuple):
    """What a run says of its policies."""

    means: dict[str, float]
    # For each pair in the order of its names: 1 where the first is ahead, -1 where it is behind, 0 where that is not sure.
    pairs: dict[tuple[str, str], int]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["metric"] == METRIC]


def read(folder: Path) -> Conclusions:
    means = {row["policy"]: float(row["mean"]) for row in rows(folder / "summary.csv")}
    pairs = {}
    for row in rows(folder / "pairs.csv"):
        ends = next(((row[low], row[high]) for low, high in ENDS if row.get(low)), None)
        low, high = map(float, ends) if ends else (-1.0, 1.0)
        sure = 1 if low > 0 else -1 if high < 0 else 0
        names = (row["policy_a"], row["policy_b"])
        first = min(names)
        pairs[(first, max(names))] = sure if first == names[0] else -sure
    return Conclusions(means, pairs)


def order(of: Conclusions) -> str:
    names = sorted(of.means, key=lambda name: (-of.means[name], name))
    return ", ".join(f"{name} {100 * of.means[name]:.1f}" for name in names)


def changes(take: Conclusions, like: Conclusions) -> tuple[str, str]:
    """How many conclusions hold, and those that do not, in words."""
    held, sure, differing = 0, 0, []
    for names, one in sorted(take.pairs.items()):
        other = like.pairs.get(names, 0)
        if one == 0 and other == 0:
            continue
        ahead, behind = names if (one or other) > 0 else names[::-1]
        if one != 0:
            sure += 1
            held += one == other
        if one * other < 0:
            differing.append(f"{ahead} over {behind} reverses")
        elif other == 0:
            differing.append(f"{ahead} over {behind} is no longer sure")
        elif one == 0:
            differing.append(f"{ahead} over {behind} only when liked")
    return f"{held} of {sure}", "; ".join(differing) or "nothing"


def run(program: Path, scenario: Path, meaning: str, out: Path, settings: list[str]) -> Conclusions:
    folder = out / f"{scenario.stem}-{meaning}"
    command = [program, "run", scenario, "--out", folder, "--force", "--quiet", "--set", f"user.accept={meaning}"]
    command += ["--set", "engine.events=false"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{scenario} with {meaning}: {done.stderr.strip()}")
    return read(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the recmirror program")
    parser.add_argument("scenarios", type=Path, nargs="+", help="scenario files")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="override a key in both runs")
    options = parser.parse_args()
    print("| scenario | order when taken, % | order when liked, % | conclusions that hold | what changes |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for scenario in options.scenarios:
        take, like = (run(options.program, scenario, one, options.out, options.settings) for one in MEANINGS)
        held, differing = changes(take, like)
        print(f"| `{scenario.stem}` | {order(take)} | {order(like)} | {held} | {differing} |", flush=True)


if __name__ == "__main__":
    main()
