#!/usr/bin/env python3
"""Writes a generated `big_matrix.csv` for real rows of KuaiRec, whose matrices are too large to pass on.

    kuairec_matrix.py PUBLISHER FOLDER

PUBLISHER holds `user_features.csv` and `kuairec_caption_category.csv`; FOLDER gets links to both and the matrix. Each user likes
some first-level categories, each video has an appeal of its own, and a play ends at random around the share that both suggest.
The same arguments give the same bytes. The plays are generated: figures of this log say what the program reads and learns,
and nothing about users of the publisher.
"""

import argparse
import csv
import math
import random
import time
from pathlib import Path

TABLES = ("user_features.csv", "kuairec_caption_category.csv")
COLUMNS = ("user_id", "video_id", "play_duration", "video_duration", "time", "date", "timestamp", "watch_ratio")
START = 1_593_878_400  # 2020-07-05, the first day of the publisher's log
DAY = 86_400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("publisher", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plays", type=int, default=140, help="videos that a user is shown, drawn without repeats")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    for name in TABLES:
        (arguments.folder / name).symlink_to((arguments.publisher / name).resolve())
    users = [row["user_id"] for row in table(arguments.publisher / TABLES[0])]
    videos = {row["video_id"]: row["first_level_category_name"] for row in table(arguments.publisher / TABLES[1])}
    with (arguments.folder / "big_matrix.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(plays(users, videos, arguments))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def plays(users: list[str], videos: dict[str, str], arguments: argparse.Namespace):
    draw = random.Random(arguments.seed)
    appeal = {video: draw.gauss(0, 0.5) for video in videos}
    length = {video: round(1000 * math.exp(draw.gauss(2.4, 0.6))) for video in videos}
    categories = sorted(set(videos.values()))
    for user in users:
        taste = {category: draw.gauss(0, 0.9) for category in categories}
        shown = draw.sample(sorted(videos), min(arguments.plays, len(videos)))
        times = sorted(START + draw.random() * arguments.days * DAY for _ in shown)
        for video, moment in zip(shown, times):
            ratio = math.exp(-0.6 + appeal[video] + taste[videos[video]] + draw.gauss(0, 0.6))
            played = round(ratio * length[video])
            local = time.gmtime(moment + 8 * 3600)
            yield (user, video, played, length[video], time.strftime("%Y-%m-%d %H:%M:%S", local), time.strftime("%Y%m%d", local),
                   f"{moment:.3f}", f"{played / length[video]:.6f}")


if __name__ == "__main__":
    main()
