"""A GPU that computes nothing: CUDA's libraries replaced underneath PyTorch, so that its GPU paths run on any machine.

What a machine without a GPU can tell this way: that a program runs to its end on device ``cuda``, with every tensor
where it belongs; how often it waits for the GPU, how many kernels it starts, how much memory it takes; that Inductor
compiles it for an H100 (Triton and ptxas are the genuine ones). With :mod:`tests.emulators.null_gpu.arithmetic` the CPU
computes what the GPU would, so that values can be compared, too. It says nothing about speed.

The libraries are C, built here with gcc against the headers that PyTorch's wheel brings, and preloaded into a child.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

#: PyTorch's libraries whose CUDA symbols must be there
_USERS = ("c10_cuda", "torch_cuda", "torch_cuda_linalg", "torch_python", "caffe2_nvrtc")
#: what is replaced: the runtime, the driver (not cuFile, which is a library of its own), cuBLAS, NCCL
_REPLACED = re.compile(r"(?:__)?cuda[A-Z]\w+|cu(?!File)[A-Z]\w+|cublas\w+|nccl\w+")


def _site() -> Path:
    return Path(sysconfig.get_paths()["purelib"])


def _headers() -> list[Path]:
    return [_site() / "nvidia/cu13/include", _site() / "triton/backends/nvidia/include"]


@functools.cache
def missing() -> str | None:
    """What keeps the null GPU from being built here, or None."""
    if not sys.platform.startswith("linux"):
        return "the null GPU is for Linux"
    if importlib.util.find_spec("triton") is None or not all(folder.is_dir() for folder in _headers()):
        return "PyTorch is installed without CUDA 13 (its wheel from PyPI has it)"
    if not (_site() / "torch/lib/libtorch_cuda.so").is_file():
        return "PyTorch is installed without CUDA"
    tools = [tool for tool in ("gcc", "nm") if shutil.which(tool) is None]
    return f"the null GPU is built with {', '.join(tools)}" if tools else None


def _symbols(command: list[str]) -> set[str]:
    lines = subprocess.run(["nm", *command], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines if line.strip()}


def build(folder: Path) -> Path:
    """The shared library under ``folder``, made anew when its sources have changed."""
    sources = [HERE / name for name in ("runtime.c", "kernels.c", "libraries.c")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (*sources, HERE / "card.h", Path(__file__))))
    library = folder / digest.hexdigest()[:16] / "libcuda.so.1"
    if library.is_file():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        compiler = ["gcc", "-w", "-O1", "-fPIC", *(f"-I{path}" for path in _headers())]
        objects = []
        for source in sources:
            objects.append(str(work / f"{source.stem}.o"))
            subprocess.run([*compiler, "-c", str(source), "-o", objects[-1]], check=True)
        # Triton opens the driver itself, by the names in this file; names of types among them do no harm.
        wanted = set(_REPLACED.findall((_site() / "triton/backends/nvidia/driver.c").read_text())) | {"cuInit"}
        for name in _USERS:
            wanted |= _symbols(["-D", "--undefined-only", str(_site() / f"torch/lib/lib{name}.so")])
        wanted = {symbol for symbol in wanted if _REPLACED.fullmatch(symbol)}
        rest = sorted(wanted - _symbols(["--defined-only", *objects]))
        nothing = work / "nothing.c"
        nothing.write_text("".join(f"int {symbol}(void) {{ return 0; }}\n" for symbol in rest))
        # Its name lets it stand for the driver as well, which others open by that name.
        link = ["-shared", "-Wl,-soname,libcuda.so.1", str(nothing), *objects, "-o", str(work / "library.so")]
        subprocess.run([*compiler, *link, "-ldl", "-lpthread"], check=True)
        (work / "library.so").replace(library)
    return library


def environment(folder: Path, *, devices: int = 1) -> dict[str, str]:
    """Variables for a child process that is to find ``devices`` null GPUs; caches and libraries go under ``folder``."""
    library = build(folder)
    path = os.pathsep.join([str(HERE / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "NULL_GPUS": str(devices),
        "NULL_GPU_FOLDER": str(folder),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": path,
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TRITON_LIBCUDA_PATH": str(library.parent),
    }
