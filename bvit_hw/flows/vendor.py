"""The vendor's flows: what a board's package is for the tools that make its bitstream, and how they are run.

Vivado's and Vitis' own modules know the details; whoever builds asks :func:`flow_of` and need not know which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bvit_hw.boards import Board
from bvit_hw.errors import ConfigError, ToolError
from bvit_hw.flows import ecp5, vitis, vivado
from bvit_hw.flows.nextpnr import nextpnr_version
from bvit_hw.flows.vivado import IpContents
from bvit_hw.flows.vivado import kernel_folder as kernel_folder


class VendorFlow(ABC):
    """One vendor's way from a package to what is loaded on the board."""

    #: what the tools are called
    tool: ClassVar[str]
    #: what builds it, in the package's folder, and the files that this leaves for the board
    command: ClassVar[str]
    results: ClassVar[tuple[str, ...]]
    #: logs and reports that are worth keeping
    kept: ClassVar[tuple[str, ...]]
    #: why nothing was built, where the tool is not at hand
    missing: ClassVar[str]
    #: whether a single engine can be given a way to DRAM
    takes_engines: ClassVar[bool] = True

    @abstractmethod
    def check_clock(self, board: Board, clock_mhz: float) -> None:
        """Raise ConfigError for a clock that the tools cannot make."""

    @abstractmethod
    def write(
        self, folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int
    ) -> None:
        """Write beside ``folder``/ip what the tools need; ``kernels`` are several where they are on several dies."""

    @abstractmethod
    def path(self) -> str | None:
        """Where the tool is, or None."""

    @abstractmethod
    def build(self, folder: Path) -> dict[str, str]:
        """Run the tools in ``folder``; the names of what they made, by what it is."""

    @abstractmethod
    def implementation(self, folder: Path) -> dict[str, float]:
        """What the tools' reports in ``folder`` say, with the keys of the report's record of that name."""


class VivadoFlow(VendorFlow):
    """A Zynq's bitstream by Vivado: the accelerator in a block design with the processing system."""

    tool, command, results = "Vivado", vivado.COMMAND, vivado.RESULTS
    kept = ("utilization.rpt", "timing.rpt", "power.rpt", "vivado.log")
    missing = "bitstream not built: Vivado not found"

    def check_clock(self, board: Board, clock_mhz: float) -> None:
        """Any will do."""

    def write(
        self, folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int
    ) -> None:
        """See vivado.py."""
        (ip,) = kernels
        vivado.write_scripts(folder, board, clock_mhz, ip, jobs=jobs)

    def path(self) -> str | None:
        """Vivado's."""
        return vivado.vivado_path()

    def build(self, folder: Path) -> dict[str, str]:
        """Bitstream and hardware description."""
        return vivado.build_bitstream(folder)

    def implementation(self, folder: Path) -> dict[str, float]:
        """See vivado.py."""
        return vivado.read_implementation(folder)


class VitisFlow(VendorFlow):
    """A kernel of an Alveo card by v++."""

    tool, command, results = "v++", vitis.COMMAND, vitis.RESULTS
    kept = ("xclbin_info.txt", "vitis.log")
    missing = "xclbin not built: v++ not found"
    takes_engines = False

    def check_clock(self, board: Board, clock_mhz: float) -> None:
        """V++ takes whole MHz."""
        if clock_mhz != int(clock_mhz):
            raise ConfigError(f"--clock-mhz {clock_mhz:g}: {board.name} takes whole MHz only")

    def write(
        self, folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int
    ) -> None:
        """See vitis.py."""
        vitis.write_kernels(folder, board, clock_mhz, kernels, jobs=jobs)

    def path(self) -> str | None:
        """That of v++."""
        return vitis.vpp_path()

    def build(self, folder: Path) -> dict[str, str]:
        """The .xclbin."""
        return vitis.build_xclbin(folder)

    def implementation(self, folder: Path) -> dict[str, float]:
        """See vitis.py."""
        return vitis.read_implementation(folder)


class NoFlow(VendorFlow):
    """A family for whose tools nothing is written: the package holds the sources alone."""

    tool, command, results, kept = "no tool", "", (), ()
    missing = "bitstream not built: no vendor's flow is known for this family"

    def check_clock(self, board: Board, clock_mhz: float) -> None:
        """Any will do."""

    def write(
        self, folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int
    ) -> None:
        """Nothing."""

    def path(self) -> str | None:
        """None."""
        return None

    def build(self, folder: Path) -> dict[str, str]:
        """Nothing can."""
        raise ToolError(self.missing)

    def implementation(self, folder: Path) -> dict[str, float]:
        """Nothing was."""
        raise ToolError(self.missing)


class NextpnrFlow(VendorFlow):
    """An ECP5's bitstream by Yosys, nextpnr and ecppack, which are Python packages."""

    tool, command, results = "nextpnr", "", (ecp5.BITSTREAM,)
    kept = ("timing.json", "nextpnr.log", "yosys.log", ecp5.NETLIST)
    missing = "bitstream not built: nextpnr is not installed; pip install 'bvit-hw[ecp5]', then build again"

    def check_clock(self, board: Board, clock_mhz: float) -> None:
        """What the PLL can make, and the serial port can be served with."""
        if board.nextpnr is not None:
            ecp5.pll_of(board.nextpnr.oscillator_mhz, clock_mhz)
            ecp5.bit_sixteenths(board, clock_mhz)

    def write(
        self, folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int
    ) -> None:
        """See ecp5.py."""
        ecp5.write_top(folder, board, clock_mhz, kernels)

    def path(self) -> str | None:
        """The package's version."""
        return nextpnr_version()

    def build(self, folder: Path) -> dict[str, str]:
        """The bitstream."""
        return ecp5.build_bitstream(folder)

    def implementation(self, folder: Path) -> dict[str, float]:
        """See ecp5.py."""
        return ecp5.read_implementation(folder)


#: by the name that a family gives (targets/target.py)
FLOWS: Mapping[str, VendorFlow] = {"vivado": VivadoFlow(), "vitis": VitisFlow(), "nextpnr": NextpnrFlow(), "": NoFlow()}


def flow_of(board: Board) -> VendorFlow:
    """The flow that builds for ``board``."""
    return FLOWS[board.flow]
