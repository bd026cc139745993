"""Fits a user model to each data set that is named, runs an experiment on it, and prints the tables of docs/reference/datasets.md.

    python3 scripts/datasets.py DATA [DATA ...] --out DIR

DATA is anything that `recmirror data` reads. Of each, two commands are timed: `recmirror fit DATA`, and `recmirror run` of
scenarios/quickstart.toml with the fitted model. DIR gets the models, the runs with their reports, and `figures.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LISTS = ("popularity-matched", "anchored", "random", "mixed")
OTHERS = (("model", "model"), ("item-kNN", "item-kNN"), ("swapped", "model, another user's memory"))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="folders or files of data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for models, runs and figures; it must not exist yet")
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/recmirror", help="the program")
    parser.add_argument("--scenes", type=int, default=8000, help="held-out scenes of each list type")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True)
    found = []
    for path in arguments.data:
        found.append(measured(path, arguments.out, arguments.program, arguments.scenes))
        (arguments.out / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(tables(found))
    return 0


def measured(path: Path, out: Path, program: Path, scenes: int) -> dict:
    """What is known of one data set, its model, and its run."""
    data = json.loads(called([program, "data", path, "--json"]))
    model, run = out / f"{data['name']}-model", out / f"{data['name']}-run"
    print(f"{data['name']}: {data['interactions']} interactions", file=sys.stderr, flush=True)
    began = time.monotonic()
    fit = json.loads(called([program, "fit", path, "--out", model, "--scenes", str(scenes), "--json", "--quiet"]))
    fitted = time.monotonic()
    settings = {"data.path": path.resolve(), "user.kind": "mirror", "user.path": model.resolve()}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    called([program, "run", ROOT / "scenarios/quickstart.toml", *sets, "--out", run, "--quiet"])
    return {"data": data, "fit": fit, "fit_seconds": fitted - began, "run_seconds": time.monotonic() - fitted}


def called(command: list) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run([str(part) for part in command], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(part) for part in command)} ended with exit code {done.returncode}")
    return done.stdout


def tables(found: list[dict]) -> str:
    """The tables in Markdown."""
    rows = [data_row(each) for each in found]
    text = table(("data set", "interactions", "users", "items", "understood", "fit", "run"), rows)
    rows = [choice_row(each) for each in found]
    text += table(("data set", *(f"{name}: model / item-kNN / swapped" for name in LISTS)), rows)
    rows = [accept_row(each) for each in found]
    heads = ("1:1 accuracy", "1:3 accuracy, F1, AUC", "1:9 accuracy, F1, AUC", "calibration error", "rating RMSE")
    text += table(("data set", *heads), rows)
    return text + table(("data set", "verdict"), [(name(each), each["fit"]["verdict"]["text"]) for each in found])


def table(head: tuple, rows: list[tuple]) -> str:
    """One table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n\n"


def name(each: dict) -> str:
    """The name of the data set and its family."""
    return f"{each['data']['name']} (`{each['data']['family']}`)"


def data_row(each: dict) -> tuple:
    """What was understood, and how long the two commands took."""
    data = each["data"]
    kinds: dict[str, int] = {}
    for field in data["user_fields"] + data["item_fields"]:
        kinds[field["kind"]] = kinds.get(field["kind"], 0) + 1
    parts = [f"{count} {kind}" for kind, count in kinds.items()]
    parts.append(f"ratings {data['scale']['min']:g} to {data['scale']['max']:g}" if data["scale"] else "no ratings")
    parts += [] if data["has_times"] else ["no times"]
    parts += [f"{data['lists']['count']:,} lists as shown"] if data["lists"]["count"] else []
    times = (f"{each['fit_seconds'] / 60:.1f} min", f"{each['run_seconds']:.0f} s")
    return (name(each), f"{data['interactions']:,}", f"{data['users']:,}", f"{data['items']:,}", ", ".join(parts), *times)


def choice_row(each: dict) -> tuple:
    """Shares of lists of five that were answered right."""
    cells = []
    for kind in LISTS:
        cells.append(" / ".join(value(each, "choice", who, kind) for _, who in OTHERS))
    return (name(each), *cells)


def accept_row(each: dict) -> tuple:
    """Single items, and ratings."""
    many = [", ".join(value(each, measure, "model", ratio) for measure in ("accept", "F1", "AUC")) for ratio in ("1:3", "1:9")]
    one, calibration = value(each, "accept", "model", "1:1"), value(each, "calibration", "model", "1:1")
    return (name(each), one, *many, calibration, value(each, "rating", "model", "RMSE"))


def value(each: dict, measure: str, who: str, kind: str) -> str:
    """An estimate; the model's own with its interval."""
    for figure in (each["fit"]["alignment"] or {}).get("figures", []):
        if (figure["measure"], figure["who"], figure["list"]) == (measure, who, kind) and figure["estimate"] is not None:
            interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if who == "model" and measure != "F1" else ""
            return f"{figure['estimate']:.3f}{interval}"
    return "-"


if __name__ == "__main__":
    raise SystemExit(main())
