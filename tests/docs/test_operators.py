"""docs/tutorials/add_an_operator.md: its blocks, put into a copy of the tree, make an operator like any other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorials" / "add_an_operator.md").read_text()
#: a block's first line says which file it is, or is added to
BLOCK = re.compile(r"^```\w+\n(?://|#) (added to )?(\S+)\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with the page's operator in it."""
    folder = tmp_path_factory.mktemp("operator")
    for name in ("bvit_hw", "rtl", "boards", "tests", "sim", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.rpt"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder)
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == 9
    for added, name, code in blocks:
        path = folder / name
        assert path.is_file() == bool(added), name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{path.read_text()}\n{code}" if added else code)
    return folder


def run(tree: Path, *argv: str) -> str:
    """What ``python -m argv`` prints in the tree, which it leaves with success."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", *argv]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_the_operator_keeps_the_laws_and_is_lowered(tree: Path) -> None:
    """Contract, QONNX, laws, room and style in rtl/, a mutation for its module, lowering, folding, stitching."""
    files = ["ops/test_ops_laws.py", "test_rtl_library.py", "rtl/test_check_style.py"]
    chosen = "ClippedRelu or clipped_relu or every_operator or every_file or each_node or every_module"
    out = run(
        tree, "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-m", "not slow", "-k", chosen,
        "tests/ops/test_clipped_relu.py", "sim/test_mutations.py", *(f"tests/{name}" for name in files),
    )  # fmt: skip
    passed = re.findall(r"^PASSED \S+::(test_\w+)", out, re.M)
    assert "test_it_is_lowered_and_folded" in passed
    assert {"test_every_operator_has_samples", "test_every_operator_has_its_room", "test_the_style_holds"} < set(passed)
    assert passed.count("test_results_lie_within_their_streams") == 2  # a sample and a variant
    run(tree, "ruff", "check", *(name for _, name, _ in BLOCK.findall(PAGE) if name.endswith(".py")))


@pytest.mark.slow
def test_its_bench_passes_and_catches_faults(tree: Path) -> None:
    out = run(tree, "pytest", "-q", "-p", "no:cacheprovider", "sim/test_clipped_relu.py")
    assert re.search(r"^6 passed in", out, re.M), out
