"""The glue between two operators: which forks, width converters and FIFOs a stream needs, and what they cost."""

from __future__ import annotations

from functools import cache

from bvit_hw.ops.base import HwOp, Resources, Stream
from bvit_hw.ops.registry import from_attributes

#: FIFO memories of at least this many bits go to block RAM; LUTRAM is cheaper below
BLOCK_BITS = 8192


def fifo_style(width: int, depth: int) -> str:
    """Where a FIFO of ``depth`` words of ``width`` bits keeps them: "small" or "large"."""
    return "large" if depth >= 128 and width * depth >= BLOCK_BITS else "small"


@cache
def fifo_op(stream: Stream, depth: int) -> HwOp:
    """A FIFO of ``depth`` beats for the stream."""
    return from_attributes(
        "Fifo",
        {
            "tokens": stream.tokens, "channels": stream.channels, "bits": stream.bits, "signed": int(stream.signed),
            "pe": stream.lanes, "depth": max(depth, 2), "style": fifo_style(stream.width, depth),
        },
    )  # fmt: skip


@cache
def converter_op(stream: Stream, lanes_out: int) -> HwOp:
    """A converter from the stream's lanes to ``lanes_out``."""
    return from_attributes(
        "WidthConverter",
        {
            "tokens": stream.tokens, "channels": stream.channels, "bits": stream.bits, "signed": int(stream.signed),
            "lanes_in": stream.lanes, "lanes_out": lanes_out,
        },
    )  # fmt: skip


@cache
def duplicate_op(stream: Stream, copies: int) -> HwOp:
    """A fork of the stream into ``copies``."""
    return from_attributes(
        "Duplicate",
        {
            "tokens": stream.tokens, "channels": stream.channels, "bits": stream.bits, "signed": int(stream.signed),
            "pe": stream.lanes, "copies": copies,
        },
    )  # fmt: skip


def depth_for(stream: Stream, held: float) -> int:
    """Beats that a FIFO needs to hold ``held`` frames of the stream beside its usual two."""
    return 2 + int(-(-held * stream.beats // 1))


@cache
def link_cost(source: Stream, lanes: int, held: float) -> Resources:
    """Cost of carrying a stream to a consumer of ``lanes``: FIFO; where they differ, converter and a second FIFO."""
    if lanes == source.lanes:
        return fifo_op(source, depth_for(source, held)).resources()
    converter = converter_op(source, lanes)
    sink = converter.outputs[0]
    # What has to wait is kept behind the converter, where insert_fifos and the sizing find it.
    return fifo_op(source, 2).resources() + converter.resources() + fifo_op(sink, depth_for(sink, held)).resources()
