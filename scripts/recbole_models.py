"""Trains RecBole's models on the logs that `recmirror augment` wrote, and says what the added rows change on held-out interactions.

    python scripts/recbole_models.py DIR --models LightGCN SASRec NARM DiffRec --seeds 5

DIR is the folder of `augment`. Each model is trained on the log alone (`plain`) and on each log with additions, in RecBole's default
settings, and stops early by NDCG@10 on the last row of each user's own log. Then it ranks all items that a user does not have in the
own log, and recall, NDCG and the reciprocal rank of the first hit are taken at 5 and 10 as `augment` takes them. SASRec and NARM are
asked with the user's own log alone; LightGCN and DiffRec know the user as they were trained. Seeds change training; the
additions are those of the first draw. Needs the packages of scripts/recbole_models.txt (`make recbole`).
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

DEPTHS = (5, 10)
MEASURES = tuple(f"{name}@{depth}" for depth in DEPTHS for name in ("recall", "ndcg", "mrr"))
SEQUENTIAL = {"SASRec", "NARM"}
# Items of a history at most; RecBole's default.
LONGEST = 50


class Log(NamedTuple):
    """One log of `augment`, by user in order of time: own rows, added rows, and what was held out."""

    own: dict[str, list[str]]
    added: dict[str, list[str]]
    held_out: dict[str, set[str]]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of `recmirror augment`")
    parser.add_argument("--models", nargs="+", default=["LightGCN", "SASRec", "NARM", "DiffRec"], help="models of RecBole, by name")
    parser.add_argument("--logs", nargs="+", help="folders of DIR; all with additions unless given")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model on each log")
    parser.add_argument("--epochs", type=int, default=300, help="passes over a log at most")
    arguments = parser.parse_args()
    # RecBole reads the command line, too.
    del sys.argv[1:]
    names = arguments.logs or sorted(path.parent.name for path in arguments.folder.glob("*-*/interactions.csv"))
    logs = {name: read(arguments.folder / name) for name in ["plain", *names]}
    print("model,log,measure,users,plain,with,gain,low,high,gain_percent")
    for model in arguments.models:
        found = {}
        for name, log in logs.items():
            print(f"{model}: {name}", file=sys.stderr, flush=True)
            found[name] = mean_over([values(model, log, seed, arguments.epochs) for seed in range(arguments.seeds)])
        for name in names:
            for row in gains(found["plain"], found[name], len(names)):
                print(f"{model},{name},{row}", flush=True)
    return 0


def read(folder: Path) -> Log:
    """The log in one folder of `augment`."""
    own, added, held_out = defaultdict(list), defaultdict(list), defaultdict(set)
    with (folder / "interactions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            (own if row["source"] == "log" else added)[row["user_id"]].append(row["item_id"])
    with (folder / "held_out.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            held_out[row["user_id"]].add(row["item_id"])
    return Log(dict(own), dict(added), dict(held_out))


def parts(log: Log, sequential: bool) -> dict[str, list[str]]:
    """The lines of RecBole's files: training rows, and the last own row of each user, by which training stops."""
    train, valid = [], []
    for user, own in log.own.items():
        kept, last = (own[:-1], own[-1:]) if len(own) > 2 else (own, [])
        trained = kept + log.added.get(user, [])
        if sequential:
            train += [line(user, trained[:place], item) for place, item in enumerate(trained) if place > 0]
            valid += [line(user, kept, item) for item in last]
        else:
            train += [f"{user}\t{item}" for item in trained]
            valid += [f"{user}\t{item}" for item in last]
    return {"train": train, "valid": valid}


def line(user: str, history: list[str], item: str) -> str:
    """One row of a file of sequences."""
    return f"{user}\t{' '.join(history[-LONGEST:])}\t{item}"


def ranked(items: list[str], wanted: set[str]) -> list[float]:
    """Recall, NDCG and the reciprocal rank of the first hit, at each depth, of a ranked list."""
    found = []
    for depth in DEPTHS:
        hits = [place for place, item in enumerate(items[:depth]) if item in wanted]
        best = sum(1 / math.log2(place + 2) for place in range(min(len(wanted), depth)))
        gain = sum(1 / math.log2(place + 2) for place in hits)
        found += [len(hits) / len(wanted), gain / best, 1 / (hits[0] + 1) if hits else 0.0]
    return found


def mean_over(trainings: list[list[list[float]]]) -> list[list[float]]:
    """The mean over trainings of each user's measures."""
    return [[fmean(of) for of in zip(*user, strict=True)] for user in zip(*trainings, strict=True)]


def gains(plain: list[list[float]], other: list[list[float]], together: int) -> list[str]:
    """For each measure: both means and their paired difference, with a normal 95% interval over users at 0.05 / `together`."""
    reach = NormalDist().inv_cdf(1 - 0.025 / together)
    rows = []
    for place, measure in enumerate(MEASURES):
        before, after = [user[place] for user in plain], [user[place] for user in other]
        differences = [b - a for a, b in zip(before, after, strict=True)]
        gain, half = fmean(differences), reach * stdev(differences) / math.sqrt(len(differences))
        percent = 100 * gain / fmean(before) if fmean(before) > 0 else math.nan
        numbers = (fmean(before), fmean(after), gain, gain - half, gain + half)
        rows.append(f"{measure},{len(before)},{','.join(f'{number:.5f}' for number in numbers)},{percent:.1f}")
    return rows


def values(name: str, log: Log, seed: int, epochs: int) -> list[list[float]]:
    """The measures of a model that was trained on the log, by user with held-out interactions."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        # RecBole writes logs for TensorBoard into the current folder.
        os.chdir(place)
        try:
            scores, tokens = trained(name, log, seed, epochs, Path(place))
        finally:
            os.chdir(home)
    found = []
    for user, row in scores:
        own = set(log.own[user])
        order = (tokens[item] for item in row.argsort(descending=True).tolist() if item > 0)
        unknown = (item for item in order if item not in own)
        found.append(ranked([item for item, _ in zip(unknown, range(DEPTHS[-1]), strict=False)], log.held_out[user]))
    return found


def trained(name: str, log: Log, seed: int, epochs: int, folder: Path) -> tuple[list, list[str]]:
    """A model's scores of all items for each user with held-out interactions, and the items' ids."""
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    sequential = name in SEQUENTIAL
    config = Config(model=name, dataset="log", config_dict=settings(sequential, seed, epochs, folder))
    write(log, sequential, folder / "log")
    init_seed(seed, reproducibility=True)
    data = create_dataset(config)
    train, valid, _ = data_preparation(config, data)
    model = get_model(name)(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], name)(config, model)
    trainer.fit(train, valid, saved=True, show_progress=False)
    model.load_state_dict(torch.load(trainer.saved_model_file)["state_dict"])
    model.eval()
    users = [user for user in log.held_out if user in log.own]
    with torch.no_grad():
        scores = [(user, score(model, data, user, log.own[user] if sequential else None)) for user in users]
    return scores, data.field2id_token["item_id"].tolist()


def settings(sequential: bool, seed: int, epochs: int, folder: Path) -> dict:
    """RecBole's configuration: its defaults, but for the files, and early stopping by NDCG@10."""
    columns = ["user_id", "item_id_list", "item_id"] if sequential else ["user_id", "item_id"]
    return {
        "data_path": str(folder),
        "benchmark_filename": ["train", "valid", "valid"],
        "load_col": {"inter": columns},
        "alias_of_item_id": ["item_id_list"] if sequential else None,
        "train_neg_sample_args": None if sequential else {"distribution": "uniform", "sample_num": 1},
        "eval_args": {"order": "TO" if sequential else "RO", "mode": "full"},
        "valid_metric": "NDCG@10",
        "metrics": ["NDCG"],
        "topk": [10],
        # Scores at once: RecBole's 4,096 are two users of MovieLens-100K, which takes longer than training.
        "eval_batch_size": 1 << 20,
        "MAX_ITEM_LIST_LENGTH": LONGEST,
        "seed": seed,
        "epochs": epochs,
        "use_gpu": False,
        "checkpoint_dir": str(folder / "saved"),
        "state": "WARNING",
        "show_progress": False,
    }


def write(log: Log, sequential: bool, folder: Path) -> None:
    """RecBole's files of a log."""
    folder.mkdir()
    head = "user_id:token\titem_id_list:token_seq\titem_id:token" if sequential else "user_id:token\titem_id:token"
    for part, lines in parts(log, sequential).items():
        (folder / f"log.{part}.inter").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def score(model, data, user: str, history: list[str] | None):
    """A model's scores of all items for one user; of a model of sequences, after this history."""
    import torch
    from recbole.data.interaction import Interaction

    asked = {"user_id": torch.tensor([data.token2id("user_id", user)])}
    if history is not None:
        known = data.field2token_id["item_id"]
        items = [known[item] for item in history if item in known][-LONGEST:]
        asked["item_id_list"] = torch.tensor([items + [0] * (LONGEST - len(items))])
        asked["item_length"] = torch.tensor([len(items)])
    return model.full_sort_predict(Interaction(asked)).view(-1)


if __name__ == "__main__":
    sys.exit(main())
