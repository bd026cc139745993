#!/usr/bin/env python3
"""How fast is recmirror beside other programs? `make bench-peers` runs this file and prints a table of medians and ratios.

Each row is a number of pairs: recmirror and the other program measure in turn on the same cores, and the ratio is taken within a
pair, so that a machine that is shared changes both sides. The table has medians and, of the ratios, quartiles. What
cannot be installed or has no model here is named below the table.

Simulators run in environments of their own: `--simulator NAME=PYTHON` (sardine, recsim_ng).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measured_process import MeasuredProcess

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MODEL_OF_LANGUAGE = ROOT / "models" / "lm-base" / "model.onnx"


def implicit_sides(log, threads):
    """What `implicit` does with the same log and settings: fits a second by both solvers, users ranked a second."""
    import numpy as np
    import scipy.sparse as sparse
    from implicit.als import AlternatingLeastSquares

    rows = np.loadtxt(log, delimiter=",", skiprows=1, dtype=np.int64)
    matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows[:, 0], rows[:, 1])))

    def fit(use_cg):
        model = AlternatingLeastSquares(
            factors=32, regularization=5.0, alpha=1.0, iterations=10, use_cg=use_cg, num_threads=threads, random_state=1
        )
        model.fit(matrix, show_progress=False)
        return model

    model = fit(True)
    users = np.arange(matrix.shape[0])

    def fitted(use_cg):
        def once():
            start = time.perf_counter()
            fit(use_cg)
            return 1 / (time.perf_counter() - start)

        return once

    def ranked():
        start = time.perf_counter()
        model.recommend(users, matrix, N=10)
        return len(users) / (time.perf_counter() - start)

    return {"cg": fitted(True), "cholesky": fitted(False), "rank": ranked}


def pairs(own, other, rounds):
    """Medians of both sides, and median and quartiles of the ratios; the first pair warms up."""
    own(), other()
    found = [(own(), other()) for _ in range(rounds)]
    ratios = [mine / theirs for mine, theirs in found]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive")
    return statistics.median(mine for mine, _ in found), statistics.median(theirs for _, theirs in found), quartiles


def number(value):
    """Three digits, with a unit."""
    for size, unit in ((1e6, " M"), (1e3, " k"), (1, "")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of each row (at least 5)")
    parser.add_argument("--bench", required=True, help="the program of benches/peers.rs")
    parser.add_argument("--simulator", action="append", default=[], metavar="NAME=PYTHON")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("--rounds must be at least 5")
    left_out = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.csv"
        own = MeasuredProcess([options.bench, str(log)], ROOT)
        rows = []

        def add(what, line, name, other):
            mine, theirs, (low, middle, high) = pairs(lambda: own.measure(line), other, options.rounds)
            rows.append((what, number(mine), name, number(theirs), f"{middle:.3g} ({low:.3g} to {high:.3g})"))
            print(f"{what}, {name}: {middle:.3g}", file=sys.stderr, flush=True)

        try:
            sides = implicit_sides(log, own.threads)
            add("`ials` fits a second, conjugate gradient", "fit ials cg", "implicit 0.7.3, CG", sides["cg"])
            add("`ials` fits a second, Cholesky", "fit ials", "implicit 0.7.3, Cholesky", sides["cholesky"])
            add("users ranked a second, `ials`", "rank ials", "implicit 0.7.3, `recommend`", sides["rank"])
        except ImportError as problem:
            left_out.append(f"implicit: {problem}")
        simulators = {"numpy": sys.executable} | dict(entry.split("=", 1) for entry in options.simulator)
        names = {"numpy": "NumPy, vectorised by hand", "sardine": "SARDINE 1.0.8", "recsim_ng": "RecSim NG 0.1.2"}
        for kind in ("numpy", "sardine", "recsim_ng"):
            if kind not in simulators or not Path(simulators[kind]).exists():
                left_out.append(f"{names[kind]}: no environment; give it as --simulator {kind}=PYTHON")
                continue
            users = 100 if kind == "sardine" else 10_000
            try:
                peer = MeasuredProcess([simulators[kind], str(HERE / "simulators.py"), kind, str(users)], ROOT)
            except (RuntimeError, OSError) as problem:
                left_out.append(f"{names[kind]}: {problem}")
                continue
            for user in ("parametric", "mirror"):
                add(f"{user} user-steps a second, 10,000 users", f"step {user} 10000", names[kind], lambda: peer.measure(""))
            peer.close()
        own.close()
    if not MODEL_OF_LANGUAGE.exists():
        left_out.append("llama.cpp: `make lm` makes the model, then benches/peers/llama.py compares")
    print("| what | recmirror | other program | its figure | ratio (quartiles) |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(f"\n{own.threads} threads, {options.rounds} pairs a row, {os.cpu_count()} processors.")
    for problem in left_out:
        print(f"Left out: {problem}.")


if __name__ == "__main__":
    main()
