"""Rules that the product's sources keep, read from their syntax."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bvit_hw
from bvit_hw.ops.registry import operators

ROOT = Path(__file__).resolve().parents[2]
#: the one module that turns an operator's name into its class
REGISTRY = "ops/registry.py"


def _asks_a_name(expression: ast.expr, onnx: bool) -> bool:
    """Whether an operand is a hardware operator's name: in a file on ONNX, only that of a node's ``op``."""
    if not (isinstance(expression, ast.Attribute) and expression.attr == "op_type"):
        return isinstance(expression, ast.Name) and expression.id == "op_type" and not onnx
    owner = expression.value
    of_op = isinstance(owner, ast.Attribute) and owner.attr == "op"
    return of_op or not onnx


def _names(expressions: list[ast.expr]) -> bool:
    """Whether the operands hold the name of a hardware operator."""
    found = {n.value for e in expressions for n in ast.walk(e) if isinstance(n, ast.Constant)}
    return bool(found & set(operators()))


def questions(source: str) -> list[int]:
    """Lines that compare, or match, a hardware operator's name, or ask whether it is of one's class."""
    tree = ast.parse(source)
    onnx = any(
        name.split(".")[0] in ("onnx", "qonnx", "finn")
        for n in ast.walk(tree)
        for name in ([n.module or ""] if isinstance(n, ast.ImportFrom) else [])
        + ([a.name for a in n.names] if isinstance(n, ast.Import) else [])
    )
    # the contract's operators bear the same names
    contract = any("operators" in (n.module or "") for n in ast.walk(tree) if isinstance(n, ast.ImportFrom))
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            of_type = [e for e in operands if getattr(e, "attr", getattr(e, "id", "")) == "op_type"]
            if any(_asks_a_name(e, onnx) for e in of_type) or (of_type and _names(operands)):
                lines.append(node.lineno)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            asked = {getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(node.args[1])}
            if asked & set(operators()) and not contract:
                lines.append(node.lineno)
        elif isinstance(node, ast.Match) and _asks_a_name(node.subject, onnx):
            lines.append(node.subject.lineno)
    return lines


def sources() -> list[Path]:
    root = Path(bvit_hw.__file__).parent
    return [path for path in sorted(root.rglob("*.py")) if path.relative_to(root).as_posix() != REGISTRY]


def test_no_operator_is_asked_its_name() -> None:
    """Operators answer for themselves (ops/base.py): who needs a fact asks for the fact, not for who it is."""
    found = [f"{path}:{line}" for path in sources() for line in questions(path.read_text())]
    assert not found, f"a hardware operator's name is compared at {found}; ask the operator for what you want to know"
    assert len(sources()) > 100


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('if node.op.op_type == "Fifo":\n    pass', [1]),
        ("x = 1\nfound = op.op_type in GLUE", [2]),
        ('found = "Fifo" != sink.op_type', [1]),
        ("import onnx\nif node.op.op_type in allowed: pass", [2]),
        ('from onnx import helper\nif node.op_type in ("Fifo", "Duplicate"): pass', [2]),
        ("match op.op_type:\n    case _: pass", [1]),
        ("if isinstance(node.op, (BinaryMVAU, ops.IntMVAU)): pass", [1]),
        ("from .operators.binarize import Binarize\nif isinstance(kind, Binarize): pass", []),
        ("if isinstance(op, HwOp): pass", []),
        ('from onnx import helper\nif node.op_type == "MatMul": pass', []),
        ("if op.is_glue: kinds[op.op_type] = 1", []),
    ],
)
def test_the_rule_finds_what_it_forbids(source: str, lines: list[int]) -> None:
    assert questions(source) == lines


#: who renames: files through bvit_hw/disk.py alone; besides it whole folders, and what a tool left
RENAMING = {
    "disk.py": 2,
    "flows/cache.py": 1,
    "flows/verilator.py": 1,
    "pipeline/engine.py": 1,
    "pipeline/steps/bitstream.py": 1,
}


def renames(source: str) -> list[int]:
    """Lines that rename a file or folder: ``os.replace``, ``os.rename``, ``Path.replace`` or ``Path.rename``."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_os = getattr(node.func.value, "id", "") == "os"
            name, one = node.func.attr, len(node.args) == 1 and not node.keywords
            if (of_os and name in ("replace", "rename", "renames")) or (one and name in ("replace", "rename")):
                lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            lines += [node.lineno for name in node.names if name.name in ("replace", "rename", "renames")]
    return lines


def test_files_are_written_aside_by_one_helper() -> None:
    package = Path(bvit_hw.__file__).parent
    found = {path.relative_to(package).as_posix(): len(renames(path.read_text())) for path in sources()}
    assert {name: count for name, count in found.items() if count} == RENAMING, "write a file by bvit_hw.disk.aside"
    scripts = [path for folder in ("benchmarks", "prove", "rtl") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert not [path for path in scripts if renames(path.read_text())] and len(scripts) > 20


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import os\nos.replace(temporary, path)", [2]),
        ("from os import replace", [1]),
        ("temporary.replace(path)", [1]),
        ("(work / name).rename(folder / name)", [1]),
        ("text = text.replace('a', 'b')", []),
        ("op = dataclasses.replace(op, pe=2)", []),
        ("when = when.replace(tzinfo=None)", []),
    ],
)
def test_the_rule_finds_renames(source: str, lines: list[int]) -> None:
    assert renames(source) == lines


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """The import rules of pyproject.toml, for the package below ``root``."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml"]
    return subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )


def test_packages_import_downwards_only() -> None:
    done = _lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("contract/nodes.py", "import torch", "The contract needs NumPy alone"),
        ("contract/nodes.py", "import bvit_hw.ops.base", "Packages import downwards"),
        ("runtime/driver.py", "import onnx", "The driver needs NumPy"),
        ("ops/fifo.py", "import bvit_hw.models.binaryvit", "Hardware does not know PyTorch"),
        ("qonnx/pattern.py", "import finn", "Only bvit_hw.finn imports FINN"),
        ("cli/export.py", "from finn.util import basic", "Only bvit_hw.finn imports FINN"),
        ("evaluate.py", "from qonnx import util", "Only bvit_hw.qonnx and bvit_hw.finn import ONNX"),
        ("pipeline/plan.py", "import onnxruntime", "Only bvit_hw.qonnx and bvit_hw.finn import ONNX"),
    ],
)
def test_an_import_against_the_rules_is_found(tmp_path: Path, file: str, line: str, broken: str) -> None:
    shutil.copytree(Path(bvit_hw.__file__).parent, tmp_path / "bvit_hw", ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "bvit_hw" / file
    source.write_text(source.read_text() + f"\n{line}\n")
    done = _lint_imports(tmp_path)
    assert done.returncode == 1
    assert [text for text in done.stdout.splitlines() if "BROKEN" in text and broken in text], done.stdout
