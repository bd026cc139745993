#!/usr/bin/env python3
"""Damages files that strangers send, and runs the whole program on them:

    python3 fuzz/whole.py --binary target/release/recmirror --count 1000

A small world is made once: data sets in several forms, scenarios, a fitted mirror, a ranker, a language model, a finished run, and a
project with scenes, decisions and judged decisions. Each mutation changes one to three places of one file and runs a command
that reads it. Exit codes 0, 1, 2 and 3 are answers. A panic, a signal, a timeout, more memory than the limit, or a failure without a
message is a finding: its folder is kept and its command is printed. The exit code is 1 if there are findings.

Standard library only; Linux (peak memory comes from `wait4`). The same seed gives the same mutations.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
PROMPTS = (
    "name = 'tiny'\nsystem_decision = 'Why?'\nsystem_letter = 'Which?'\n"
    "user = '{{ profile }};{{ history }};{% for option in options %}[{{ option.letter }}]{{ option.text }}{% endfor %}'\n"
    "none = '-'\nassistant = '{% if decision %}{{ decision }} {% endif %}Behavior: [{{ letter }}]'\n"
)
TEMPLATE = "profile = '{{ user.age }}'\nitem = '{{ item.title }}'\nhistory = '{{ item.title }}={{ behavior.rating }}'\n"
GENRES = ["Action", "Comedy", "Drama", "War"]
FLAGS = 19
DAY = 86_400

# ---------------------------------------------------------------- the world


def log(draw: random.Random, users: int, items: int) -> list[tuple[int, int, int, int]]:
    rows = []
    for user in range(1, users + 1):
        time_of = 880_000_000 + user * 61
        for item in draw.sample(range(1, items + 1), draw.randint(12, 24)):
            time_of += draw.randint(0, DAY)
            rows.append((user, item, draw.randint(1, 5), time_of))
    draw.shuffle(rows)
    return rows


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def data_sets(base: Path) -> None:
    draw = random.Random(7)
    users, items = 40, 60
    rows = log(draw, users, items)
    genre = lambda item: GENRES[item % 4]  # noqa: E731
    flags = lambda item: "|".join("1" if place == item % FLAGS else "0" for place in range(FLAGS))  # noqa: E731
    write(base / "gl/u.data", "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in rows))
    write(base / "gl/u.item", "".join(f"{i}|Film {i} (1990)|01-Jan-1990||http://x|{flags(i)}\n" for i in range(1, items + 1)))
    write(base / "gl/u.user", "".join(f"{u}|{18 + u}|{'FM'[u % 2]}|artist|0\n" for u in range(1, users + 1)))
    write(base / "csv/log.csv", "user_id,item_id,rating,timestamp\n" + "".join(f"{u},i{i},{r},{t}\n" for u, i, r, t in rows))
    write(base / "csv/items.csv", "item_id,title,genres,year\n" + "".join(f"i{i},Film {i},{genre(i)}|War,19{50 + i % 40}\n" for i in range(1, items + 1)))
    write(base / "csv/users.csv", "user_id,age,gender\n" + "".join(f"{u},{18 + u},{'FM'[u % 2]}\n" for u in range(1, users + 1)))
    write(base / "csv/data.toml", 'log = "log.csv"\nscale = [1, 5]\n[columns]\nuser = "user_id"\nitem = "item_id"\nrating = "rating"\ntime = "timestamp"\n')
    line = lambda u, i, r, t: json.dumps({"user_id": u, "item_id": f"i{i}", "rating": r, "timestamp": t})  # noqa: E731
    write(base / "jsonl/log.jsonl", "".join(line(*row) + "\n" for row in rows))
    write(base / "jsonl/items.jsonl", "".join(json.dumps({"item_id": f"i{i}", "title": f"Film {i}", "tags": [genre(i), "x"]}) + "\n" for i in range(1, items + 1)))
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    write(base / "rb/small.inter", head + "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in rows))
    write(base / "rb/small.item", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n" + "".join(f"{i}\tFilm {i}\t1990\t{genre(i)} War\n" for i in range(1, items + 1)))
    write(base / "rb/small.user", "user_id:token\tage:token\tgender:token\toccupation:token\n" + "".join(f"{u}\t30\tF\tartist\n" for u in range(1, users + 1)))
    write(base / "ml/ratings.csv", "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},{r - 0.5},{t}\n" for u, i, r, t in rows))
    write(base / "ml/movies.csv", "movieId,title,genres\n" + "".join(f"{i},Film {i} (1990),{genre(i)}|War\n" for i in range(1, items + 1)))
    shown = lambda u: " ".join(f"N{draw.randint(1, items)}-{draw.randint(0, 1)}" for _ in range(5))  # noqa: E731
    write(base / "mind/behaviors.tsv", "".join(f"{n}\tU{n % 9}\t11/{1 + n % 28}/2019 9:05:58 AM\tN1 N2 N3 N4 N5 N6\t{shown(n)}\n" for n in range(1, 120)))
    write(base / "mind/news.tsv", "".join(f"N{i}\tnews\tx\tTitle {i}\tAbstract\thttp://x\t[]\t[]\n" for i in range(1, items + 1)))
    write(base / "exposures.csv", "user_id,item_id,clicked\n" + "".join(f"{u},i{i},{int(r > 3)}\n" for u, i, r, _ in rows[:300]))


SCENARIO = """name = 'All'
seed = 3
replications = 2
ticks = 3
slate = 4
metrics = ['acceptance_rate', 'gini', 'mean_rating']
[data]
path = 'gl'
holdout = 0.2
[population]
users = 12
min_history = 2
[user]
kind = 'parametric'
acceptance = 0.3
taste = 3.0
[arrival]
probability = 0.6
[session]
slates = 3
patience = 2
[engine]
chunk = 16
events = true
[[policy]]
kind = 'popular'
[[policy]]
kind = 'epsilon_greedy'
epsilon = 0.4
[[policy]]
kind = 'item_knn'
[[policy]]
kind = 'linucb'
[[policy]]
kind = 'mmr'
inner = { kind = 'ials' }
[[dynamic]]
kind = 'satiation'
strength = 0.5
half_life = 5
by = 'exposure'
[[dynamic]]
kind = 'churn'
hazard = 0.05
sensitivity = 3
[[dynamic]]
kind = 'new_users'
share = 0.2
until = 3
"""


def scenarios(base: Path) -> None:
    write(base / "all.toml", SCENARIO)
    short = "replications = 1\nticks = 2\nslate = 3\n[population]\nusers = 10\n"
    random_policy = "[[policy]]\nkind = 'random'\n"
    write(base / "mirror.toml", short + "[data]\npath = 'csv'\n[user]\nkind = 'mirror'\npath = 'mirror'\n" + random_policy)
    write(base / "language.toml", short.replace("users = 10", "users = 3") + "[data]\npath = 'gl'\n[user]\nkind = 'language'\npath = 'language'\nhistory = 3\nprobe = 3\n" + random_policy)
    write(base / "ranker.toml", short + "[data]\npath = 'items'\n[user]\nkind = 'parametric'\n[[policy]]\nkind = 'onnx'\npath = 'ranker'\n")


def world(base: Path, program: Program) -> None:
    data_sets(base)
    scenarios(base)
    shutil.copytree(FIXTURES / "language/llama", base / "language")
    write(base / "language/prompts.toml", PROMPTS)
    write(base / "language/template.toml", TEMPLATE)
    shutil.copytree(FIXTURES / "embedder", base / "embedder")
    shutil.copytree(ROOT / "models/sasrec", base / "ranker")
    card = tomlish(base / "ranker/card.toml", "items")
    # The ranker's items, without their publisher's names: it refuses them, or runs where the data set of its training is there.
    own = ROOT / ".recmirror/data/ml-100k"
    if own.is_dir():
        shutil.copytree(own, base / "items")
    else:
        write(base / "items/log.csv", "user_id,item_id\n" + "".join(f"{n % 9},{n}\n" for n in range(1, int(card) + 1)))
    must = lambda *words: program.must(base, *words)  # noqa: E731
    must("fit", "csv", "--out", "mirror", "--epochs", "1", "--scenes", "50", "--quiet")
    must("run", "all.toml", "--out", "run", "--quiet")
    must("import", "movielens", "gl", "--project", "p", "--name", "gl", "--quiet")
    write(base / "p/raws/gl_template.toml", TEMPLATE)
    must("scenes", "--project", "p", "--datasets", "gl", "--train", "20", "--eval", "12", "--history", "2-3", "--quiet")
    for strength in ("strong", "weak"):
        must("decide", "--project", "p", "--datasets", "gl", "--strength", strength, "--composed", "--decisions", "3", "--quiet")
        must("judge", "--project", "p", "--datasets", "gl", "--strength", strength, "--local", "language", "--prompts", "language/prompts.toml", "--quiet")
    must("distill", "--project", "p", "--datasets", "gl", "--keep", "8", "--quiet")


def tomlish(path: Path, key: str) -> str:
    found = re.search(rf"(?m)^{key} = (.+)$", path.read_text())
    return found.group(1) if found else "1"


# ---------------------------------------------------------------- mutations

FIELDS = ["", "0", "-1", "5", "1e39", "-1e308", "1e400", "nan", "inf", "x", " ", "1|2", "99999999999", "18446744073709551616", "é", "\u0000", '"', "=1+1", "\u001b[31m", "9" * 400]
VALUES = ["0", "1", "-1", "2", "99", "65536", "1e300", "nan", "-inf", "9223372036854775807", "0.5", "''", "'all'", "true", "[]", "{}", "[[1], 2]", "1979-05-27", "'../..'", "'/dev/zero'", "'random'", '"\\u0000"', "'" + "a" * 5_000 + "'"]
JSON_VALUES: list[object] = [None, 0, -1, 1e308, 2**63, 2**70, True, "", "x", "\u0000", "\u001b[2J", [], {}, [[]], ["x"] * 300, {"a": {"b": 1}}, "9" * 3_000, 0.1, "../../etc", -0.0]
TEMPLATES = ["{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}", "{{ 'a'|indent(10000000000) }}", "{{ '%10000000000d'|format(1) }}", "{{ " + "not " * 20_000 + "x }}", "{{ " + "-" * 20_000 + "1 }}", "{{ x" + "|upper" * 20_000 + " }}", "{{ missing.deep.er }}", "{% if", "{{ 1 / 0 }}", "{{ user }}", "{% set a = [1] %}{% for i in range(40) %}{% set a = a + a %}{% endfor %}{{ a|length }}", "{{ 'x' * 100000000000 }}", "{% include 'x' %}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"]


def bytes_of(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    place = draw.randrange(max(1, len(data)))
    kind = draw.randrange(9)
    if kind == 0 and data:
        data[place] ^= 1 << draw.randrange(8)
    elif kind == 1 and data:
        data[place] = draw.randrange(256)
    elif kind == 2:
        del data[place:]
    elif kind == 3:
        data[place:place] = bytes([draw.choice([0, 255, 9, 124, 10, 13, 0xC3, 0x80])]) * draw.choice([1, 1, 8, 4_000])
    elif kind == 4:
        del data[place : place + draw.choice([1, 4, 30, 400])]
    elif kind == 5:
        other = draw.randrange(max(1, len(data)))
        data[place:place] = data[other : other + draw.choice([4, 64, 2_000])]
    elif kind == 6:
        data[place : place + 8] = draw.choice([b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7])
    elif kind == 7:
        data[place:place] = b"9" * 400
    else:
        data = bytearray(draw.choice([b"", b"\xef\xbb\xbf" + content, b"\xff\xfe" + content, content * 2, b"\x1f\x8b" + content]))
    return bytes(data)


def lines_of(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(draw.randrange(len(lines)), lines[place])
    elif kind == 2:
        draw.shuffle(lines)
    else:
        separator = max((b"\t", b"|", b",", b"::"), key=lines[place].count)
        fields = lines[place].split(separator)
        fields[draw.randrange(len(fields))] = draw.choice(FIELDS).encode()
        lines[place] = separator.join(fields)
    return b"\n".join(lines)


def like(old: str) -> list[str]:
    """Values of the type of this one: they get further."""
    if re.fullmatch(r"-?[0-9]+", old):
        return ["0", "1", "2", "3", "7", "20", "99", "1000", "-1", "65536", str(int(old) + 1), str(2 * int(old))]
    if re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", old):
        return ["0.0", "0.001", "0.2", "0.5", "0.999", "1.0", "3.0", "20.0", "-1.0", "1e-300", "1e300"]
    return ["'popular'", "'random'", "'ials'", "'repeats'", "'uniform'", "'exposure'", "'log'", "'seeded'", "'csv'", "'mirror'", old]


def toml_of(content: bytes, draw: random.Random) -> bytes:
    lines = content.decode(errors="replace").split("\n")
    keyed = [place for place, line in enumerate(lines) if " = " in line]
    if keyed and draw.random() < 0.8:
        place = draw.choice(keyed)
        key, old = lines[place].split(" = ", 1)
        lines[place] = f"{key} = {draw.choice(like(old) if draw.random() < 0.8 else VALUES)}"
    else:
        place = draw.randrange(len(lines))
        draw.choice([lambda: lines.pop(place), lambda: lines.insert(place, draw.choice(["[x]", "[[policy]]", "= 3", "kind = 'x'", '"""', "é = 1", "a." * 3_000 + "b = 1", "x = " + "[" * 5_000])), lambda: lines.insert(0, lines[place])])()
    return "\n".join(lines).encode()


def json_of(content: bytes, draw: random.Random) -> bytes:
    """Changes a value somewhere in one line of JSON, or in the whole file."""
    lines = content.split(b"\n")
    whole = len([line for line in lines if line.strip()]) <= 1 or content.lstrip()[:2] in (b"{\n", b"{\r", b"[\n")
    place = 0 if whole else draw.randrange(len(lines))
    try:
        value = json.loads(content if whole else lines[place])
    except ValueError:
        return bytes_of(content, draw)
    spots: list[tuple[object, object]] = []

    def walk(node: object) -> None:
        for key, below in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            spots.append((node, key))
            walk(below)

    walk(value)
    if not spots:
        return bytes_of(content, draw)
    node, key = draw.choice(spots)
    kind = draw.randrange(4)
    if kind == 0:
        del node[key]  # type: ignore[attr-defined]
    elif kind == 1 and isinstance(node, list):
        node.extend(node[:] * draw.choice([1, 50]))
    else:
        node[key] = draw.choice(JSON_VALUES)  # type: ignore[index]
    text = json.dumps(value).encode()
    if whole:
        return text
    lines[place] = text
    return b"\n".join(lines)


def template_of(content: bytes, draw: random.Random) -> bytes:
    keys = [line.split(" = ")[0] for line in content.decode(errors="replace").split("\n") if " = " in line]
    if not keys or draw.random() < 0.3:
        return bytes_of(content, draw)
    key, text = draw.choice(keys), draw.choice(TEMPLATES)
    lines = content.decode(errors="replace").split("\n")
    return "\n".join(f"{key} = {json.dumps(text)}" if line.startswith(key + " = ") else line for line in lines).encode()


def mutate(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    name = path.name
    if name in ("template.toml", "prompts.toml") or name.endswith("_template.toml"):
        ways = [template_of]
    elif name.endswith(".toml"):
        ways = [toml_of, toml_of, toml_of, bytes_of]
    elif name.endswith((".json", ".jsonl")):
        ways = [json_of, json_of, json_of, bytes_of, lines_of]
    elif name.endswith((".onnx", ".npy", ".parquet", ".safetensors")):
        ways = [bytes_of]
    else:
        ways = [lines_of, lines_of, bytes_of]
    for _ in range(draw.choice([1, 1, 2, 3])):
        content = draw.choice(ways)(content, draw)
    path.write_bytes(content)


def rehash(folder: Path) -> None:
    """Lets a card name the hashes of the files as they are now, so that a damaged graph gets past it."""
    card = folder / "card.toml"
    if not card.is_file():
        return
    text = card.read_text(errors="replace")
    for path in folder.iterdir():
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        text = re.sub(rf'(\[files\."{re.escape(path.name)}"\]\nsha256 = )"[^"]*"', rf'\1"{digest}"', text)
        text = re.sub(rf'(file = "{re.escape(path.name)}"\nsha256 = )"[^"]*"', rf'\1"{digest}"', text)
    card.write_text(text)


# ---------------------------------------------------------------- what is run

SMALL = ["--set", "ticks=2", "--set", "replications=1", "--set", "population.users=8", "--set", "engine.memory_mb=1500"]
LANGUAGE = ["language/model.onnx", "language/tokenizer.json", "language/config.json", "language/tokenizer_config.json", "language/generation_config.json"]

# Kind, the files to damage (patterns), and the commands that read them.
KINDS: list[tuple[str, list[str], list[list[str]]]] = [
    ("scenario", ["all.toml"], [["scenario", "check", "all.toml"], ["run", "all.toml", "--out", "o", "--quiet", *SMALL]]),
    ("data", ["gl/*", "csv/*", "jsonl/*", "rb/*", "ml/*", "mind/*"], [["data", "@"], ["run", "all.toml", "--out", "o", "--quiet", "--set", "data.path=@", *SMALL]]),
    ("fit", ["gl/*", "csv/*", "jsonl/*", "rb/*"], [["fit", "@", "--out", "o", "--epochs", "1", "--scenes", "20", "--quiet"]]),
    ("import", ["gl/*"], [["import", "movielens", "@", "--project", "q", "--name", "x", "--quiet"]]),
    ("import tables", ["csv/*", "jsonl/*"], [["import", "tables", "@", "--project", "q", "--name", "x", "--quiet"]]),
    ("import lists", ["mind/*"], [["import", "mind", "@", "--project", "q", "--name", "x", "--least", "1", "--quiet"]]),
    ("card", ["mirror/card.toml", "ranker/card.toml"], [["run", "@.toml", "--out", "o", "--quiet"], ["align", "@", "csv", "--scenes", "20"]]),
    ("graph", ["mirror/*.onnx", "ranker/*.onnx"], [["run", "@.toml", "--out", "o", "--quiet"]]),
    ("vectors", ["mirror/vectors.npy", "mirror/vector_items.json", "mirror/encodings.json", "mirror/*.json"], [["run", "@.toml", "--out", "o", "--quiet"]]),
    ("language model", LANGUAGE, [["run", "language.toml", "--out", "o", "--quiet"], ["align", "language", "p/datasets/gl_eval.jsonl", "--quick", "--quiet"]]),
    ("encoder", ["embedder/*"], [["scenes", "--project", "p", "--datasets", "gl", "--embedder", "embedder", "--train", "5", "--eval", "5", "--quiet"]]),
    ("manifest", ["run/manifest.json"], [["replay", "run", "--logs-only", "--quiet"], ["replay", "run", "--quiet"], ["compare", "run"], ["story", "run", "--user", "3"], ["evaluate", "run", "--from", "epsilon_greedy", "--target", "popular", "--quiet", "--resamples", "50"]]),
    ("run folder", ["run/events/*", "run/*.csv", "run/*.json", "run/tables/*", "run/*"], [["replay", "run", "--logs-only", "--quiet"], ["compare", "run"], ["story", "run", "--user", "3"], ["evaluate", "run", "--from", "epsilon_greedy", "--target", "popular", "--quiet", "--resamples", "50"]]),
    ("scenes", ["p/datasets/gl_eval.jsonl"], [["align", "parametric", "@", "--data", "gl", "--quiet", "--quick"], ["align", "language", "@", "--quiet", "--quick", "--scenes", "4"], ["decide", "--project", "p", "--datasets", "gl", "--strength", "strong", "--composed", "--restart", "--decisions", "2", "--quiet"]]),
    ("raws", ["p/raws/*"], [["scenes", "--project", "p", "--datasets", "gl", "--train", "10", "--eval", "6", "--history", "2-3", "--quiet"]]),
    ("decisions", ["p/decisions/*", "p/datasets/gl_train.jsonl"], [["judge", "--project", "p", "--datasets", "gl", "--strength", "strong", "--restart", "--local", "language", "--prompts", "language/prompts.toml", "--quiet"], ["decide", "--project", "p", "--datasets", "gl", "--strength", "strong", "--composed", "--decisions", "3", "--quiet"]]),
    ("judged", ["p/probs/*", "p/datasets/*"], [["distill", "--project", "p", "--datasets", "gl", "--keep", "8", "--quiet"], ["export", "--project", "p", "--name", "gl", "--task", "choice", "--quiet"]]),
    ("templates", ["p/raws/gl_template.toml", "language/prompts.toml", "language/template.toml"], [["scenes", "--project", "p", "--datasets", "gl", "--train", "10", "--eval", "6", "--history", "2-3", "--quiet"], ["align", "language", "p/datasets/gl_eval.jsonl", "--quick", "--quiet", "--scenes", "4"], ["run", "language.toml", "--out", "o", "--quiet"]]),
    ("exposures", ["exposures.csv"], [["validate", "parametric", "--data", "csv", "--exposures", "exposures.csv", "--resamples", "40"], ["validate", "mirror", "--data", "csv", "--exposures", "exposures.csv", "--resamples", "40"]]),
]


class Program:
    """The binary under a limit of time and memory."""

    def __init__(self, binary: Path, seconds: float) -> None:
        self.binary, self.seconds = binary, seconds

    def run(self, folder: Path, words: list[str]) -> tuple[int | None, float, int, str]:
        """Exit code (None after a timeout, negative for a signal), seconds, peak memory in bytes, and what was printed on stderr."""
        begun = time.monotonic()
        with open(folder / ".stderr", "w+b") as errors, open(folder / ".stdout", "w+b") as output:
            child = subprocess.Popen([str(self.binary), *words], cwd=folder, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
            timer = threading.Timer(self.seconds, child.kill)
            timer.start()
            _, status, usage = os.wait4(child.pid, 0)
            timer.cancel()
            child.returncode = 0
            took = time.monotonic() - begun
            code: int | None = os.waitstatus_to_exitcode(status)
            if code == -signal.SIGKILL and took >= self.seconds:
                code = None
            errors.seek(0)
            return code, took, usage.ru_maxrss * 1024, errors.read(200_000).decode(errors="replace")

    def must(self, folder: Path, *words: str) -> None:
        code, _, _, errors = self.run(folder, list(words))
        if code != 0:
            sys.exit(f"error: the world cannot be made: {' '.join(words)} ended with {code}\n{errors}")


def fault(code: int | None, peak: int, errors: str, most: int) -> str | None:
    if code is None:
        return "a hang"
    if code < 0:
        return f"the signal {signal.Signals(-code).name}"
    if code not in (0, 1, 2, 3):
        return f"the exit code {code}"
    if "panicked at" in errors or "RUST_BACKTRACE" in errors or "stack overflow" in errors:
        return "a panic"
    if peak > most:
        return f"{peak / 1e6:.0f} MB of memory"
    if code != 0 and not errors.strip():
        return "a failure without a message"
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in errors):
        return "a control character on stderr"
    return None


def place_of(pattern_base: Path, path: Path) -> str:
    return path.relative_to(pattern_base).parts[0]


def one(base: Path, folder: Path, program: Program, kind: int, draw: random.Random) -> tuple[list[str], str, tuple[int | None, float, int, str]]:
    name, patterns, commands = KINDS[kind]
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(base, folder, copy_function=os.link, ignore=shutil.ignore_patterns("items") if name not in ("card", "graph") else None)
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    path = draw.choice(found)
    content = path.read_bytes()
    # Everything else is linked to the world's own files; this one gets a body of its own.
    for other in folder.rglob("*"):
        if other.is_file() and (other == path or other.parent == path.parent or "datasets" in other.parts or "run" in other.parts or "p" in other.parts):
            body = other.read_bytes()
            other.unlink()
            other.write_bytes(body)
    path.write_bytes(content)
    mutate(path, draw)
    first = place_of(folder, path)
    if name in ("graph", "vectors"):
        rehash(path.parent)
    target = str(path.relative_to(folder)) if name == "scenes" else first
    words = [word.replace("@", target) for word in draw.choice(commands)]
    return words, str(path.relative_to(folder)), program.run(folder, words)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--binary", type=Path, default=ROOT / "target/release/recmirror")
    arguments.add_argument("--count", type=int, default=1_000, help="mutations")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=120, help="of a command at most")
    arguments.add_argument("--memory-mb", type=float, default=2_048, help="peak of a command at most")
    arguments.add_argument("--work", type=Path, default=Path("fuzz/artifacts/whole"), help="folder of the world and of findings")
    arguments.add_argument("--kind", help="only this kind")
    chosen = arguments.parse_args()
    work = chosen.work.resolve()
    base = work / "world"
    if work.exists():
        shutil.rmtree(work)
    base.mkdir(parents=True)
    program = Program(chosen.binary.resolve(), chosen.seconds)
    world(base, program)
    kinds = [place for place, kind in enumerate(KINDS) if chosen.kind in (None, kind[0])]
    codes: dict[str, Counter[str]] = {KINDS[kind][0]: Counter() for kind in kinds}
    findings, slowest, largest, ran = 0, 0.0, 0, 0
    for number in range(chosen.count):
        draw = random.Random(chosen.seed * 1_000_003 + number)
        kind = kinds[number % len(kinds)]
        folder = work / "now"
        words, path, (code, took, peak, errors) = one(base, folder, program, kind, draw)
        codes[KINDS[kind][0]][str(code)] += 1
        slowest, largest = max(slowest, took), max(largest, peak)
        ran += code == 0
        problem = fault(code, peak, errors, int(chosen.memory_mb * 1e6))
        if problem is not None:
            findings += 1
            kept = work / f"finding-{number}"
            folder.rename(kept)
            print(f"finding {number}: {problem} after {took:.1f} s: {path}: recmirror {' '.join(words)}\n  in {kept}\n  {errors.strip()[-300:]}", flush=True)
    for name, counts in codes.items():
        print(f"{name:<16}" + "  ".join(f"{code}: {count}" for code, count in sorted(counts.items())))
    print(f"{chosen.count} mutations, {ran} of them ran to the end, {findings} findings; the slowest took {slowest:.1f} s, the largest {largest / 1e6:.0f} MB")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
