"""What the machine of a training does well, and what it has to be told."""

from __future__ import annotations

import ctypes
from pathlib import Path

#: Numbers of glibc's `mallopt`.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
MEBI = 1 << 20


def has_bf16() -> bool:
    """Whether this processor multiplies in bf16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def keep_memory() -> bool:
    """Keeps freed memory for the next tensor; whether the C library could be told. glibc gives large blocks back to the system,
    and every update then waits for the same pages to be cleared again: that nearly doubled the time of one."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    # 32 MiB is the largest block that glibc can be kept from mapping by itself; `mallopt` takes an `int`.
    wanted = {MMAP_THRESHOLD: 32 * MEBI, TRIM_THRESHOLD: 2048 * MEBI - 1, TOP_PAD: 256 * MEBI}
    return all([mallopt(name, value) for name, value in wanted.items()])
