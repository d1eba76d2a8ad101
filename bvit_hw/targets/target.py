"""A target: FPGAs of one architecture, and everything that the rest of the code has to ask about them.

A new one is a module of this package with a ``TARGET`` and a table of coefficients beside it; see docs/targets.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bvit_hw.errors import BoardError, ToolError
from bvit_hw.targets.cost import KINDS, CostTerms, Resources
from bvit_hw.targets.delays import Delays
from bvit_hw.targets.memories import Memories

#: circuit -> resource -> term -> how much of the resource one of the term takes
Coefficients = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True, kw_only=True)
class DspShape:
    """The operands of the multiplier in a DSP block, in bits, both signed."""

    data: int
    coef: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a vendor calls a group of FPGAs or boards.

    ``flow`` names the vendor's tools (flows/vendor.py) and the board's table with their settings, "" where there are
    none; ``ip_families`` are the names by which those know the FPGAs; ``part`` is what a part number begins with.
    ``pixel_bytes`` is what the host's side can bring in one beat: 8 through the 64-bit port of a Zynq's DMA, 64 (the
    width of a memory bank's port, AMD UG1393) where a data mover reads a card's memory.
    """

    name: str
    flow: Literal["vivado", "vitis", "nextpnr", ""] = ""
    ip_families: tuple[str, ...] = ()
    part: str = "xc"
    pixel_bytes: int = 8


@dataclass(frozen=True, kw_only=True)
class CellCounts:
    """What the cells of a mapped netlist take: cell -> how many LUTs, flip-flops and so on one of it occupies.

    A cell that is in no table takes nothing, but one whose name begins as in ``watched`` must be in one.
    """

    lut: Mapping[str, int]
    ff: Mapping[str, int]
    bram18: Mapping[str, int]
    uram: Mapping[str, int]
    dsp: Mapping[str, int]
    watched: tuple[str, ...]

    def count(self, cells: Mapping[str, int]) -> Resources:
        """Resources of a mapped netlist, given the number of cells by type; ToolError for memories of unknown size."""
        tables = {kind: getattr(self, kind) for kind in KINDS}
        known = {cell for table in tables.values() for cell in table}
        unknown = [cell for cell in cells if cell not in known and cell.startswith(self.watched)]
        if unknown:
            raise ToolError(f"yosys: mapped cells that the counting rule does not know: {', '.join(unknown)}")
        return Resources(
            **{kind: sum(table.get(cell, 0) * n for cell, n in cells.items()) for kind, table in tables.items()}
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """FPGAs of one architecture. ``synthesis`` are the Yosys commands that map the module ``top`` to them, ``netlist``
    the one that makes what is placed and routed, where open tools can do that.

    ``vendor_cells`` says which cells the RTL may instantiate, as USE_PRIMITIVES of bvit_binary_mvau.sv numbers them; 0:
    none. ``budget_kinds`` are the resources that a board's budget limits. ``delays`` are its cells' and wires'; without
    them no timing is estimated. A target is itself: two are equal only where
    they are the same object, which is what operators are compared and hashed by.
    """

    name: str
    families: tuple[Family, ...]
    memories: Memories
    dsp: DspShape
    vendor_cells: int
    synthesis: str
    netlist: str = ""
    cells: CellCounts
    coefficients: Coefficients
    delays: Delays | None = None
    budget_kinds: tuple[str, ...] = KINDS

    def __repr__(self) -> str:
        return self.name

    def weigh(self, terms: CostTerms) -> Resources:
        """What a circuit of these terms takes of the target."""
        lut, ff = (
            sum(weights[name] * value for name, value in counts.items())
            for weights, counts in (
                (self.weights(terms.circuit, "lut"), terms.lut),
                (self.weights(terms.circuit, "ff"), terms.ff),
            )
        )
        return terms.exact + Resources(lut=round(lut) if terms.whole else lut, ff=ff)

    def weights(self, circuit: str, kind: str) -> Mapping[str, float]:
        """The coefficients of ``circuit`` for "lut" or "ff"; BoardError where the target's table lacks them."""
        try:
            return self.coefficients[circuit][kind]
        except KeyError:
            raise BoardError(
                f"target {self.name}: its table of coefficients has no [{circuit}.{kind}]; it has: "
                f"{', '.join(self.coefficients)}. benchmarks/fit_costs.py writes it"
            ) from None

    def netlist_script(self, sources: Sequence[str], *, top: str, cells: Sequence[str] = ()) -> str:
        """The Yosys script that maps ``top`` of ``sources``, pads and all, into ``netlist.json``.

        ``cells`` are modules of which only the ports are of interest: the target has them, such as a PLL.
        """
        known = "".join(f" --blackboxed-module {cell}" for cell in cells)
        return (
            f"read_slang --keep-hierarchy{known} --top {top} {' '.join(sources)}\n"
            f"{self.netlist.format(top=top)}\n"
            "write_json netlist.json\n"
        )

    def script(self, sources: Sequence[str], *, top: str) -> str:
        """The Yosys script that reads ``sources`` with the file of ``top`` and maps it, hierarchy kept at the top."""
        # The instance is flattened into its wrapper; the wrapper stays apart in the bag. Without --keep-hierarchy
        # read_slang itself dissolves all modules; with it a module's name is followed by $ and the instance's path.
        return (
            f"read_slang --keep-hierarchy --top {top} {top}.sv {' '.join(sources)}\n"
            f"{self.synthesis.format(top=top)}\n"
            "tee -q -o stat.json stat -json\n"
        )


def read_coefficients(path: Path) -> Coefficients:
    """The table of coefficients in the TOML file ``path``."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
