"""Whether torch.compile can generate kernels for a GPU here."""

from __future__ import annotations

import importlib.util
import os
import shutil


def missing_for_gpu() -> list[str]:
    """What Inductor wants for a GPU and does not find: the package triton, and a C compiler for Triton's launchers."""
    missing = [] if importlib.util.find_spec("triton") else ["the package triton"]
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        missing.append("a C compiler, which triton wants")
    return missing
