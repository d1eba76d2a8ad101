"""Whether torch.compile can generate kernels for a GPU here."""

from __future__ import annotations

import importlib.util
import os
import shutil

import torch

#: compute capability from which Triton generates code
_CAPABILITY = (7, 0)


def missing_for_gpu(device: torch.device) -> list[str]:
    """What Inductor wants for a CUDA device and does not find: Triton, a C compiler for its launchers, a newer GPU."""
    missing = [] if importlib.util.find_spec("triton") else ["the package triton"]
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        missing.append("a C compiler, which triton wants")
    if torch.cuda.get_device_capability(device) < _CAPABILITY:
        missing.append(f"compute capability {'.'.join(map(str, _CAPABILITY))}")
    return missing
