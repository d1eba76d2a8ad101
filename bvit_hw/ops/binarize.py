"""Binarize: per-channel threshold to one bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.ops.base import (
    CostTerms,
    HwOp,
    Intake,
    IntArray,
    Params,
    Resources,
    RtlInstance,
    Stream,
    divisors,
    require_divisor,
)
from bvit_hw.ops.circuits import counter_bits
from bvit_hw.ops.coef_memory import pack_words
from bvit_hw.ops.params import ParamSpec


@dataclass(frozen=True, kw_only=True)
class Binarize(HwOp):
    """bit = x >= threshold[c]: sign(x + move) of a signed tensor, tokens x channels; see bvit_binarize.sv.

    ``pe`` channels a cycle. ``params``: ``threshold`` (channels), from the lowest value of x (always 1) to the highest
    plus one (never 1).
    """

    op_type: ClassVar[str] = "Binarize"
    contract_node: ClassVar[str] = "Binarize"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_beat_counter.sv", "bvit_rom.sv", "bvit_binarize.sv")

    tokens: int
    channels: int
    in_bits: int
    pe: int = 1

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x = tensors[node.inputs[0]]
        return cls(tokens=x.tokens, channels=x.channels, in_bits=x.bits, pe=1)

    def check_fields(self) -> None:
        """Shape and folding."""
        require_divisor("Binarize", "pe", self.pe, self.channels, "channels")

    @property
    def beats(self) -> int:
        """Beats a token."""
        return self.channels // self.pe

    @property
    def memory_shape(self) -> tuple[int, int]:
        """Width and depth of the threshold memory."""
        return self.pe * (self.in_bits + 1), self.beats

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """One signed stream."""
        return (
            Stream(tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=self.in_bits, signed=True),
        )

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """Bits, 1 for +1."""
        return (Stream(tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=1, signed=False),)

    @property
    def cycles(self) -> int:
        """One a beat."""
        return self.tokens * self.beats

    @property
    def intake(self) -> Intake:
        """A pipeline; behind it a FIFO has one bit a channel to hold."""
        return Intake.FLOWS

    @property
    def ready_tables(self) -> int:
        """Its ready does not lie behind its enable."""
        return 1

    def foldings(self) -> Iterator[Self]:
        """Every pe."""
        for pe in divisors(self.channels):
            yield replace(self, pe=pe)

    def cost_terms(self) -> CostTerms:
        """A comparator a lane, its threshold's table, the counter."""
        memories = self.target.memories
        luts, halves = memories.tables([self.memory_shape])
        threshold = 0 if memories.table_in_block(*self.memory_shape) else self.in_bits + 1
        return CostTerms(
            circuit="Binarize",
            lut={"one": 1, "table": luts, "compare": self.pe * self.in_bits},
            ff={"one": 1, "counter": counter_bits(self.beats, 1), "lane": self.pe * (1 + self.in_bits + threshold)},
            exact=Resources(bram18=halves),
        )

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``threshold``: channels integers within lowest x .. highest x + 1."""
        (x,) = self.inputs
        spec = ParamSpec(shape=(self.channels,), bits=self.in_bits + 1, limits=(x.low, x.high + 1))
        return {"threshold": spec}

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """Zeros and ones, tokens x channels."""
        (frame,) = frames
        x = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.channels)
        return ((x >= np.asarray(params["threshold"], dtype=np.int64)).astype(np.int64),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_binarize."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_binarize",
            parameters={
                "PE": self.pe,
                "BEATS": self.beats,
                "IN_BITS": self.in_bits,
                "THRESHOLD_BLOCK": int(self.target.memories.table_in_block(*self.memory_shape)),
            },
            memories={
                "THRESHOLD_FILE": pack_words(np.asarray(params["threshold"]).reshape(-1, self.pe), self.in_bits + 1)
            },
        )
