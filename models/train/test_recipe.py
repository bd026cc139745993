"""Tests of `recipe.sh`: which steps it takes for which data sets, with programs that only note how they are called.

Run with `python -m pytest` or `python test_recipe.py`; nothing is fetched or trained.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LISTS = 7
#: It stands for recmirror and for Python: it notes a call, and makes the folder or the file that comes out of it.
PROGRAM = """#!/bin/sh
echo "$*" | sed "s|$HERE/||g" >> "$CALLS"
case "$*" in *$FAILS*) exit 3 ;; esac
last=""
for word in "$@"; do
  case "$last" in
    --out) out=$word ;;
    --project) project=$word ;;
    --name) name=$word ;;
  esac
  last=$word
done
case "$1 $2" in
  import*) mkdir -p "$project/raws"; echo old > "$project/raws/${name}_template.toml" ;;
  scenes*) mkdir -p "$project/datasets" ;;
  export*) touch "$out" ;;
  */moments.py*) mkdir -p "$out"; touch "$out/1.jsonl" "$out/3.jsonl" ;;
  */join.py*) mkdir -p "$out/moments"; touch "$out/moments/3.jsonl" ;;
  */sft.py* | */heads.py* | */dpo.py*) mkdir -p "$out/adapter" ;;
  */checkpoint.py*) mkdir -p "$out" ;;
esac
"""


def recipe(
    folder: Path, *arguments: str, configs: str = "configs/several", fails: str = "nothing at all"
) -> tuple[int, list[str], str]:
    """Runs the recipe in `folder/work`; gives its exit code, the calls that it made, and what it said on stderr."""
    program, calls = folder / "program", folder / "calls"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    calls.write_text("")
    (folder / "texts").mkdir(exist_ok=True)
    (folder / "texts/a.toml").write_text("own")
    own = {"RECMIRROR": str(program), "PYTHON": str(program), "CALLS": str(calls), "FAILS": fails, "HERE": str(HERE)}
    own |= {"TEXTS": str(folder / "texts"), "CONFIGS": str(HERE / configs), "GGUF": "x.gguf"}
    command = ["sh", str(HERE / "recipe.sh"), str(folder / "work"), *arguments]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    return done.returncode, calls.read_text().splitlines(), done.stderr


def named(calls: list[str], program: str) -> list[str]:
    return [call for call in calls if call.startswith(program)]


def test_several_data_sets_give_one_adapter(tmp_path: Path) -> None:
    code, calls, said = recipe(tmp_path, "a=some/log", "b=other/log@20")
    assert code == 0, said
    work = tmp_path / "work"
    assert [call.split()[:3] for call in named(calls, "import")] == [
        ["import", "auto", "some/log"],
        ["import", "auto", "other/log"],
    ]
    assert [call.split()[-1] for call in named(calls, "frequent.py")] == ["0", "20"]
    assert len(named(calls, "scenes")) == len(named(calls, "export")) == 2 * LISTS
    taught = named(calls, "teacher.py")
    assert ["--name a" in call and f"{work}/b" not in call for call in taught] == [True, False], (
        "a teacher of each log alone"
    )
    [joined] = named(calls, "join.py")
    assert f"--parts {work}/a {work}/b " in joined
    stages = [call.split("--out ")[1].split()[0] for call in calls if call.startswith(("sft.py", "heads.py"))]
    assert [Path(stage).name for stage in stages] == ["catalogue", "context", "heads", "attention", "letters", "sft"]
    # The form of a data set that has no texts of its own stays.
    texts = [(work / name / f"log/raws/{name}_template.toml").read_text().strip() for name in "ab"]
    assert texts == ["own", "old"]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    code, calls, _ = recipe(tmp_path, "a=some/log", fails="letters")
    assert code == 3 and named(calls, "heads.py")
    assert [call for call in named(calls, "sft.py") if "/sft" in call.split("--out")[1]] == []
    code, calls, said = recipe(tmp_path, "a=some/log")
    assert code == 0, said
    assert [call.split()[0] for call in calls] == ["heads.py", "sft.py"]


def test_a_data_set_that_is_left_out_gets_lists_alone(tmp_path: Path) -> None:
    code, calls, said = recipe(tmp_path, "a=some/log", "lists")
    assert code == 0, said
    assert {call.split()[0] for call in calls} == {"import", "frequent.py", "scenes", "export"}
    assert len(named(calls, "scenes")) == LISTS


def test_stages_are_those_that_the_settings_name(tmp_path: Path) -> None:
    _, calls, _ = recipe(tmp_path, "a=some/log", configs="configs")
    [letters] = [call for call in named(calls, "heads.py") if "--letters" in call]
    assert "--adapter " + str(tmp_path / "work/deeper/adapter") in letters


def test_preferences_are_of_all_data_sets(tmp_path: Path) -> None:
    _, calls, said = recipe(tmp_path, "a=some/log", "b=other/log", "dpo", configs="configs")
    [last] = named(calls, "dpo.py")
    assert all(f"{tmp_path}/work/{name}/rotated.jsonl" in last for name in "ab"), said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a data set"),
        (("dpo",), "name a data set"),
        (("a=b", "dp"), "neither NAME=PATH"),
        (("a=b c",), "must not have a space"),
    ],
)
def test_wrong_arguments_are_told(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    code, calls, said = recipe(tmp_path, *arguments)
    assert code == 2 and problem in said and not calls


def test_the_code_names_no_data_set() -> None:
    for path in [
        *HERE.glob("*.sh"),
        *HERE.glob("further/*.sh"),
        *(one for one in HERE.glob("*.py") if not one.name.startswith("test_")),
    ]:
        words = path.read_text(encoding="utf-8").lower().replace("movielens.toml", "")
        found = [word for word in ("film", "movie", "ml-100k") if word in words]
        assert not found, f"{path.name}: {found}"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
