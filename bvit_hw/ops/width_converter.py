"""WidthConverter: the same channels in the same order, another number of lanes a beat."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import ClassVar

from bvit_hw.ops.base import CostTerms, Intake, Params, RtlInstance, Stream, clog2
from bvit_hw.ops.glue_common import GlueOp


def _mux_terms(width: int, ways: int) -> dict[str, float]:
    """LUTs of a multiplexer, as Yosys maps it (an index that is no power of two costs an adder)."""
    plain = 1.0 if ways <= 4 else ways / 3
    return {"odd_mux" if ways > 8 and ways & (ways - 1) else "mux": width * plain}


@dataclass(frozen=True, kw_only=True)
class WidthConverter(GlueOp):
    """``lanes_in`` to ``lanes_out`` channels a beat, any ratio; both come from the neighbours."""

    op_type: ClassVar[str] = "WidthConverter"
    folding_fields: ClassVar[tuple[str, ...]] = ("lanes_in", "lanes_out")
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_width_converter.sv",)

    lanes_in: int
    lanes_out: int

    def check_fields(self) -> None:
        """Shape and folding."""
        _ = self.inputs, self.outputs

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """``lanes_in`` channels a beat."""
        return (self.carried(self.lanes_in),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """``lanes_out`` channels a beat."""
        return (self.carried(self.lanes_out),)

    @property
    def intake(self) -> Intake:
        """To a divisor of its lanes it picks whole beats out of each wider one; else it fills a register."""
        narrows = self.lanes_in > self.lanes_out and self.lanes_in % self.lanes_out == 0
        return Intake.SPLITS if narrows else Intake.FLOWS

    @property
    def ready_passes(self) -> bool:
        """But for ratios that are not whole: those go through registers that are written in place."""
        return self.lanes_in % self.lanes_out == 0 or self.lanes_out % self.lanes_in == 0

    def cost_terms(self) -> CostTerms:
        """Registers on the way up, a multiplexer on the way down, both for other ratios."""
        width_in, width_out = self.lanes_in * self.bits, self.lanes_out * self.bits
        if width_in == width_out:
            return CostTerms(circuit=self.op_type)
        if width_out % width_in == 0:
            registers = width_out - width_in + clog2(width_out // width_in)
            return CostTerms(circuit=self.op_type, lut={"up": 1}, ff={"register": registers})
        if width_in % width_out == 0:
            ways = width_in // width_out
            luts = {**_mux_terms(width_out, ways), "control": 1 + clog2(ways)}
            return CostTerms(circuit=self.op_type, lut=luts, ff={"register": clog2(ways)})
        unit = gcd(width_in, width_out)
        units_in, units_out = width_in // unit, width_out // unit
        units = units_in * units_out
        return CostTerms(
            circuit=self.op_type,
            lut={**_mux_terms(width_out, units_in), "control": 5 + 2 * clog2(units + 1) + units_out},
            ff={"register": units * unit + clog2(units + 1) + clog2(units_in) + clog2(units_out)},
        )

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_width_converter."""
        return RtlInstance(
            module="bvit_width_converter",
            parameters={"W_IN": self.inputs[0].width, "W_OUT": self.outputs[0].width},
        )
