"""Import this before JAX: it computes on one thread, so that the same run gives the same bytes."""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_cpu_multi_thread_eigen=false",  # one thread: sums in one order, hence equal bytes
    ]
).strip()

# The flag alone is not enough: XLA cuts loops by the number of processors it sees, and sums in another order then.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
