"""A program that measures on request: one line in, seconds and a count out.

It prints `ready` first, with its number of threads where it has some. What libraries print while they load is passed over.
"""

import subprocess
from pathlib import Path


class MeasuredProcess:
    """A running program of this kind."""

    def __init__(self, command, folder=None):
        self.name = Path(command[0]).name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)
        for line in iter(self.process.stdout.readline, ""):
            words = line.split()
            if words[:1] == ["ready"]:
                self.threads = int(words[1]) if len(words) > 1 else None
                return
        raise RuntimeError(f"{self.name} did not start: {' '.join(command)}")

    def measure(self, line=""):
        """How many a second; `line` says of what."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            raise RuntimeError(f"{self.name} answered {' '.join(answer)!r} to {line!r}; expected seconds and a count")
        seconds, count = map(float, answer)
        return count / seconds

    def close(self):
        """Ends the program."""
        self.process.stdin.close()
        self.process.wait()
