"""A compiler is given paths that it takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bvit_hw.flows.gxx import Toolchain, compile_program


def test_a_compiler_works_in_any_folder(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(odd))
    program = compile_program("int main() { return 7; }\n", "seven", Toolchain(level=0), root=odd)
    assert subprocess.run([program], check=False).returncode == 7
