"""How long a target's cells and wires take: from which an operator's longest path is estimated before it is placed.

A cell is asked for by its name and parameters, and answers with three tables: from the clock to an output, from an
input to the clock, and from an input to an output, all in ns. A wire takes what the target allows it for its fan-out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log2


@dataclass(frozen=True, kw_only=True)
class CellDelays:
    """Delays of one cell, in ns, by its ports.

    ``clocked`` is from the clock's edge to an output, ``setup`` from an input to the edge, ``through`` from an input
    to an output. Ports in ``direct`` are reached by a wire of their own that takes no time, such as a carry. With
    ``rising`` a bit of an input of several reaches the bits of an output that are not below it.
    """

    clocked: Mapping[str, float] = field(default_factory=dict)
    setup: Mapping[str, float] = field(default_factory=dict)
    through: Mapping[tuple[str, str], float] = field(default_factory=dict)
    direct: frozenset[str] = frozenset()
    rising: bool = False


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Delays of a target: ``of`` gives those of a cell, None for one that it does not know.

    A wire to one input takes ``wire`` ns, and ``wire_doubling`` more each time that its fan-out doubles. ``source``
    says where cells' and wires' figures are from. ``controls`` maps a flip-flop's cell to its ports of clock, enable
    and reset ("" where it has none); ``luts_per_control_set`` is how many LUTs of the FPGA there are for each set of
    these that its slices can tell apart.
    """

    of: Callable[[str, Mapping[str, str]], CellDelays | None]
    wire: float
    wire_doubling: float
    source: str
    controls: Mapping[str, tuple[str, str, str]]
    luts_per_control_set: int

    def wire_ns(self, fan_out: float) -> float:
        """What a wire with so many sinks takes."""
        return self.wire + self.wire_doubling * log2(max(fan_out, 1))

    @property
    def lut(self) -> float:
        """What a lookup table takes."""
        return max(self._known("LUT4").through.values())

    @property
    def register(self) -> float:
        """What a flip-flop takes from the clock to its output."""
        return max(self._known(next(iter(self.controls))).clocked.values())

    @property
    def enable(self) -> float:
        """How long before the clock a flip-flop's enable is there."""
        cell, (_, port, _) = next(iter(self.controls.items()))
        return self._known(cell).setup[port]

    def _known(self, cell: str) -> CellDelays:
        found = self.of(cell, {})
        assert found is not None, cell
        return found


def crossed(inputs: str, output: str, ns: float) -> dict[tuple[str, str], float]:
    """From each of some ports (their names, separated by spaces) to ``output``."""
    return {(name, output): ns for name in inputs.split()}


def number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """A parameter of a cell as Yosys writes it: binary digits."""
    text = parameters.get(name)
    return default if text is None else int(text, 2)
