"""PatchGather: the tokens of a window side by side, for convolutions whose stride is their window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.ops.base import CostTerms, IntArray, Params, Resources, RtlInstance, Stream
from bvit_hw.ops.circuits import buffered_terms, loop_bits
from bvit_hw.ops.pool_common import PoolOp


@dataclass(frozen=True, kw_only=True)
class PatchGather(PoolOp):
    """Output token (Y, X), channel (ky * window_w + kx) * channels + c is x(Y * window_h + ky, X * window_w + kx)[c].

    ``height``, ``width`` and ``channels`` are the input's. The module holds 2 * (window_h - 1) rows, less than two
    bands of window_h rows: a window leaves as soon as its last row comes in.
    """

    op_type: ClassVar[str] = "PatchGather"
    contract_node: ClassVar[str] = "PatchGather"
    zero_fields: ClassVar[tuple[str, ...]] = ("signed",)
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_loop_counter.sv", "bvit_ram.sv", "bvit_patch_gather.sv")

    height: int
    width: int
    channels: int
    window_h: int
    window_w: int
    bits: int
    signed: int
    pe: int

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x = tensors[node.inputs[0]]
        width, channels = x.width, x.channels
        window_h, window_w = int(node.attrs["window_h"]), int(node.attrs["window_w"])
        if not x.binary and not x.signed:
            # A window's row of pixels is one token: the order (ky, kx, c) stays, and lanes may span pixels.
            width, channels, window_w = width // window_w, channels * window_w, 1
        return cls(
            height=x.height, width=width, channels=channels, window_h=window_h, window_w=window_w, bits=x.bits,
            signed=int(x.signed), pe=1,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        self.check_flag("signed")
        self.check_window()
        self.check_pe()

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """(height * width) x channels."""
        return (self._stream(self.height * self.width, self.channels),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """(height/window_h * width/window_w) x (window_h * window_w * channels)."""
        window = self.window_h * self.window_w
        return (self._stream(self.height * self.width // window, window * self.channels),)

    def _stream(self, tokens: int, channels: int) -> Stream:
        return Stream(tokens=tokens, channels=channels, lanes=self.pe, bits=self.bits, signed=bool(self.signed))

    @property
    def ready_tables(self) -> int:
        """Room is made by what is read, and that waits for what is there; without the ring it is a table."""
        return 4 if self.words else 1

    @property
    def lags(self) -> tuple[float, ...]:
        """A row of windows."""
        return (self.window_h / self.height,)

    @property
    def words(self) -> int:
        """Depth of the buffer; 0 where the order of beats does not change."""
        if self.window_w == self.width:
            return 0
        return 2 * (self.window_h - 1) * self.width * self.channels // self.pe

    @property
    def block(self) -> bool:
        """Whether the buffer is block RAM."""
        return self.target.memories.buffer_in_block(self.pe * self.bits, self.words)

    def cost_terms(self) -> CostTerms:
        """Those of its buffer, see :func:`buffered_terms`."""
        if not self.words:
            return CostTerms(circuit=self.op_type, exact=Resources(lut=2, ff=1), ff={"out": self.pe * self.bits})
        loops = loop_bits(self.window_w * self.channels // self.pe, self.window_h, self.width // self.window_w)
        return buffered_terms(self, words=self.words, width=self.pe * self.bits, loops=loops, block=self.block)

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """(height * width) x channels -> (height/window_h * width/window_w) x (window_h * window_w * channels)."""
        self.check_params(params)
        (x,) = frames
        rows, columns = self.height // self.window_h, self.width // self.window_w
        windows = np.asarray(x, dtype=np.int64).reshape(rows, self.window_h, columns, self.window_w, self.channels)
        return (windows.transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_patch_gather."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_patch_gather",
            parameters={
                "WIDTH": self.width, "CHANNELS": self.channels, "WINDOW_H": self.window_h, "WINDOW_W": self.window_w,
                "BITS": self.bits, "PE": self.pe, "BLOCK": int(self.block),
            },
        )  # fmt: skip
