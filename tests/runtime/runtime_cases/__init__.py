"""What the driver must do on a simulated device, good days and bad ones: the same cases run with and without pynq.

Imports nothing of bvit_hw but the driver, so that a notebook's environment can run it as a programme:
``python -m runtime_cases PACKAGE`` runs them by unittest, which prints a line each.
"""

from __future__ import annotations

import inspect
import sys
import unittest
from functools import partial
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
    """Run every case on the package named, up to the first that fails; exit code 1 if one does."""
    suite = unittest.TestSuite()
    for name, case in CASES.items():
        bound = partial(case, Path(sys.argv[1]))
        bound.__name__ = name  # type: ignore[attr-defined]  # what unittest prints
        suite.addTest(unittest.FunctionTestCase(bound))
    runner = unittest.TextTestRunner(sys.stdout, descriptions=False, verbosity=2, failfast=True)
    return int(not runner.run(suite).wasSuccessful())
