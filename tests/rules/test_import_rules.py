"""Who needs what: the integer contract NumPy alone, ONNX and FINN only those that speak to them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

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
    strange = {m for m in ours if not m.startswith("bvit_hw.contract") and m not in ("bvit_hw.errors", "bvit_hw.disk")}
    assert not strange, f"{name} imports {sorted(strange)}"
print(len(names))
"""


def test_contract_imports_numpy_alone() -> None:
    """Neither PyTorch nor ONNX, nor anything else of ours but errors and how files are written."""
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5


def test_onnx_and_finn_are_imported_where_they_belong() -> None:
    """``qonnx`` and ``export`` (our QONNX operator) speak ONNX, ``finn`` speaks to FINN in it; nobody else does."""
    house = Path(__file__).parents[2] / "bvit_hw"
    allowed = {"onnx": {"qonnx", "export", "finn"}, "qonnx": {"qonnx", "export", "finn"}, "finn": {"finn"}}
    found = set()
    for file in house.rglob("*.py"):
        room = file.relative_to(house).parts[0]
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in {name.partition(".")[0] for name in names} & allowed.keys():
                assert room in allowed[name], f"{file.relative_to(house)}:{node.lineno} imports {name}"
                found.add((name, room))
    assert {("onnx", "qonnx"), ("qonnx", "finn"), ("finn", "finn")} <= found
