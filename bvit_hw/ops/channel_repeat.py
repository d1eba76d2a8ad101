"""ChannelRepeat: whole copies of a token side by side along the channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import FoldingError
from bvit_hw.ops.base import CostTerms, IntArray, Params, RtlInstance, Stream, divisors, require_divisor
from bvit_hw.ops.circuits import buffered_terms, loop_bits
from bvit_hw.ops.pool_common import PoolOp


@dataclass(frozen=True, kw_only=True)
class ChannelRepeat(PoolOp):
    """y[r * channels + c] = x[c] for r = 0 .. repeat - 1; ``channels`` are the input's.

    The module buffers two tokens: the next one is taken while the present one is repeated. Where a beat holds a whole
    token, ``copies`` of it leave side by side, so that the output may have more lanes than the input has channels.
    """

    op_type: ClassVar[str] = "ChannelRepeat"
    contract_node: ClassVar[str] = "ChannelRepeat"
    folding_fields: ClassVar[tuple[str, ...]] = ("pe", "copies")
    zero_fields: ClassVar[tuple[str, ...]] = ("signed",)
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_loop_counter.sv", "bvit_ram.sv", "bvit_replay.sv", "bvit_channel_repeat.sv",
    )  # fmt: skip

    tokens: int
    channels: int
    repeat: int
    bits: int
    signed: int
    pe: int
    copies: int = 1

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x, repeat = tensors[node.inputs[0]], int(node.attrs["repeat"])
        return cls(tokens=x.tokens, channels=x.channels, repeat=repeat, bits=x.bits, signed=int(x.signed), pe=1)

    def check_fields(self) -> None:
        """Shape and folding."""
        self.check_flag("signed")
        self.check_pe()
        require_divisor(self.op_type, "copies", self.copies, self.repeat, "copies of a token")
        if self.copies > 1 and self.pe < self.channels:
            raise FoldingError(
                f"ChannelRepeat: copies={self.copies} with pe={self.pe}; allowed: 1, or pe={self.channels}, "
                "a whole token"
            )

    def foldings(self) -> Iterator[Self]:
        """Each divisor of the channels; then each number of whole tokens side by side."""
        yield from (self.fold(pe=pe, copies=1) for pe in divisors(self.channels))
        yield from (self.fold(pe=self.channels, copies=copies) for copies in divisors(self.repeat)[1:])

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """tokens x channels."""
        return (self._stream(self.channels, self.pe),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """tokens x (repeat * channels)."""
        return (self._stream(self.repeat * self.channels, self.copies * self.pe),)

    def _stream(self, channels: int, lanes: int) -> Stream:
        return Stream(tokens=self.tokens, channels=channels, lanes=lanes, bits=self.bits, signed=bool(self.signed))

    @property
    def ready_passes(self) -> bool:
        """Its ready tells whether its memory has room."""
        return False

    @property
    def words(self) -> int:
        """Depth of the buffer: two tokens."""
        return 2 * self.channels // self.pe

    @property
    def block(self) -> bool:
        """Whether the buffer is block RAM."""
        return self.target.memories.buffer_in_block(self.pe * self.bits, self.words)

    def cost_terms(self) -> CostTerms:
        """Those of its buffer, see :func:`buffered_terms`."""
        loops = loop_bits(self.words // 2, self.repeat // self.copies)
        return buffered_terms(self, words=self.words, width=self.pe * self.bits, loops=loops, block=self.block)

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """tokens x channels -> tokens x (repeat * channels)."""
        self.check_params(params)
        (x,) = frames
        return (np.tile(np.asarray(x, dtype=np.int64).reshape(self.tokens, self.channels), (1, self.repeat)),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_channel_repeat."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_channel_repeat",
            parameters={
                "CHANNELS": self.channels, "REPEAT": self.repeat, "BITS": self.bits, "PE": self.pe,
                "COPIES": self.copies, "BLOCK": int(self.block),
            },
        )  # fmt: skip
