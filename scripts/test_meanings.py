"""Tests of meanings.py: two runs as files, and what changes between them."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import meanings

SUMMARY = "policy,metric,mean,ci_low,ci_high,replications\n"


def write(folder: Path, means: dict[str, float], pairs: str) -> meanings.Conclusions:
    rows = "".join(f"{name},acceptance_rate,{mean},0,1,3\n{name},gini,0.5,0,1,3\n" for name, mean in means.items())
    (folder / "summary.csv").write_text(SUMMARY + rows, encoding="utf-8")
    (folder / "pairs.csv").write_text("metric,policy_a,policy_b,difference,t_low,t_high\n" + pairs, encoding="utf-8")
    return meanings.read(folder)


class Meanings(unittest.TestCase):
    def test_conclusions_that_hold_turn_round_and_appear_are_told(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            take = write(
                folder,
                {"a": 0.5, "b": 0.4, "c": 0.3},
                "acceptance_rate,a,b,0.1,0.05,0.15\nacceptance_rate,c,a,-0.2,-0.25,-0.15\ngini,a,b,1,1,1\n"
                "acceptance_rate,b,c,0.1,-0.05,0.2\n",
            )
            like = write(
                folder,
                {"a": 0.3, "b": 0.4, "c": 0.2},
                "acceptance_rate,b,a,0.1,0.05,0.15\nacceptance_rate,a,c,0.1,0.05,0.15\nacceptance_rate,c,b,-0.2,-0.3,-0.1\n",
            )
        self.assertEqual(meanings.order(take), "a 50.0, b 40.0, c 30.0")
        held, told = meanings.changes(take, like)
        self.assertEqual(held, "1 of 2")
        self.assertEqual(told, "a over b reverses; b over c only when liked")
        unsure = like._replace(pairs={})
        self.assertIn("a over b is no longer sure", meanings.changes(take, unsure)[1])
        self.assertEqual(meanings.changes(unsure, unsure), ("0 of 0", "nothing"))


if __name__ == "__main__":
    unittest.main()
