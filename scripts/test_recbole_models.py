"""Tests of recbole_models.py that need no RecBole: logs, files, measures and intervals."""

from __future__ import annotations

import math
import tempfile
import unittest
from pathlib import Path

import recbole_models

LOG = recbole_models.Log({"u": ["a", "b", "c"], "v": ["a", "d"]}, {"u": ["x"]}, {"u": {"d", "e"}})


class RecBoleModels(unittest.TestCase):
    def test_a_log_is_read_with_its_sources(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            rows = "user_id,item_id,rating,timestamp,source\nu,a,4,1,log\nu,b,3,2,log\nu,x,5,3,added\n"
            (folder / "interactions.csv").write_text(rows, encoding="utf-8")
            (folder / "held_out.csv").write_text("user_id,item_id,rating,timestamp\nu,d,1,9\n", encoding="utf-8")
            log = recbole_models.read(folder)
        self.assertEqual(log, recbole_models.Log({"u": ["a", "b"]}, {"u": ["x"]}, {"u": {"d"}}))

    def test_the_last_own_row_stops_training_and_no_addition_does(self) -> None:
        found = recbole_models.parts(LOG, sequential=False)
        self.assertEqual(found, {"train": ["u\ta", "u\tb", "u\tx", "v\ta", "v\td"], "valid": ["u\tc"]})

    def test_sequences_end_with_their_target(self) -> None:
        found = recbole_models.parts(LOG, sequential=True)
        self.assertEqual(found, {"train": ["u\ta\tb", "u\ta b\tx", "v\ta\td"], "valid": ["u\ta b\tc"]})

    def test_measures_by_hand(self) -> None:
        found = recbole_models.ranked(["z", "d", "y", "w", "v", "e"], {"d", "e", "f"})
        discount = [1 / math.log2(place + 2) for place in range(6)]
        best = sum(discount[:3])
        expected = [1 / 3, discount[1] / best, 0.5, 2 / 3, (discount[1] + discount[5]) / best, 0.5]
        for number, wanted in zip(found, expected, strict=True):
            self.assertAlmostEqual(number, wanted)
        self.assertEqual(recbole_models.ranked(["z"], {"d"}), [0.0] * 6)

    def test_gains_are_paired_by_user(self) -> None:
        plain, other = [[0.1] * 6, [0.3] * 6], [[0.2] * 6, [0.4] * 6]
        self.assertEqual(recbole_models.mean_over([plain, other]), [[0.15000000000000002] * 6, [0.35] * 6])
        row = recbole_models.gains(plain, other, 4)[0]
        self.assertEqual(row, "recall@5,2,0.20000,0.30000,0.10000,0.10000,0.10000,50.0")


if __name__ == "__main__":
    unittest.main()
