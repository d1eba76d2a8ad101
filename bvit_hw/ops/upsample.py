"""Upsample: nearest neighbour on the token grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, IntArray, Params, RtlInstance, Stream
from bvit_hw.ops.circuits import buffered_terms, loop_bits
from bvit_hw.ops.pool_common import PoolOp


@dataclass(frozen=True, kw_only=True)
class Upsample(PoolOp):
    """y(Y, X) = x(Y div factor, X div factor); ``height`` and ``width`` are the output's.

    The module buffers two input rows: the next one is taken while the present one is repeated.
    """

    op_type: ClassVar[str] = "Upsample"
    contract_node: ClassVar[str] = "Upsample"
    zero_fields: ClassVar[tuple[str, ...]] = ("signed",)
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_loop_counter.sv", "bvit_ram.sv", "bvit_replay.sv", "bvit_upsample.sv",
    )  # fmt: skip

    height: int
    width: int
    channels: int
    factor: int
    bits: int
    signed: int
    pe: int

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x, out = tensors[node.inputs[0]], tensors[node.output]
        return cls(
            height=out.height, width=out.width, channels=x.channels, factor=int(node.attrs["factor"]), bits=x.bits,
            signed=int(x.signed), pe=1,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        self.check_flag("signed")
        if self.height % self.factor or self.width % self.factor:
            allowed = [f for f in range(1, min(self.height, self.width) + 1) if not (self.height % f or self.width % f)]
            raise ConfigError(
                f"Upsample: factor={self.factor} does not divide {self.height} x {self.width}; allowed: {allowed}"
            )
        self.check_pe()

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """(height/factor * width/factor) x channels."""
        return (self._stream(self.height * self.width // self.factor**2),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """(height * width) x channels."""
        return (self._stream(self.height * self.width),)

    def _stream(self, tokens: int) -> Stream:
        return Stream(
            tokens=tokens, channels=self.channels, lanes=self.pe, bits=self.bits, signed=bool(self.signed)
        )

    @property
    def ready_passes(self) -> bool:
        """Its ready tells whether its memory has room."""
        return False

    @property
    def words(self) -> int:
        """Depth of the buffer: two input rows."""
        return 2 * (self.width // self.factor) * self.channels // self.pe

    @property
    def block(self) -> bool:
        """Whether the buffer is block RAM."""
        return self.target.memories.buffer_in_block(self.pe * self.bits, self.words)

    def cost_terms(self) -> CostTerms:
        """Those of its buffer, see :func:`buffered_terms`."""
        loops = loop_bits(self.channels // self.pe, self.width // self.factor, self.factor, self.factor)
        return buffered_terms(self, words=self.words, width=self.pe * self.bits, loops=loops, block=self.block)

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """(height/factor * width/factor) x channels -> (height * width) x channels."""
        self.check_params(params)
        (x,) = frames
        grid = np.asarray(x, dtype=np.int64).reshape(
            self.height // self.factor, self.width // self.factor, self.channels
        )
        large = grid.repeat(self.factor, axis=0).repeat(self.factor, axis=1)
        return (large.reshape(self.height * self.width, self.channels),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_upsample."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_upsample",
            parameters={
                "WIDTH": self.width, "CHANNELS": self.channels, "FACTOR": self.factor, "BITS": self.bits,
                "PE": self.pe, "BLOCK": int(self.block),
            },
        )  # fmt: skip
