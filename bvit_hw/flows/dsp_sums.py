"""A pass of Yosys, ``dsp_sums``: registers of sums are left as ``xilinx_dsp`` packs them rightly.

``xilinx_dsp`` takes the adders beside a multiplier, and the registers behind these, into a DSP48E1. It removes an adder
that has no other user than the register, whatever becomes of the register. With pyosys 0.70 that goes wrong twice, and
what remains of the register reads an undriven wire:

- a register before the multiplier that others read as well (a running sum, or one that a later sum is made of). Its
  outputs are marked with ``keep``, which ``xilinx_dsp`` respects, and with ``kept_sum``, by which the script takes the
  former away afterwards;
- a register behind it that holds the sign more than once. It is cut to the bits that differ.

Yosys' own process runs this file, from a copy beside the sources: it imports nothing of bvit_hw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from pyosys import libyosys as ys

#: the name of a wire and the place in it
_Bit = tuple[str, int]
#: marks what was marked with ``keep``
_MARK = "kept_sum"
_SUMS = ("$add", "$sub")
_REGISTERS = ("$dff", "$dffe", "$sdff", "$sdffe")
#: without a reset, whose values would have to be cut as well
_PLAIN_REGISTERS = ("$dff", "$dffe")


class DspSums(ys.Pass):
    """The pass; without arguments, on what is selected. ``proc`` and ``opt_clean`` have run, nothing is mapped."""

    def __init__(self) -> None:
        super().__init__("dsp_sums", "prepare registers of sums beside multipliers for xilinx_dsp")

    def execute(self, _args: Any, design: Any) -> None:
        """Change the selected modules that multiply."""
        ys.log_header(design, "Executing DSP_SUMS pass.\n")
        for module in design.all_selected_modules():
            cells = list(module.selected_cells())
            if any(str(cell.type) == "$mul" for cell in cells):
                for cell in cells:
                    if str(cell.type) in _PLAIN_REGISTERS:
                        _cut(module, cell)
        ys.run_pass("opt_clean", design)
        for module in design.all_selected_modules():
            _mark(module, list(module.selected_cells()))


def _cut(module: Any, register: Any) -> None:
    """Drop the bits of ``register`` that hold what another one of it holds."""
    into, out = (register.getPort(_id(port)) for port in "DQ")
    first: dict[_Bit, int] = {}
    again = []
    for i, bit in enumerate(into.to_sigbit_vector()):
        # An initial value may differ where what comes later does not.
        if bit.is_wire() and not out.extract(i, 1).as_bit().wire.has_attribute(_id("init")):
            same = first.setdefault(_bit(bit), i)
            if same != i:
                again.append((i, same))
    if not again:
        return
    dropped = {i for i, _ in again}
    less_in, less_out = ys.SigSpec(), ys.SigSpec()
    for i in range(into.size()):
        if i not in dropped:
            less_in.append(into.extract(i, 1))
            less_out.append(out.extract(i, 1))
    register.setPort(_id("D"), less_in)
    register.setPort(_id("Q"), less_out)
    register.setParam(_id("WIDTH"), ys.Const(less_in.size(), 32))
    for i, same in again:
        module.connect(out.extract(i, 1), out.extract(same, 1))


def _mark(module: Any, cells: list[Any]) -> None:
    """Mark registers between a sum and a multiplier that others read."""
    products = [cell for cell in cells if str(cell.type) == "$mul"]
    if not products:
        return
    aliases = _aliases(module)
    readers: Counter[_Bit] = Counter()
    sums: set[_Bit] = set()
    registers: dict[_Bit, _Bit] = {}
    for cell in cells:
        for port in cell.connections_:
            if not cell.output(port):
                readers.update(_bits(cell.getPort(port)))
        kind = str(cell.type)
        if kind in _SUMS:
            sums.update(_bits(cell.getPort(_id("Y"))))
        elif kind in _REGISTERS:
            registers.update(zip(_bits(cell.getPort(_id("Q"))), _bits(cell.getPort(_id("D"))), strict=True))
    for product in products:
        for operand in "AB":
            for bit in product.getPort(_id(operand)).to_sigbit_vector():
                wires = [bit.wire, *aliases[_bit(bit)]] if bit.is_wire() else []
                shared = readers[_bit(bit)] > 1 or any(wire.port_output for wire in wires)
                # What is no sum may have several readers: the register is copied then, and nothing removed.
                if shared and registers.get(_bit(bit)) in sums:
                    for wire in wires:
                        wire.set_bool_attribute(_id("keep"))
                        wire.set_bool_attribute(_id(_MARK))


def _aliases(module: Any) -> defaultdict[_Bit, list[Any]]:
    """By bit, the wires that it is also known by: passes ask either for attributes."""
    found: defaultdict[_Bit, list[Any]] = defaultdict(list)
    for one, other in module.connections_:
        for a, b in zip(one.to_sigbit_vector(), other.to_sigbit_vector(), strict=True):
            if a.is_wire() and b.is_wire():
                found[_bit(a)].append(b.wire)
                found[_bit(b)].append(a.wire)
    return found


def _bits(signal: Any) -> list[_Bit]:
    return [_bit(bit) for bit in signal.to_sigbit_vector()]


def _bit(bit: Any) -> _Bit:
    """A bit's name: its wire's, after ``opt_clean`` the one by which all cells call it; each alias is joined to it."""
    return (str(bit.wire.name), int(bit.offset)) if bit.is_wire() else ("", 0)


def _id(name: str) -> Any:
    return ys.IdString(f"\\{name}")


#: Yosys keeps its passes by address: the object has to outlive the process' last script
PASS = DspSums()
