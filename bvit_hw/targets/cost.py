"""What a circuit takes of an FPGA, and the counts from which a target predicts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a circuit takes of an FPGA. LUTs count LUTRAM; ``bram18`` counts 18-Kbit halves."""

    lut: float = 0
    ff: float = 0
    bram18: float = 0
    uram: float = 0
    dsp: float = 0

    # Field by field, as folding adds half a million of them.
    def __add__(self, other: Resources) -> Resources:
        return Resources(
            lut=self.lut + other.lut,
            ff=self.ff + other.ff,
            bram18=self.bram18 + other.bram18,
            uram=self.uram + other.uram,
            dsp=self.dsp + other.dsp,
        )

    def __sub__(self, other: Resources) -> Resources:
        return Resources(**{f.name: getattr(self, f.name) - getattr(other, f.name) for f in fields(self)})


#: the kinds of resources, in the order of every cost
KINDS = tuple(f.name for f in fields(Resources))


@dataclass(frozen=True, kw_only=True)
class CostTerms:
    """Counts that a circuit's structure gives: bits of its adders, tables, multiplexers and so on, by name.

    ``circuit`` names the target's coefficients, which say how many LUTs and registers one of each term takes. What is
    known without them, memories and DSP blocks, is ``exact``. With ``whole`` the weighed LUTs are rounded.
    """

    circuit: str
    lut: Mapping[str, float] = field(default_factory=dict)
    ff: Mapping[str, float] = field(default_factory=dict)
    exact: Resources = Resources()
    whole: bool = False
