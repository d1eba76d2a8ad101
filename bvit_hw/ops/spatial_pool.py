"""SpatialPool: sums over non-overlapping windows of the token grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.ops.base import CostTerms, IntArray, Params, RtlInstance, Stream, clog2
from bvit_hw.ops.circuits import loop_bits
from bvit_hw.ops.pool_common import PoolOp


@dataclass(frozen=True, kw_only=True)
class SpatialPool(PoolOp):
    """Window sums, full width, stride = window; ``height`` and ``width`` are the input's.

    A window of the whole grid sums all tokens (the mean before the classifier, its divisor elsewhere).
    """

    op_type: ClassVar[str] = "SpatialPool"
    contract_node: ClassVar[str] = "SpatialPool"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_loop_counter.sv", "bvit_ram.sv", "bvit_spatial_pool.sv")

    height: int
    width: int
    channels: int
    window_h: int
    window_w: int
    in_bits: int
    pe: int

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x = tensors[node.inputs[0]]
        return cls(
            height=x.height, width=x.width, channels=x.channels, window_h=int(node.attrs["window_h"]),
            window_w=int(node.attrs["window_w"]), in_bits=x.bits, pe=1,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        self.check_window()
        self.check_pe()

    @property
    def sum_bits(self) -> int:
        """Width of a sum."""
        return self.in_bits + clog2(self.window_h * self.window_w)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """(height * width) x channels, signed."""
        tokens = self.height * self.width
        return (Stream(tokens=tokens, channels=self.channels, lanes=self.pe, bits=self.in_bits, signed=True),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """(height/window_h * width/window_w) x channels, signed."""
        tokens = (self.height // self.window_h) * (self.width // self.window_w)
        return (Stream(tokens=tokens, channels=self.channels, lanes=self.pe, bits=self.sum_bits, signed=True),)

    @property
    def ready_tables(self) -> int:
        """Its ready does not lie behind its enable."""
        return 1

    @property
    def lags(self) -> tuple[float, ...]:
        """A row of windows."""
        return (self.window_h / self.height,)

    @property
    def words(self) -> int:
        """Running sums of a lane: of one token, or of a row of windows when a window has several rows."""
        beats = self.channels // self.pe
        return beats if self.window_h == 1 else beats * self.width // self.window_w

    @property
    def block(self) -> bool:
        """Whether the running sums lie in block RAM."""
        return self.target.memories.buffer_in_block(self.pe * self.sum_bits, self.words)

    def cost_terms(self) -> CostTerms:
        """Terms: constant, adder bits, address bits, bits of the loop counters; for FFs the sums' registers."""
        width = self.pe * self.sum_bits
        beats = self.channels // self.pe
        address = clog2(self.words)
        loops = loop_bits(beats, self.window_w, self.window_h, self.width // self.window_w)
        registers = width  # the output
        if not self.block and self.words > 1:
            registers += width  # the word read
        if beats == 1 and self.words > 1:
            registers += width  # the sum passed on to the next token
        exact = self.target.memories.buffer(width, self.words, block=self.block)
        return CostTerms(
            circuit=self.op_type,
            lut={"one": 1, "adder": width, "address": address, "loop": loops},
            ff={"one": 1, "register": registers, "counter": address + loops},
            exact=exact,
        )

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """(height * width) x channels -> (height/window_h * width/window_w) x channels."""
        self.check_params(params)
        (x,) = frames
        rows, columns = self.height // self.window_h, self.width // self.window_w
        windows = np.asarray(x, dtype=np.int64).reshape(rows, self.window_h, columns, self.window_w, self.channels)
        return (windows.sum(axis=(1, 3)).reshape(rows * columns, self.channels),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_spatial_pool."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_spatial_pool",
            parameters={
                "WIDTH": self.width, "CHANNELS": self.channels, "WINDOW_H": self.window_h, "WINDOW_W": self.window_w,
                "IN_BITS": self.in_bits, "PE": self.pe, "BLOCK": int(self.block),
            },
        )  # fmt: skip
