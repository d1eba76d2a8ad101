"""What the pooling and data-moving operators share: field checks, memory choice, and the form of their cost models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import HwOp, Resources, clog2, divisors, require_divisor
from bvit_hw.ops.block_ram import BUFFER_LUTS_PER_BRAM18, bram18s


def lutram_luts(width: int, depth: int) -> int:
    """LUTs of a simple dual-port LUT RAM on 7 series: RAM32M holds 6 bits, RAM64M 3; deeper ones are banks of RAM64M.

    The decoder and the multiplexers between banks are fitted to Yosys counts of bvit_line_ram.sv.
    """
    if depth <= 1:
        return 0
    if depth <= 32:
        return 4 * -(-width // 6)
    if depth <= 64:
        return 4 * -(-width // 3)
    return round(-(-depth // 64) * (4 * -(-width // 3) + 0.44 * width + 1.3))


def prefers_block(width: int, depth: int) -> bool:
    """Whether a memory goes to block RAM, given what LUTs and block RAM are worth to each other."""
    return depth > 32 and lutram_luts(width, depth) > BUFFER_LUTS_PER_BRAM18 * bram18s(width, depth)


def memory(width: int, depth: int, block: bool) -> Resources:
    """Cost of one memory in the given style, without its read register."""
    if block and depth > 1:
        return Resources(bram18=bram18s(width, depth))
    return Resources(lut=lutram_luts(width, depth), ff=width if depth == 1 else 0)


@dataclass(frozen=True, kw_only=True)
class CostTerms:
    """A cost that is known (``exact``: memories, DSP blocks) and the terms whose weights are fitted to Yosys counts."""

    exact: Resources
    lut: tuple[float, ...]
    ff: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class PoolOp(HwOp):
    """Base of these operators: cost = exact terms + fitted weights x terms (benchmarks/pool_cost.py fits them)."""

    lut_weights: ClassVar[tuple[float, ...]]
    ff_weights: ClassVar[tuple[float, ...]]

    #: channels that ``pe`` lanes have to divide
    @property
    @abstractmethod
    def folded_channels(self) -> int:
        """The number of channels of a token, of which ``pe`` go side by side."""

    @abstractmethod
    def cost_terms(self) -> CostTerms:
        """The terms of the cost model, in the order of ``lut_weights`` and ``ff_weights``."""

    def resources(self) -> Resources:
        """Fitted to Yosys ``synth_xilinx -family xc7`` by benchmarks/pool_cost.py, which also states the error."""
        terms = self.cost_terms()
        fitted = Resources(
            lut=sum(w * t for w, t in zip(self.lut_weights, terms.lut, strict=True)),
            ff=sum(w * t for w, t in zip(self.ff_weights, terms.ff, strict=True)),
        )
        return terms.exact + fitted

    def foldings(self) -> Iterator[Self]:
        """One for each divisor of the channels, slowest first."""
        for pe in divisors(self.folded_channels):
            yield self.fold(pe=pe)

    def check_flag(self, name: str) -> None:
        """Raise ConfigError unless the named field is 0 or 1."""
        value = getattr(self, name)
        if value not in (0, 1):
            raise ConfigError(f"{self.op_type}: {name}={value}; allowed: 0 or 1")

    def check_pe(self) -> None:
        """Raise FoldingError unless ``pe`` divides the channels."""
        require_divisor(self.op_type, "pe", self.fold_value("pe"), self.folded_channels, "channels")

    def check_window(self) -> None:
        """Raise ConfigError unless ``window_h x window_w`` divides the grid ``height x width``."""
        for side, window in (("height", "window_h"), ("width", "window_w")):
            size, part = getattr(self, side), getattr(self, window)
            if size % part:
                raise ConfigError(f"{self.op_type}: {window}={part} does not divide {side}={size}; "
                                  f"allowed: {divisors(size)}")  # fmt: skip

    def fold_value(self, name: str) -> int:
        """The value of a folding field."""
        return int(getattr(self, name))


def loop_bits(*counts: int) -> int:
    """Bits of the loop counters that run to these counts."""
    return sum(clog2(count) for count in counts)
