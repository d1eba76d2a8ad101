"""The integer contract's package: needs NumPy alone, and the reader of safetensors files."""

from __future__ import annotations

import subprocess
import sys

#: imports every module of bvit_hw.contract, saying after each what it brought that neither Python nor we have
_IMPORT_ALL = """
import importlib, pkgutil, sys
allowed = {*sys.modules, *sys.stdlib_module_names, "numpy", "safetensors", "bvit_hw"}
import bvit_hw.contract as package
names = [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]
for name in names:
    importlib.import_module(name)
    brought = {module.partition(".")[0] for module in sys.modules} - allowed
    assert not brought, f"{name} imports {sorted(brought)}"
    ours = {module for module in sys.modules if module.startswith("bvit_hw.")}
    strange = {m for m in ours if not m.startswith("bvit_hw.contract") and m not in ("bvit_hw.errors",)}
    assert not strange, f"{name} imports {sorted(strange)}"
print(len(names))
"""


def test_contract_imports_numpy_alone() -> None:
    """Neither PyTorch nor ONNX, nor any other package of ours but the errors."""
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5
