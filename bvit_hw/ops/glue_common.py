"""What the operators of the glue share: they carry a tensor on, as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from bvit_hw.ops.base import HwOp, IntArray, Params, Stream


@dataclass(frozen=True, kw_only=True)
class GlueOp(HwOp):
    """Base of these operators: the tensor's shape; lanes come from the neighbours, so that there is one folding."""

    zero_fields: ClassVar[tuple[str, ...]] = ("signed",)
    is_glue: ClassVar[bool] = True

    tokens: int
    channels: int
    bits: int
    signed: bool

    @classmethod
    def of(cls, stream: Stream, **others: Any) -> Self:
        """The operator that carries what ``stream`` does; ``others`` are its further fields."""
        return cls(
            tokens=stream.tokens, channels=stream.channels, bits=stream.bits, signed=bool(stream.signed), **others
        )

    def carried(self, lanes: int) -> Stream:
        """The tensor in so many lanes; raises FoldingError where they do not divide the channels."""
        return Stream(tokens=self.tokens, channels=self.channels, lanes=lanes, bits=self.bits, signed=self.signed)

    @property
    def ready_tables(self) -> int:
        """See :class:`HwOp`."""
        return 1

    @property
    def cycles(self) -> int:
        """Beats of the busiest side."""
        return max(stream.beats for stream in (*self.inputs, *self.outputs))

    def foldings(self) -> Iterator[Self]:
        """Only the one given."""
        yield self

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """What goes in comes out."""
        (frame,) = frames
        return (np.asarray(frame, dtype=np.int64),) * len(self.outputs)


@dataclass(frozen=True, kw_only=True)
class SameLanesOp(GlueOp):
    """Base of those that have the tensor in ``pe`` lanes on every side: one stream in, the same one out."""

    pe: int

    def check_fields(self) -> None:
        """Folding."""
        _ = self.stream

    @property
    def stream(self) -> Stream:
        """The stream on all sides; raises FoldingError for a bad ``pe``."""
        return self.carried(self.pe)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """One stream."""
        return (self.stream,)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The same stream."""
        return (self.stream,)


@dataclass(frozen=True, kw_only=True)
class BufferOp(SameLanesOp):
    """Base of those that hold beats: their ready is a register."""

    @property
    def ready_passes(self) -> bool:
        """Never."""
        return False

    @property
    def ready_tables(self) -> int:
        """None."""
        return 0
