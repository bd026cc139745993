"""The command `recmirror`."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> None:
    """Runs the command line of this process."""
    # The program handles Ctrl-C itself: it keeps what is simulated so far.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.main(["recmirror", *sys.argv[1:]]))
