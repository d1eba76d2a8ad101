"""The driver's independence: it works on a board as it is."""

from __future__ import annotations

import ast
from pathlib import Path

from bvit_hw.pipeline.board_package import write_driver


def test_the_driver_needs_numpy_and_pynq_only(tmp_path: Path) -> None:
    """So that the folder works on a board as it is; and nothing newer than Python 3.10."""
    allowed = {"numpy", "pynq", "pynqmetadata", "PIL", "serial"}  # the last where the board is at a serial port
    standard = {
        "__future__", "abc", "argparse", "collections", "contextlib", "ctypes", "dataclasses", "enum", "fcntl",
        "functools", "hashlib", "importlib", "json", "lzma", "math", "os", "pathlib", "pkgutil", "struct",
        "sys", "tempfile", "threading", "time", "tokenize", "types", "typing", "weakref",
        "zipfile", "zlib",
    }  # fmt: skip
    files = list(write_driver(tmp_path).rglob("*.py"))
    assert len(files) > 35  # the contract's with them
    for file in files:
        tree = ast.parse(file.read_text(), str(file), feature_version=(3, 10))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""] if node.level == 0 else []
            assert {n.split(".")[0] for n in names} <= allowed | standard, f"{file.name}:{node}"
