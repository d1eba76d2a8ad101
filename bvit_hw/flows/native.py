"""Kernels in C++ that the package brings along: compiled for this processor at first use and kept in the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bvit_hw.flows.cache import cached, digest_of
from bvit_hw.flows.tool import ask, find_tool, run_tool


def _target(compiler: Path) -> str:
    """Version of the compiler and what it takes this processor for: a cache may be shared between machines."""
    argv = [str(compiler), "-march=native", "-Q", "--help=target"]
    done = ask("g++", argv)
    version = ask("g++", [str(compiler), "--version"])
    return version.stdout + done.stdout


def native_library(name: str, source: Path, flags: Sequence[str]) -> Path:
    """``source``, compiled by g++ with ``flags`` as lib``name``.so.

    Raises ToolError, naming the log, where there is no g++ or it fails, OutputError where the result can be kept
    nowhere.
    """
    compiler = find_tool("g++")
    library = f"libbvit_{name}.so"
    key = digest_of(source.read_text(), tuple(flags), _target(compiler))

    def make(work: Path) -> None:
        argv = [compiler, *flags, source.resolve(), "-o", library]
        run_tool("g++", argv, cwd=work, log=work / "compile.log", env=dict(os.environ))

    return cached(name, key, library, make)
