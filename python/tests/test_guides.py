"""The Python of the documentation: every block compiles, those marked `python run` are executed, page by page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import recmirror as rm
from shop import table

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "python/README.md"])
SCENARIO = """
data.path = "."
ticks = 3
slate = 3
replications = 2
population.users = 100
policy = [{ kind = "popular" }, { kind = "random" }]
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """(mark, text) of the Python blocks of a page."""
    return re.findall(r"^```python ?(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_the_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(page.read_text(encoding="utf-8"))
    scenario = tmp_path / "guide.toml"
    scenario.write_text(SCENARIO)
    names = {"data": rm.Dataset(table(), name="shop"), "scenario": str(scenario)}
    for number, (mark, text) in enumerate(found, 1):
        code = compile(text, f"{page.name}, block {number}", "exec")
        assert mark in ("", "run"), f"{page.name}, block {number}: `{mark}` is no mark"
        if mark == "run":
            exec(code, names)


def test_guides_are_executed() -> None:
    marks = [mark for page in PAGES for mark, _ in blocks(page.read_text(encoding="utf-8"))]
    assert marks.count("run") >= 6


def test_a_wrong_block_would_be_found() -> None:
    [(mark, text)] = blocks("```python run\nimport recmirror as rm\nrm.NoSuchThing\n```\n")
    assert mark == "run"
    with pytest.raises(AttributeError):
        exec(compile(text, "block", "exec"), {})
