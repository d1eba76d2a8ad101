"""A pass of Yosys, ``lut_tables``: read-only tables become the lookup tables that they are, before ABC looks for some.

A table of 64 words is a LUT6 for each bit of a word, whatever it holds. Yosys spells such a table out as multiplexers,
and ABC puts them together again: for the weights of a wide BinaryMVAU that is nearly all of its work. This pass writes
the cells at once. It takes the tables with a register behind them, as bvit_rom.sv has, for nothing merges into those;
of 9 to 256 words, where ABC comes to the same counts: fewer words hold columns that are less than a table, and more are
joined by further LUTs. With ``-lattice`` the tables are LUT4, of 9 to 1,024 words: of more than 64 ABC makes twice the
LUT4 that it takes.

Yosys' own process runs this file, from a copy beside the sources: it imports nothing of bvit_hw.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyosys import libyosys as ys

#: words of the smallest table that is taken
FEWEST = 9
#: marks what is taken, while the registers are drawn out of it
_MARK = "lut_table"


def _id(name: str) -> Any:
    return ys.IdString(f"\\{name}")


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A vendor's cells. ``luts``: by their inputs, the names of inputs and output; ``joins``: what joins two tables,
    then two of those, with its ports for the lower, the upper, the choice and the output; ``most``: words at most."""

    luts: dict[int, str]
    inputs: tuple[str, ...]
    out: str
    joins: tuple[tuple[str, str, str, str, str], ...]
    most: int


XILINX = Cells(
    luts={4: "LUT4", 5: "LUT5", 6: "LUT6"}, inputs=("I0", "I1", "I2", "I3", "I4", "I5"), out="O",
    joins=(("MUXF7", "I0", "I1", "S", "O"), ("MUXF8", "I0", "I1", "S", "O")), most=256,
)  # fmt: skip
LATTICE = Cells(
    luts={4: "LUT4"}, inputs=("A", "B", "C", "D"), out="Z",
    joins=(("PFUMX", "BLUT", "ALUT", "C0", "Z"), *[("L6MUX21", "D0", "D1", "SD", "Z")] * 2), most=1024,
)  # fmt: skip


class LutTables(ys.Pass):
    """The pass; without arguments, on what is selected."""

    def __init__(self) -> None:
        super().__init__("lut_tables", "map registered tables to lookup tables and what joins them")
        self._numbers = itertools.count()
        self._family = XILINX

    def execute(self, args: Any, design: Any) -> None:
        """Replace every such table of the selected modules by cells."""
        ys.log_header(design, "Executing LUT_TABLES pass.\n")
        self._family = LATTICE if "-lattice" in [str(each) for each in args] else XILINX
        for _, cell in _cells(design):
            if _is_table(cell, self._family.most):
                cell.set_bool_attribute(_id(_MARK))
        ys.run_pass(f"memory_nordff a:{_MARK}", design)
        for module, cell in _cells(design):
            if cell.get_bool_attribute(_id(_MARK)):
                self._map(module, cell)

    def _map(self, module: Any, cell: Any) -> None:
        width, words = _number(cell, "WIDTH"), _number(cell, "SIZE")
        address, data = cell.getPort(_id("RD_ADDR")), cell.getPort(_id("RD_DATA"))
        # The first character is the highest bit of the last word; an undefined bit may be anything.
        text = cell.getParam(_id("INIT")).as_string()
        bits = (np.frombuffer(text.encode(), np.uint8)[::-1] == ord("1")).reshape(-1, width)[:words]
        module.remove(cell)
        address_bits = (words - 1).bit_length()
        columns = np.zeros((width, 1 << address_bits), bool)
        columns[:, :words] = bits.T
        ones = bits.sum(axis=0)
        made: dict[bytes, Any] = {}
        for bit, column in enumerate(np.packbits(columns, axis=1, bitorder="little")):
            contents = column.tobytes()
            out = data.extract(bit, 1)
            if ones[bit] in (0, words):
                module.connect(out, ys.SigSpec(ys.State.S1 if ones[bit] else ys.State.S0, 1))
            elif contents in made:
                module.connect(out, made[contents])
            else:
                made[contents] = out
                self._column(module, int.from_bytes(contents, "little"), address.extract(0, address_bits), out)

    def _column(self, module: Any, contents: int, address: Any, out: Any) -> None:
        """Cells that put bit ``address`` of ``contents`` out."""
        family = self._family
        inputs = min(address.size(), max(family.luts))
        words = 1 << inputs
        tables = (1 << address.size()) // words
        leaves = []
        for leaf in range(tables):
            ports = {name: address.extract(i, 1) for i, name in enumerate(family.inputs[:inputs])}
            put = self._wire(module) if tables > 1 else out
            cell = self._cell(module, family.luts[inputs], ports | {family.out: put})
            init = contents >> leaf * words & (1 << words) - 1
            cell.setParam(_id("INIT"), ys.Const.from_string(f"{init:0{words}b}"))
            leaves.append(put)
        for level in range(inputs, address.size()):
            pairs = list(zip(leaves[::2], leaves[1::2], strict=True))
            select, leaves = address.extract(level, 1), []
            for low, high in pairs:
                put = self._wire(module) if len(pairs) > 1 else out
                if level - inputs < len(family.joins):
                    join, lower, upper, choice, end = family.joins[level - inputs]
                    self._cell(module, join, {lower: low, upper: high, choice: select, end: put})
                else:
                    module.addMux(self._name(), low, high, select, put)
                leaves.append(put)

    def _cell(self, module: Any, kind: str, ports: dict[str, Any]) -> Any:
        cell = module.addCell(self._name(), _id(kind))
        for port, signal in ports.items():
            cell.setPort(_id(port), signal)
        return cell

    def _wire(self, module: Any) -> Any:
        return ys.SigSpec(module.addWire(self._name()))

    def _name(self) -> Any:
        # Counted: Module.uniquify tries every number anew, which takes minutes for a wide table.
        return ys.IdString(f"$lut_tables${next(self._numbers)}")


def _cells(design: Any) -> Iterator[tuple[Any, Any]]:
    for module in design.all_selected_modules():
        for cell in list(module.selected_cells()):
            yield module, cell


def _number(cell: Any, parameter: str) -> int:
    return int(cell.getParam(_id(parameter)).as_int())


def _is_table(cell: Any, most: int) -> bool:
    return (
        str(cell.type) == "$mem_v2"
        and _number(cell, "WR_PORTS") == _number(cell, "OFFSET") == 0
        and _number(cell, "RD_PORTS") == 1
        and cell.getParam(_id("RD_CLK_ENABLE")).as_bool()
        and FEWEST <= _number(cell, "SIZE") <= most
    )


#: Yosys keeps its passes by address: the object has to outlive the process' last script
PASS = LutTables()
