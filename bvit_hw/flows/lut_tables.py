"""A pass of Yosys, ``lut_tables``: read-only tables become the lookup tables that they are, before ABC looks for some.

A table of 64 words is a LUT6 for each bit of a word, whatever it holds. Yosys spells such a table out as multiplexers,
and ABC puts them together again: for the weights of a wide BinaryMVAU that is nearly all of its work. This pass writes
the cells at once. It takes the tables with a register behind them, as bvit_rom.sv has, for nothing merges into those;
of 9 to 256 words, where ABC comes to the same counts: fewer words hold columns that are less than a table, and more are
joined by further LUTs.

Yosys' own process runs this file, from a copy beside the sources: it imports nothing of bvit_hw.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyosys import libyosys as ys

#: words of a table that is taken, at least and at most
FEWEST, MOST = 9, 256
#: inputs of the target's largest lookup table, and the cells that join two of them, then two of those
_LUT_INPUTS = 6
_JOINS = ("MUXF7", "MUXF8")
#: marks what is taken, while the registers are drawn out of it
_MARK = "lut_table"


def _id(name: str) -> Any:
    return ys.IdString(f"\\{name}")


class LutTables(ys.Pass):
    """The pass; without arguments, on what is selected."""

    def __init__(self) -> None:
        super().__init__("lut_tables", f"map registered tables of {FEWEST} to {MOST} words to LUTs and MUXF7, MUXF8")
        self._numbers = itertools.count()

    def execute(self, _args: Any, design: Any) -> None:
        """Replace every such table of the selected modules by cells."""
        ys.log_header(design, "Executing LUT_TABLES pass.\n")
        for _, cell in _cells(design):
            if _is_table(cell):
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
        inputs = min(address.size(), _LUT_INPUTS)
        words = 1 << inputs
        leaves = []
        for leaf in range((1 << address.size()) // words):
            cell = self._cell(module, f"LUT{inputs}", {f"I{i}": address.extract(i, 1) for i in range(inputs)})
            init = contents >> leaf * words & (1 << words) - 1
            cell.setParam(_id("INIT"), ys.Const.from_string(f"{init:0{words}b}"))
            leaves.append(cell)
        for level, join in zip(range(_LUT_INPUTS, address.size()), _JOINS, strict=False):
            select = address.extract(level, 1)
            leaves = [
                self._cell(module, join, {"I0": self._out(module, low), "I1": self._out(module, high), "S": select})
                for low, high in zip(leaves[::2], leaves[1::2], strict=True)
            ]
        (last,) = leaves
        last.setPort(_id("O"), out)

    def _cell(self, module: Any, kind: str, ports: dict[str, Any]) -> Any:
        cell = module.addCell(self._name(), _id(kind))
        for port, signal in ports.items():
            cell.setPort(_id(port), signal)
        return cell

    def _out(self, module: Any, cell: Any) -> Any:
        """The output of ``cell``, on a wire of its own."""
        wire = ys.SigSpec(module.addWire(self._name()))
        cell.setPort(_id("O"), wire)
        return wire

    def _name(self) -> Any:
        # Counted: Module.uniquify tries every number anew, which takes minutes for a wide table.
        return ys.IdString(f"$lut_tables${next(self._numbers)}")


def _cells(design: Any) -> Iterator[tuple[Any, Any]]:
    for module in design.all_selected_modules():
        for cell in list(module.selected_cells()):
            yield module, cell


def _number(cell: Any, parameter: str) -> int:
    return int(cell.getParam(_id(parameter)).as_int())


def _is_table(cell: Any) -> bool:
    return (
        str(cell.type) == "$mem_v2"
        and _number(cell, "WR_PORTS") == _number(cell, "OFFSET") == 0
        and _number(cell, "RD_PORTS") == 1
        and cell.getParam(_id("RD_CLK_ENABLE")).as_bool()
        and FEWEST <= _number(cell, "SIZE") <= MOST
    )


#: Yosys keeps its passes by address: the object has to outlive the process' last script
PASS = LutTables()
