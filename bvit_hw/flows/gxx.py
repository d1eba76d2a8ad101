"""C simulation of the HLS templates: g++ or clang++ with the open ap_int headers, programs cached by their contents."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bvit_hw.codegen.hls import HlsUnit, csim_text, stream_bytes, stream_frames, table_bytes
from bvit_hw.disk import full_disk, scratch
from bvit_hw.errors import ToolError
from bvit_hw.flows.cache import cached, digest_of
from bvit_hw.flows.tool import ask, run_tool, short_memory
from bvit_hw.ops.base import IntArray
from bvit_hw.ops.hls import MAX_BEAT_BITS
from bvit_hw.resources import data_path

FLAGS = ("-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-label")
#: the ap_int headers read members that they then overwrite, which g++ remarks on where it inlines them into our code
GCC_FLAGS = ("-Wno-uninitialized", "-Wno-maybe-uninitialized")
#: those headers also shift negative numbers left, as every compiler allows; all else ends the program
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize=shift", "-fno-sanitize-recover=all")
_PRECOMPILED = "".join(f"#include <{h}>\n" for h in ("cstdint", "fstream", "iostream", "ap_int.h", "hls_stream.h"))
_MAX_WIDTH = f"-DAP_INT_MAX_W={MAX_BEAT_BITS}"
_STREAM_WARNING = "WARNING: Hls::stream"
_TIMEOUT = 900.0


def ap_types() -> Path:
    """Folder of ap_int.h and hls_stream.h, inside the hls4ml package, which is located but not imported.

    Raises ToolError, naming the command, when the package is not installed.
    """
    spec = importlib.util.find_spec("hls4ml")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file() and (folder / "hls_stream.h").is_file():
            return folder
    raise ToolError(
        "hls4ml: the Python package 'hls4ml' is not installed; C simulation of the HLS templates takes the ap_int and "
        "hls_stream headers from it. To get it: pip install hls4ml==1.3.0"
    )


@cache
def compiler_version(compiler: str) -> str:
    """First line of what the compiler says of itself; ToolError when it is not there."""
    done = ask(compiler, [compiler, "--version"])
    return (done.stdout or done.stderr).split("\n")[0]


def header_digest(folder: Path) -> str:
    """Hash of all headers under hls/."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.hpp")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler and how it is called; ``sanitize`` adds the address and undefined-behaviour sanitizers.

    ``level`` optimizes: 1 for what runs long; 0 compiles in half the time and runs about ten times as long.
    """

    compiler: str = "g++"
    sanitize: bool = False
    level: int = 1

    @property
    def flags(self) -> tuple[str, ...]:
        """Arguments that shape the code."""
        gcc = GCC_FLAGS if "g++" in Path(self.compiler).name and "clang" not in self.compiler else ()
        return (*FLAGS, f"-O{self.level}", *gcc, *(SANITIZE if self.sanitize else ()))

    def includes(self) -> list[str]:
        """Where headers are found; those of ap_types count as the system's, so their warnings stay away."""
        return ["-isystem", str(ap_types()), "-I", str(data_path("hls"))]


def compile_program(text: str, name: str, toolchain: Toolchain | None = None, *, root: Path | None = None) -> Path:
    """Compile one C++ file; returns the executable, from the cache where it was built from the same contents before.

    Raises ToolError with the compiler's words: a failed ``static_assert`` among them.
    """
    toolchain = toolchain or Toolchain()
    hls = data_path("hls")
    key = digest_of(text, header_digest(hls), toolchain.flags, compiler_version(toolchain.compiler), str(ap_types()))

    def make(work: Path) -> None:
        precompiled = _precompiled(toolchain, root)
        (work / f"{name}.cpp").write_text(text)
        argv = [toolchain.compiler, *toolchain.flags, *precompiled, *toolchain.includes(), f"{name}.cpp", "-o", name]
        done = run_tool(toolchain.compiler, argv, cwd=work, log=work / "compile.log", check=False)
        if done.returncode != 0:
            # The first error is the cause; what run_tool would show is the log's end.
            lines = [line for line in done.output.splitlines() if "error" in line]
            words = "\n".join(lines[:20]) + full_disk(done.output, work) + short_memory(done.output, done.returncode)
            raise ToolError(f"{toolchain.compiler}: exit code {done.returncode}; log: {done.log}\n{words}")

    return cached("csim", f"{name}-{key}", name, make, root=root)


def _precompiled(toolchain: Toolchain, root: Path | None) -> list[str]:
    """Arguments that take the vendor's headers precompiled: they are most of what there is to compile."""
    if "clang" in toolchain.compiler:
        return []

    def make(work: Path) -> None:
        (work / "ap_types.hpp").write_text(_PRECOMPILED)
        argv = [toolchain.compiler, *toolchain.flags, _MAX_WIDTH, *toolchain.includes()]
        argv += ["-x", "c++-header", "ap_types.hpp", "-o", "ap_types.hpp.gch"]
        run_tool(toolchain.compiler, argv, cwd=work, log=work / "compile.log")

    key = digest_of(toolchain.flags, compiler_version(toolchain.compiler), str(ap_types()), _PRECOMPILED)
    return [_MAX_WIDTH, "-include", str(cached("csim-headers", key, "ap_types.hpp", make, root=root))]


@dataclass(frozen=True, kw_only=True)
class CSim:
    """A compiled program with one or more instances in it."""

    executable: Path
    units: tuple[HlsUnit, ...]

    def run(self, unit: HlsUnit, frames: Sequence[Sequence[np.ndarray]]) -> list[tuple[IntArray, ...]]:
        """Frames (one array tokens x channels for each input stream) through an instance, one after the other.

        ``unit`` may differ from the compiled one in its tables' values. Raises ToolError when the program fails, reads
        an empty stream or leaves a beat behind.
        """
        number = next(i for i, compiled in enumerate(self.units) if compiled.key == unit.key)
        with scratch("bvit-csim-") as folder:
            (folder / "tables.bin").write_bytes(table_bytes(unit))
            for i, stream in enumerate(unit.op.inputs):
                (folder / f"in{i}.bin").write_bytes(stream_bytes(stream, [frame[i] for frame in frames]))
            done = run_tool(
                unit.function,
                [self.executable, str(number), str(len(frames)), "."],
                cwd=folder,
                log=folder / "csim.log",
                timeout=_TIMEOUT,
                check=False,
            )
            if done.returncode != 0 or _STREAM_WARNING in done.output:
                raise ToolError(f"C simulation of {unit.op}: exit code {done.returncode}\n{done.output[-3000:]}")
            outputs = [
                stream_frames(stream, (folder / f"out{i}.bin").read_bytes(), len(frames))
                for i, stream in enumerate(unit.op.outputs)
            ]
        return list(zip(*outputs, strict=True))


def build_csim(units: Sequence[HlsUnit], toolchain: Toolchain | None = None) -> CSim:
    """Compile (cached) a program of all ``units``, equal ones once; tables' values are no part of it."""
    distinct = tuple({unit.key: unit for unit in units}.values())
    return CSim(executable=compile_program(csim_text(distinct), "csim", toolchain), units=distinct)


def clang() -> str | None:
    """clang++ where there is one."""
    return shutil.which("clang++", path=os.environ.get("PATH"))
