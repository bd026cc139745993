#!/usr/bin/env python3
"""How many letter questions a second on a warm memory: recmirror and llama.cpp, the same model at 8 bit, the same texts.

    make lm && cargo bench --bench language --no-run
    python3 scripts/serve_smollm2.py --port 0   # once, until it answers: it fetches llama.cpp and the GGUF file
    .recmirror/smollm2/bin/python -m pip install --quiet gguf==0.17.1 numpy==2.4.6
    .recmirror/smollm2/bin/python benches/peers/llama.py

Each of 16 users has a memory of about 220 tokens (system, profile, history), which both programs have read; then every
user is shown lists of five, a new one each round, and both tell the probability of the letters. They take turns, round by
round, on all cores. llama.cpp keeps a slot for each user (`id_slot`, `cache_prompt`), so that its own prefix cache always
hits; it serves the GGUF file with its 4-bit weights unpacked and stored at 8 bit (Q8_0), recmirror `models/lm-base` at 8 bit
and, beside it, at 32 bit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import serve_smollm2  # noqa: E402

SYSTEM = "You take the place of one user of a recommender system. Say which option you take next."
#: Both ways in which `models/lm-base` stores its weights.
GRAPHS = {"8 bit": "model_int8.onnx", "32 bit": "model.onnx"}
GENRES = ["Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller", "War", "Western"]
NAMES = ["Harbour", "Winter", "Letter", "Garden", "Station", "Mirror", "Island", "Captain", "Sister", "Engine"]


def film(draw: random.Random) -> str:
    title = f"The {draw.choice(NAMES)} of {draw.choice(NAMES)} ({draw.randint(1930, 1998)})"
    return f"{title} {', '.join(sorted(draw.sample(GENRES, 2)))}"


def conversation(user: int, round_: int) -> list[dict[str, str]]:
    memory, screen = random.Random(user), random.Random(1000 * user + round_)
    history = "\n".join(f"{film(memory)}: {memory.randint(1, 5)}" for _ in range(10))
    options = "\n".join(f"[{letter}] {film(screen)}" for letter in "ABCDE")
    text = f"male, age {20 + user}, writer\nHistory:\n{history}\nOptions:\n{options}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def rendered(messages: list[dict[str, str]]) -> str:
    """The chat template of SmolLM2, and the beginning of the answer."""
    turns = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages)
    return turns + "<|im_start|>assistant\nBehavior: ["


def eight_bits(source: Path, target: Path) -> None:
    """The GGUF file with every matrix stored as Q8_0."""
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kinds = field.types
            sub = kinds[1] if kinds[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kinds[0], sub_type=sub)
    for tensor in reader.tensors:
        values = np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
        if values.ndim < 2:
            writer.add_tensor(tensor.name, values)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor.name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def peak(pid: int | str) -> float:
    """MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class Llama:
    """llama.cpp's server, in a process of its own."""

    def __init__(self, model: Path, users: int, threads: int) -> None:
        code = (
            "import sys, xllamacpp as x, signal\n"
            "p = x.CommonParams(); p.model.path = sys.argv[1]; p.hostnames = ['127.0.0.1']; p.port = 0\n"
            "p.n_parallel = int(sys.argv[2]); p.n_ctx = 1024 * p.n_parallel; p.kv_unified = False\n"
            "p.cpuparams.n_threads = p.cpuparams_batch.n_threads = int(sys.argv[3])\n"
            "s = x.Server(p); print(s.listening_address, flush=True); signal.pause()\n"
        )
        command = [sys.executable, "-c", code, str(model), str(users), str(threads)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        self.pool = ThreadPoolExecutor(users)

    def ask(self, user: int, text: str, **more) -> dict:
        body = {"prompt": text, "n_predict": 1, "n_probs": 26, "cache_prompt": True, "id_slot": user, "temperature": 0}
        request = urllib.request.Request(
            f"{self.address}/completion", json.dumps(body | more).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def round(self, texts: list[str]) -> tuple[float, list[dict]]:
        start = time.perf_counter()
        answers = list(self.pool.map(lambda pair: self.ask(*pair), enumerate(texts)))
        return time.perf_counter() - start, answers

    def speeds(self, text: str) -> tuple[float, float]:
        """Tokens a second: read without a cache, and written after it."""
        timings = self.ask(0, text, n_predict=64, cache_prompt=False, ignore_eos=True)["timings"]
        return timings["prompt_per_second"], timings["predicted_per_second"]


class Mirror:
    """The bench `language` as a server of rounds: a line of conversations in, a line of seconds and letters out."""

    def __init__(self, program: Path, threads: int, graph: str) -> None:
        command = [str(program), "--rounds", str(threads), graph]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, value: dict) -> dict:
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the bench ended; is models/lm-base there (make lm)?")
        return json.loads(line)


def bench_program() -> Path:
    found = [path for path in (ROOT / "target/release/deps").glob("language-*") if path.suffix == ""]
    if not found:
        raise SystemExit("build it first: cargo bench --bench language --no-run")
    return max(found, key=lambda path: path.stat().st_mtime)


def shares_of(answer: dict) -> list[float]:
    """The probabilities of the letters A to E, scaled to sum to 1."""
    top = answer["completion_probabilities"][0]["top_logprobs"]
    found = {entry["token"]: math.exp(entry["logprob"]) for entry in top}
    total = sum(found.get(letter, 0.0) for letter in "ABCDE")
    return [found.get(letter, 0.0) / total for letter in "ABCDE"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Letter questions a second: recmirror and llama.cpp.")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "q8_0.gguf"
        eight_bits(serve_smollm2.model(), model)
        llama = Llama(model, arguments.users, arguments.threads)
        mirrors = {name: Mirror(bench_program(), arguments.threads, graph) for name, graph in GRAPHS.items()}
        try:
            compare(llama, mirrors, arguments)
        finally:
            for program in [llama, *mirrors.values()]:
                program.process.kill()
    return 0


def compare(llama: Llama, mirrors: dict[str, Mirror], arguments: argparse.Namespace) -> None:
    theirs: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in mirrors}
    apart: dict[str, list[float]] = {name: [] for name in mirrors}
    for round_ in range(arguments.rounds + 1):
        talks = [conversation(user, round_) for user in range(arguments.users)]
        seconds, answers = llama.round([rendered(talk) for talk in talks])
        found = {name: mirror.say({"rounds": [{"messages": talk, "options": 5} for talk in talks]}) for name, mirror in mirrors.items()}
        if round_ == 0:
            # The first round reads the memories.
            continue
        theirs.append(seconds)
        for name, said in found.items():
            ours[name].append(said["seconds"])
            for answer, shares in zip(answers, said["letters"], strict=True):
                apart[name] += [abs(one - other) for one, other in zip(shares_of(answer), shares, strict=True)]
    read, written = llama.speeds(rendered(conversation(99, 0)))
    print(f"{arguments.users} users, {arguments.rounds} rounds, {arguments.threads} threads")
    per_second = arguments.users / statistics.median(theirs)
    print(f"  llama.cpp, 8 bit: {per_second:.1f} letter questions/s (median of rounds); peak memory {peak(llama.process.pid):.0f} MiB")
    print(f"    one text: read {read:.0f}, written {written:.0f} tokens/s")
    for name, mirror in mirrors.items():
        tokens = mirror.say({"speeds": conversation(99, 0)})
        ratios = [one / other for one, other in zip(theirs, ours[name], strict=True)]
        per_second = arguments.users / statistics.median(ours[name])
        print(f"  recmirror, {name}: {per_second:.1f} letter questions/s; peak memory {peak(mirror.process.pid):.0f} MiB")
        print(f"    {statistics.median(ratios):.2f} times llama.cpp's (median of pairs; {min(ratios):.2f} to {max(ratios):.2f})")
        print(f"    one text, one thread: read {tokens['read']:.0f}, written {tokens['written']:.0f} tokens/s")
        print(f"    probabilities of letters differ by {statistics.mean(apart[name]):.3f} on average (llama.cpp rounds activations)")


if __name__ == "__main__":
    sys.exit(main())
