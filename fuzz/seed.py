#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, `fuzz/corpus/TARGET/`, from files of the project: `python3 fuzz/seed.py`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
FIXTURES = ROOT / "tests" / "fixtures"


def put(target: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def data() -> None:
    log = "user_id,item_id,rating,timestamp\n1,a,5,880000000\n1,b,3,880000100\n2,a,4,2020-01-19T03:00:00+01:00\n"
    items = "item_id,title,genres,year\na,One,Drama|War,1990\nb,Two,Comedy,1991\n"
    users = "user_id,age,gender\n1,30,F\n2,40,M\n"
    inter = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\ta\t5\t880000000\n2\tb\t3\t880000100\n"
    item = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\na\tOne\t1990\tDrama War\nb\tTwo\t1991\tWar\n"
    user = "user_id:token\tage:token\tgender:token\toccupation:token\n1\t30\tF\tartist\n2\t40\tM\twriter\n"
    flags = "|".join(["0"] * 18 + ["1"])
    forms = [
        [log, items, users],
        [
            '{"user_id": 1, "item_id": "a", "rating": 5, "timestamp": 880000000}\n{"user_id": 2, "item_id": "b", "clicked": 1}\n',
            '{"item_id": "a", "title": "One", "tags": ["x", "y"]}\n',
        ],
        [inter, item, user],
        ["1\t1\t5\t880000000\n2\t1\t3\t880000100\n", f"1|One (1990)|01-Jan-1990||http://x|{flags}\n", "1|30|F|artist|0\n2|40|M|writer|0\n"],
        ["userId,movieId,rating,timestamp\n1,1,4.5,880000000\n2,1,0.5,880000001\n", "movieId,title,genres\n1,One (1990),Drama|War\n"],
        ["1::1::5::880000000\n", "1::One (1990)::Drama|War\n", "1::F::25::10::48067\n"],
        ["1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN3-1 N4-0\n", "N1\tnews\tx\tTitle\tAbstract\thttp://x\t[]\t[]\n"],
    ]
    for form, files in enumerate(forms):
        put("data", bytes([form]) + b"\0".join(file.encode() for file in files))


def main() -> None:
    for path in sorted((ROOT / "scenarios").glob("*.toml")):
        put("scenario", path.read_bytes())
    small = "data.path = 'x'\nticks = 3\n[user]\nkind = 'parametric'\n[[policy]]\nkind = 'random'\n[[dynamic]]\nkind = 'churn'\n"
    put("scenario", small.encode())
    for path in sorted((ROOT / "models").glob("*/card.toml")):
        put("card", path.read_bytes())
    for path in [*sorted((ROOT / "models").glob("*/*.onnx")), *sorted(FIXTURES.glob("**/*.onnx"))]:
        if path.stat().st_size < 200_000:
            put("graph", path.read_bytes())
    for path in sorted((ROOT / "runs").glob("*/manifest.json")):
        put("manifest", path.read_bytes())
    put("manifest", json.dumps({"version": 1, "scenario": small, "trials": [], "seed": 1}).encode())
    data()
    for path in sorted(FIXTURES.glob("distill/**/*.jsonl")):
        text = path.read_bytes()
        put("scenes", text[:20_000])
        put("decisions", text[:20_000])
    scene = {"user_id": "1", "text": {"profile": "p", "history": "h", "action_list": ["a", "b"]}, "impression_list": ["1", "2"]}
    put("scenes", (json.dumps(scene) + "\n").encode())
    body = {"choices": [{"message": {"content": "Thought\nBehavior: [A]"}}]}
    answer = {"custom_id": "d-0", "response": {"status_code": 200, "body": body}}
    put("decisions", (json.dumps(answer) + "\n").encode())
    for text in [
        "{{ item.title|words(2) }}{% if age_days is not none and age_days <= 365 %} (new){% endif %}",
        "{% for option in options %}[{{ option.letter }}] {{ option.text }}\n{% endfor %}{{ letters }}",
        "{% set ns = namespace(n=0) %}{% for tag in features.tags %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "{% macro f(x) %}{{ x|upper }}{% endmacro %}{{ f('a') ~ f('b') }}{{ [1, 2]|tojson(indent=2) }}",
    ]:
        put("templates", text.encode())
    print(f"wrote {CORPUS}")


if __name__ == "__main__":
    main()
