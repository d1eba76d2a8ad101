"""What the driver must do on a simulated device, good days and bad ones: the same cases run with and without pynq.

Imports nothing of bvit_hw but the driver, so that a notebook's environment can run it as a programme:
``python -m runtime_cases PACKAGE`` runs every case and prints one line each.
"""

from __future__ import annotations

import inspect
import sys
import time
import traceback
from pathlib import Path

from . import corruption, failures, owners, serving
from .common import opened, runtime

CASES = {
    name[5:]: value
    for theme in (serving, failures, corruption, owners)
    for name, value in vars(theme).items()
    if name.startswith("case_") and inspect.isfunction(value)
}
__all__ = ["CASES", "Path", "main", "opened", "runtime"]


def main() -> int:
    """Run every case on the package named; exit code 1 if one fails."""
    package = Path(sys.argv[1])
    failed = 0
    for name, case in CASES.items():
        start = time.perf_counter()
        try:
            case(package)
            print(f"passed {name} {time.perf_counter() - start:.2f} s")
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
    return min(failed, 1)
