"""Fifo: first-word-fall-through FIFO between two operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import HwOp, IntArray, Params, Resources, RtlInstance, Stream

STYLES = ("small", "large")


@dataclass(frozen=True, kw_only=True)
class Fifo(HwOp):
    """Holds ``depth`` beats. ``style`` "small" uses registers or LUT RAM, "large" block RAM."""

    op_type: ClassVar[str] = "Fifo"
    folding_fields: ClassVar[tuple[str, ...]] = ("pe",)
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_fifo.sv",)

    tokens: int
    channels: int
    bits: int
    signed: bool
    pe: int
    depth: int = 2
    style: str = "small"

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ConfigError(f"Fifo: style={self.style!r}; allowed: {', '.join(STYLES)}")
        least = 4 if self.style == "large" else 2
        if self.depth < least:
            raise ConfigError(f"Fifo: depth={self.depth}; allowed with style {self.style!r}: {least} or more")
        _ = self.stream

    @property
    def stream(self) -> Stream:
        """The stream on both sides."""
        return Stream(
            tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=self.bits, signed=self.signed
        )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """One stream."""
        return (self.stream,)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The same stream."""
        return (self.stream,)

    @property
    def cycles(self) -> int:
        """One a beat."""
        return self.stream.beats

    def foldings(self) -> Iterator[Self]:
        """Only the one given: a FIFO takes the lanes of its neighbours."""
        yield self

    def resources(self) -> Resources:
        """See benchmarks; a beat's bits in registers, LUT RAM or block RAM."""
        return Resources()

    def check_params(self, params: Params) -> None:
        """It has none."""
        if params:
            raise ConfigError(f"Fifo: given parameters {sorted(params)}; it has none")

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """What goes in comes out."""
        (frame,) = frames
        return (np.asarray(frame, dtype=np.int64),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_fifo."""
        return RtlInstance(
            module="bvit_fifo",
            parameters={"W": self.stream.width, "DEPTH": self.depth, "BLOCK": int(self.style == "large")},
        )
