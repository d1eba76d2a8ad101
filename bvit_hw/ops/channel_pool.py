"""ChannelPool: sums of consecutive channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import CostTerms, IntArray, Params, RtlInstance, Stream, clog2, divisors
from bvit_hw.ops.circuits import loop_bits
from bvit_hw.ops.pool_common import PoolOp


@dataclass(frozen=True, kw_only=True)
class ChannelPool(PoolOp):
    """y[g] = sum of x[g * group .. (g + 1) * group - 1], full width; ``channels`` are the input's.

    ``pe`` input lanes are whole groups (pe / group output lanes) or a part of one (one output lane).
    """

    op_type: ClassVar[str] = "ChannelPool"
    contract_node: ClassVar[str] = "ChannelPool"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_loop_counter.sv", "bvit_channel_pool.sv")

    tokens: int
    channels: int
    group: int
    in_bits: int
    pe: int

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x = tensors[node.inputs[0]]
        return cls(tokens=x.tokens, channels=x.channels, group=int(node.attrs["group"]), in_bits=x.bits, pe=1)

    def check_fields(self) -> None:
        """Shape and folding."""
        if self.channels % self.group:
            raise ConfigError(
                f"ChannelPool: group={self.group} does not divide {self.channels} channels; "
                f"allowed: {divisors(self.channels)}"
            )
        if self.pe not in self._legal_pe():
            raise FoldingError(
                f"ChannelPool: pe={self.pe} with {self.channels} channels in groups of {self.group}; "
                f"allowed: {self._legal_pe()}"
            )

    def _legal_pe(self) -> list[int]:
        return [p for p in divisors(self.channels) if p % self.group == 0 or self.group % p == 0]

    @property
    def out_lanes(self) -> int:
        """Groups a beat, at least one."""
        return max(self.pe // self.group, 1)

    @property
    def sum_bits(self) -> int:
        """Width of a sum."""
        return self.in_bits + clog2(self.group)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """tokens x channels, signed."""
        return (Stream(tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=self.in_bits, signed=True),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """tokens x (channels / group), signed."""
        channels = self.channels // self.group
        return (Stream(tokens=self.tokens, channels=channels, lanes=self.out_lanes, bits=self.sum_bits, signed=True),)

    @property
    def ready_tables(self) -> int:
        """Its ready does not lie behind its enable."""
        return 1

    def foldings(self) -> Iterator[Self]:
        """Divisors of the channels that are a multiple or a divisor of the group, slowest first."""
        for pe in self._legal_pe():
            yield self.fold(pe=pe)

    def cost_terms(self) -> CostTerms:
        """Terms: constant, adder bits, bits of the loop counter; for FFs the output register and the counter."""
        beats = max(self.group // self.pe, 1)
        adders = self.pe - self.out_lanes + (self.out_lanes if beats > 1 else 0)
        registers = self.out_lanes * self.sum_bits + loop_bits(beats)
        return CostTerms(
            circuit=self.op_type,
            lut={"one": 1, "adder": adders * (self.in_bits + 1), "loop": loop_bits(beats)},
            ff={"one": 1, "register": registers},
        )

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """tokens x channels -> tokens x (channels / group)."""
        self.check_params(params)
        (x,) = frames
        groups = np.asarray(x, dtype=np.int64).reshape(self.tokens, self.channels // self.group, self.group)
        return (groups.sum(axis=2),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_channel_pool."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_channel_pool",
            parameters={"GROUP": self.group, "IN_BITS": self.in_bits, "PE": self.pe},
        )
