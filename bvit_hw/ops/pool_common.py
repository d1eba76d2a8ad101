"""What the pooling and data-moving operators share: fields, their checks, foldings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import HwOp, Stream, divisors, require_divisor


@dataclass(frozen=True, kw_only=True)
class PoolOp(HwOp):
    """Base of these operators: ``pe`` of their input's ``channels`` go side by side, and a beat takes a cycle.

    They are folded by ``pe`` alone, and have no parameters, unless they say so.
    """

    @property
    def cycles(self) -> int:
        """One a beat of the stream that has more of them."""
        return max(stream.beats for stream in (*self.inputs, *self.outputs))

    def foldings(self) -> Iterator[Self]:
        """One for each divisor of the channels, slowest first."""
        for pe in divisors(self.fold_value("channels")):
            yield self.fold(pe=pe)

    def check_pe(self) -> None:
        """Raise FoldingError unless ``pe`` divides the channels."""
        require_divisor(self.op_type, "pe", self.fold_value("pe"), self.fold_value("channels"), "channels")

    def check_window(self) -> None:
        """Raise ConfigError unless ``window_h x window_w`` divides the grid ``height x width``."""
        for side, window in (("height", "window_h"), ("width", "window_w")):
            size, part = getattr(self, side), getattr(self, window)
            if size % part:
                raise ConfigError(f"{self.op_type}: {window}={part} does not divide {side}={size}; "
                                  f"allowed: {divisors(size)}")  # fmt: skip

    def fold_value(self, name: str) -> int:
        """The value of a field that they all have."""
        return int(getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class TokenOp(PoolOp):
    """Base of operators that put whole tokens into a stream or take some out; ``tokens`` are the input's."""

    zero_fields: ClassVar[tuple[str, ...]] = ("signed",)

    tokens: int
    channels: int
    bits: int
    signed: int
    pe: int

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x = tensors[node.inputs[0]]
        return cls(tokens=x.tokens, channels=x.channels, bits=x.bits, signed=int(x.signed), pe=1)

    def check_fields(self) -> None:
        """Shape and folding."""
        self.check_flag("signed")
        self.check_pe()

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """tokens x channels."""
        return (self.stream_of(self.tokens),)

    @property
    def ready_tables(self) -> int:
        """Its ready does not lie behind its enable."""
        return 1

    def stream_of(self, tokens: int) -> Stream:
        """A stream of so many tokens like the input's."""
        return Stream(tokens=tokens, channels=self.channels, lanes=self.pe, bits=self.bits, signed=bool(self.signed))
