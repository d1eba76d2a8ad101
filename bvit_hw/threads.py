"""How many cores there are for us, how many threads PyTorch gets, and how these wait for each other."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

#: how threads of OpenMP wait: asleep, after looking so often whether their turn has come. By default GNU's OpenMP,
#: which PyTorch brings, looks 300,000 times and keeps the core busy meanwhile.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
#: with any of these the user has decided how threads wait (the last one is of Intel's and LLVM's OpenMP)
_DECIDED = (*_WAITING, "KMP_BLOCKTIME")
#: pixels along a side up to which an image's tensors are too small to be shared out
_SMALL = 64
#: where control groups (of containers, batch systems, services) say how much of the processors' time there is
_CGROUPS = Path("/sys/fs/cgroup")


def wait_passively(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenMP's threads soon sleep when they wait for each other; to be called before PyTorch is imported.

    By default they keep the cores busy, and a step takes many times as long where another program wants one of them
    (benchmarks/thread_waiting.py). Where the user has set one of OMP_WAIT_POLICY, GOMP_SPINCOUNT and KMP_BLOCKTIME,
    nothing is changed. Child processes inherit it.
    """
    if not any(name in environment for name in _DECIDED):
        environment.update(_WAITING)


def choose_threads(threads: int | None = None, image_size: int | None = None, *, why: str = "as asked for") -> str:
    """Set PyTorch's threads and say what was chosen and why.

    ``threads`` where given, for the reason ``why``; else one for images up to 64 x 64 pixels (``image_size``, their
    side), whose tensors gain nothing from more; else OMP_NUM_THREADS or all cores that there are for us.
    """
    import torch

    if threads is not None:
        pass
    elif image_size is not None and image_size <= _SMALL:
        threads, why = 1, f"images of {image_size} x {image_size} gain nothing from more"
    elif "OMP_NUM_THREADS" in os.environ:
        threads, why = torch.get_num_threads(), "OMP_NUM_THREADS"
    else:
        threads = min(torch.get_num_threads(), usable_cores())
        why = "the cores there are"
    torch.set_num_threads(threads)
    return f"{threads} CPU {'thread' if threads == 1 else 'threads'} ({why})"


def usable_cores() -> int:
    """Cores that this process may run on: in a container, a batch job or under taskset fewer than the machine has."""
    return max(1, min(len(os.sched_getaffinity(0)), _quota(_CGROUPS)))


def _quota(root: Path) -> int:
    """Cores' worth of time that control groups leave us, rounded up; a large number where they say nothing."""
    for folder in (root, root / "cpu"):
        try:
            if (folder / "cpu.max").is_file():  # version 2: "QUOTA PERIOD" or "max PERIOD", microseconds
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota, period = ((folder / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
            if quota != "max" and int(quota) > 0:
                return math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return 1 << 16
