"""The board's whole top, Verilated, at the end of a serial line that is a pseudo-terminal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES
from bvit_hw.disk import write_aside
from bvit_hw.errors import ToolError
from bvit_hw.flows.verilator import build_model

#: cycles without a byte after which the simulation waits for one: longer than any network computes
QUIET_CYCLES = 200_000
_FLAGS = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--x-assign", "fast", "--x-initial", "fast")


def build_serial_model(
    folder: Path,
    *,
    top: str,
    sources: Sequence[Path],
    bit_sixteenths: int,
    parameters: Mapping[str, int | str] | None = None,
    jobs: int = 2,
) -> Path:
    """The program that is ``top``, with its ports clk, rx and tx, at a pseudo-terminal; compiled once, then cached.

    A bit of its line lasts ``bit_sixteenths`` sixteenths of a cycle. ``folder`` is to write its main into.
    """
    main = folder / "serial_device.cpp"
    text = TEMPLATES.get_template("serial_device.cpp.j2").render(
        top=top, version=__version__, bit_sixteenths=bit_sixteenths, quiet_cycles=QUIET_CYCLES
    )
    write_aside(main, text)
    return build_model(
        sources, top, parameters=parameters, cpp=[main], flags=_FLAGS, cflags="-std=c++17", optimize="-O1", jobs=jobs
    )


@contextmanager
def running(program: Path, folder: Path) -> Iterator[str]:
    """The name of the serial line at whose end ``program`` runs, in ``folder`` with its memories."""
    with subprocess.Popen([program], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdin is not None
            name = process.stdout.readline().strip()
            if not name:
                raise ToolError(f"serial model: {program} gave no pseudo-terminal (exit code {process.wait()})")
            yield name
        finally:
            process.kill()
