#!/usr/bin/env python3
"""Are the baseline policies right? Compares them with public implementations on the same split of MovieLens-100K.

    cargo run --release --example held_out -- benches/peers/policies.toml runs/held_out
    python3 -m venv .recmirror/peers && .recmirror/peers/bin/pip install -r benches/peers/requirements.txt
    .recmirror/peers/bin/python benches/peers/policies.py runs/held_out

The first command writes the split and the slates of each policy. Here `implicit` 0.7.3 (item_knn, ials, bpr) and the
closed form in NumPy (ease) train on the same interactions with the same settings, bpr with those that were best for
`implicit` of learning rates 0.01, 0.05, 0.1, regularisations 0.001, 0.01, 0.05 and 50 or 150 epochs. NDCG@10 must not be below theirs by more than 2%, and the
scores of ease must agree to 1e-6. Exit code 1 when that does not hold.
"""

import csv
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender

DEPTH = 10
REPLICATIONS = 3
MARGIN = 0.98
TOLERANCE = 1e-6


def read_log(path):
    with open(path, newline="") as file:
        return np.array([(int(row["user"]), int(row["item"])) for row in csv.DictReader(file)])


def read_slates(path):
    """{user: [(item, score), ...]}, best first."""
    slates = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            slates.setdefault(int(row["user"]), []).append((int(row["item"]), float(row["score"])))
    return slates


def ndcg(ranking, relevant):
    """`ranking[user]` are items, best first; `relevant[user]` is a set. Users without relevant items do not count."""
    gains = 1 / np.log2(np.arange(DEPTH) + 2)
    values = []
    for user, wanted in enumerate(relevant):
        if wanted:
            hits = np.array([item in wanted for item in ranking[user][:DEPTH]], dtype=float)
            values.append((hits * gains[: len(hits)]).sum() / gains[: len(wanted)].sum())
    return float(np.mean(values))


def top(scores, matrix):
    """The best items of each row that the user has not."""
    scores = np.array(scores, dtype=np.float64)
    scores[matrix.nonzero()] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]


def ease(matrix, regularisation=250.0):
    """Steck 2019, equations 8 and 9."""
    dense = matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + regularisation * np.eye(dense.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return dense @ weights


def peers(matrix):
    """(policy, peer, list of score matrices)."""
    # `implicit` counts an item among its own neighbours.
    knn = CosineRecommender(K=51)
    knn.fit(matrix, show_progress=False)
    similarity = knn.similarity.tolil()
    similarity.setdiag(0)
    yield "item_knn", "implicit CosineRecommender", [(matrix @ similarity.tocsr()).toarray()]
    yield "ease", "NumPy, closed form", [ease(matrix)]
    als, bpr = [], []
    for seed in range(REPLICATIONS):
        # Its confidence is alpha for what a user has, ours 1 + alpha.
        model = AlternatingLeastSquares(
            factors=32, regularization=5.0, alpha=2.0, iterations=10, random_state=seed, dtype=np.float64, use_cg=False
        )
        model.fit(matrix, show_progress=False)
        als.append(model.user_factors @ model.item_factors.T)
        model = BayesianPersonalizedRanking(
            factors=32, learning_rate=0.01, regularization=0.001, iterations=50, random_state=seed, num_threads=1
        )
        model.fit(matrix, show_progress=False)
        bpr.append(model.user_factors @ model.item_factors.T)
    yield "ials", "implicit AlternatingLeastSquares", als
    yield "bpr", "implicit BayesianPersonalizedRanking", bpr


def main(folder):
    train, held_out = read_log(folder / "train.csv"), read_log(folder / "held_out.csv")
    users = 1 + max(train[:, 0].max(), held_out[:, 0].max())
    items = 1 + max(train[:, 1].max(), held_out[:, 1].max())
    matrix = sparse.csr_matrix((np.ones(len(train)), (train[:, 0], train[:, 1])), shape=(users, items))
    matrix.data[:] = 1.0
    relevant = [set() for _ in range(users)]
    for user, item in held_out:
        relevant[user].add(int(item))
    wrong = []
    print(f"{'policy':10} {'ours':>8} {'theirs':>8} {'ratio':>7}  peer")
    for policy, peer, scores in peers(matrix):
        own = [read_slates(folder / f"{policy}-{replication}.csv") for replication in range(REPLICATIONS)]
        lists = [[[item for item, _ in slates.get(user, [])] for user in range(users)] for slates in own]
        ours = np.mean([ndcg(ranking, relevant) for ranking in lists])
        theirs = np.mean([ndcg(top(score, matrix), relevant) for score in scores])
        print(f"{policy:10} {ours:8.4f} {theirs:8.4f} {ours / theirs:7.3f}  {peer}")
        if ours < MARGIN * theirs:
            wrong.append(f"{policy}: NDCG@{DEPTH} {ours:.4f} against {theirs:.4f}")
        if policy == "ease":
            gaps = [abs(score - scores[0][user, item]) for user, row in own[0].items() for item, score in row]
            print(f"{'':10} largest difference of {len(gaps)} scores: {max(gaps):.1e}")
            if max(gaps) > TOLERANCE:
                wrong.append(f"ease: a score differs by {max(gaps):.1e}")
    for problem in wrong:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: policies.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
