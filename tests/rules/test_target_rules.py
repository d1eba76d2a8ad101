"""Rules that keep targets and flows objects: nobody asks a family's name, or which vendor's table a board has."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bvit_hw
from bvit_hw.targets import families

ROOT = Path(bvit_hw.__file__).parent
#: who knows the families: the targets, and the boards' files, which name one
KNOW_FAMILIES = ("targets", "boards.py")
#: who knows the vendors' tables of a board
KNOW_TABLES = ("flows", "boards.py")
TABLES = ("vivado", "vitis", "nextpnr")


def _named(node: ast.AST) -> str:
    """The last name of ``a.b.c`` or ``c``."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _texts(tree: ast.AST) -> list[ast.Constant]:
    """The constants of the code, docstrings left out."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]


def family_questions(source: str) -> list[int]:
    """Lines that compare a family, look something up by it, or hold the name of one (as a dictionary's key does)."""
    tree = ast.parse(source)
    names = set(families())
    lines = {node.lineno for node in _texts(tree) if node.value in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            asked: list[ast.expr] = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            asked = [node.subject]
        elif isinstance(node, ast.Subscript):
            asked = [node.slice]
        elif isinstance(node, ast.Call) and _named(node.func) == "get":
            asked = node.args[:1]
        else:
            continue
        if any(_named(each) == "family" for each in asked):
            lines.add(node.lineno)
    return sorted(lines)


def table_questions(source: str) -> list[int]:
    """Lines that decide by whether a board has a vendor's table."""
    lines = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            asked: list[ast.expr] = [node.left, *node.comparators]
        elif isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
            asked = [node.test]
        elif isinstance(node, ast.BoolOp):
            asked = node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            asked = [node.operand]
        elif isinstance(node, ast.comprehension):
            asked = node.ifs
        else:
            continue
        if any(isinstance(each, ast.Attribute) and each.attr in TABLES for each in asked):
            lines.add(node.lineno if hasattr(node, "lineno") else asked[0].lineno)
    return sorted(lines)


def sources(knowing: tuple[str, ...]) -> list[Path]:
    """The product's files outside of those that may know."""
    return [path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] not in knowing]


def test_no_family_is_asked_its_name() -> None:
    """A board's target answers what cells, memories, scripts and costs it has, its flow how a bitstream is made."""
    found = [f"{path}:{line}" for path in sources(KNOW_FAMILIES) for line in family_questions(path.read_text())]
    assert not found, f"a family's name decides at {found}; ask board.target or flow_of(board)"
    assert len(sources(KNOW_FAMILIES)) > 100


def test_no_vendors_table_decides() -> None:
    found = [f"{path}:{line}" for path in sources(KNOW_TABLES) for line in table_questions(path.read_text())]
    assert not found, f"a board's vendor table decides at {found}; ask flow_of(board)"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('if board.family == "other": pass', [1]),
        ("x = 1\nkernel = options.board.family in KERNELS", [2]),
        ('CELLS = {"zynq-7000": 1, "alveo": 2}', [1]),
        ("script = SCRIPTS[board.family]", [1]),
        ("cells = CELLS.get(family)", [1]),
        ('kernel = name != "alveo"', [1]),
        ("match board.family:\n    case _: pass", [1]),
        ('"""An alveo."""\nprint(f"family {board.family!r} of {board.name}")', []),
        ("cells = board.target.vendor_cells", []),
    ],
)
def test_the_rule_on_families_finds_what_it_forbids(source: str, lines: list[int]) -> None:
    assert family_questions(source) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("if board.vitis is None: pass", [1]),
        ("tool = a if options.board.vivado is not None else b", [1]),
        ("if board.vitis: pass", [1]),
        ("ok = not board.vivado", [1]),
        ("names = [b for b in boards if b.vitis]", [1]),
        ("flow = board.vitis and board.clock_mhz > 1", [1]),
        ("vitis.write_kernels(folder)\nflow_of(board).check_clock(board, 1.0)", []),
    ],
)
def test_the_rule_on_tables_finds_what_it_forbids(source: str, lines: list[int]) -> None:
    assert table_questions(source) == lines
