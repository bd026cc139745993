"""The example notebook: its cells are Python, and it carries no output of anybody's machine."""

import json
import re
import unittest
from pathlib import Path

NOTEBOOK = Path(__file__).parent.parent / "examples/read_run.ipynb"


class NotebookTest(unittest.TestCase):
    def test_cells_compile_and_read_tables_that_a_run_has(self) -> None:
        cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        self.assertGreater(len(code), 2)
        for number, source in enumerate(code):
            compile(source, f"cell {number}", "exec")
        metrics = (NOTEBOOK.parent.parent / "docs/reference/metrics.md").read_text(encoding="utf-8")
        named = [name for source in code for name in re.findall(r'table\("(\w+)"\)', source)]
        self.assertGreater(len(named), 2)
        for name in named:
            self.assertIn(f"\n| `{name}` | ", metrics)

    def test_no_output_is_stored(self) -> None:
        cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
        self.assertEqual([cell["outputs"] for cell in cells if cell.get("outputs")], [])


if __name__ == "__main__":
    unittest.main()
