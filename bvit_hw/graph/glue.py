"""The glue between two operators: which forks, width converters and FIFOs a stream needs, and what they cost."""

from __future__ import annotations

from functools import cache

from bvit_hw.ops.base import Intake, Resources, Stream
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.width_converter import WidthConverter
from bvit_hw.targets import Target

SMALL, LARGE = "small", "large"


@cache
def fifo_op(stream: Stream, depth: int, style: str = SMALL, *, target: Target) -> Fifo:
    """A FIFO of ``depth`` beats for the stream, in LUT RAM (``SMALL``) or block RAM (``LARGE``)."""
    return Fifo.of(stream, pe=stream.lanes, depth=max(depth, 2), style=style, target=target)


@cache
def converter_op(stream: Stream, lanes_out: int, *, target: Target) -> WidthConverter:
    """A converter from the stream's lanes to ``lanes_out``."""
    return WidthConverter.of(stream, lanes_in=stream.lanes, lanes_out=lanes_out, target=target)


@cache
def duplicate_op(stream: Stream, copies: int, *, target: Target) -> Duplicate:
    """A fork of the stream into ``copies``."""
    return Duplicate.of(stream, pe=stream.lanes, copies=copies, target=target)


def depth_for(stream: Stream, held: float) -> int:
    """Beats that a FIFO needs to hold ``held`` frames of the stream beside its usual two."""
    return 2 + int(-(-held * stream.beats // 1))


@cache
def link_costs(
    source: Stream, lanes: int, held: float, *, target: Target, buffered: bool = True
) -> tuple[Resources, ...]:
    """Costs of carrying a stream to a consumer of ``lanes``: a FIFO, and a width converter where the lanes differ.

    ``held`` is how many frames wait in the FIFO; where none do and not ``buffered`` there is one only before a
    converter to fewer lanes (see insert_fifos). A deep FIFO has two costs, in LUT RAM and in block RAM.
    """
    total, fifo_stream = Resources(), source
    if lanes != source.lanes:
        converter = converter_op(source, lanes, target=target)
        total += converter.resources()
        if converter.intake is Intake.SPLITS:
            buffered = True
        else:
            fifo_stream = converter.outputs[0]
    if not buffered and not held:
        return (total,)
    depth = depth_for(fifo_stream, held)
    styles = (SMALL, LARGE) if depth >= target.memories.cell_words else (SMALL,)
    return tuple(total + fifo_op(fifo_stream, depth, style, target=target).resources() for style in styles)
