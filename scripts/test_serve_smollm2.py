"""Tests of serve_smollm2.py that need neither the server nor the network."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent


class ServeTest(unittest.TestCase):
    def test_a_taken_port_is_told_in_one_line(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            command = [sys.executable, str(SCRIPTS / "serve_smollm2.py"), "--port", port]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(answer.returncode, 2, answer.stderr)
        self.assertRegex(answer.stderr, rf"^error: cannot listen at port {port} .*--port, or 0\n$")

    def test_every_package_is_pinned_with_hashes(self) -> None:
        pins = (SCRIPTS / "serve_smollm2.txt").read_text(encoding="utf-8")
        wanted = re.findall(r"^\S+==\S+$", (SCRIPTS / "serve_smollm2.in").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(len(wanted), 2)
        for package in wanted:
            self.assertRegex(pins, rf"(?m)^{re.escape(package)} \\\n +--hash=sha256:[0-9a-f]{{64}}")


if __name__ == "__main__":
    unittest.main()
