"""The glue between two operators: which forks, width converters and FIFOs a stream needs, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from bvit_hw.ops.base import Intake, Resources, Stream, divisors
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.width_converter import WidthConverter
from bvit_hw.targets import Target
from bvit_hw.targets.cost import KINDS

SMALL, LARGE, ULTRA = "small", "large", "ultra"
#: the resource that a FIFO of this style takes
BLOCK_KINDS = {LARGE: "bram18", ULTRA: "uram"}


@cache
def fifo_op(stream: Stream, depth: int, style: str = SMALL, *, target: Target) -> Fifo:
    """A FIFO of ``depth`` beats for the stream, in LUT RAM (``SMALL``), block RAM (``LARGE``) or UltraRAM."""
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


def block_styles(width: int, depth: int, *, target: Target, ultra: bool) -> tuple[str, ...]:
    """Styles of RAM blocks that a FIFO of ``depth`` beats of ``width`` bits may be put into.

    ``ultra``: whether UltraRAM may be taken; what fits half a block RAM would leave all but a sixteenth of one empty.
    """
    memories = target.memories
    if depth < memories.cell_words:
        return ()
    return (LARGE, ULTRA) if ultra and memories.ultra_shape and memories.halves(width, depth) > 1 else (LARGE,)


@cache
def link_costs(
    source: Stream, lanes: int, held: float, *, target: Target, buffered: bool = True, ultra: bool = False
) -> tuple[Resources, ...]:
    """Costs of carrying a stream to a consumer of ``lanes``: a FIFO, and a width converter where the lanes differ.

    ``held`` is how many frames wait in the FIFO; where none do and not ``buffered`` there is one only before a
    converter to fewer lanes (see insert_fifos). A deep FIFO has a cost for each memory that it may be in.
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
    styles = (SMALL, *block_styles(fifo_stream.width, depth, target=target, ultra=ultra))
    return tuple(total + fifo_op(fifo_stream, depth, style, target=target).resources() for style in styles)


@cache
def least_link_costs(
    stream: Stream, held: float, *, target: Target, buffered: bool, ultra: bool
) -> tuple[Resources, ...]:
    """The least that carrying a stream of one lane can cost at any lanes: :func:`link_costs` of equal lanes.

    One lane is the least in LUT RAM and in block RAM, whose words may be narrow. UltraRAM has one shape: there it is
    the lanes that fill the words best.
    """
    variants = link_costs(stream, 1, held, target=target, buffered=buffered)
    wider = (replace(stream, lanes=lanes) for lanes in divisors(stream.channels) if ultra and len(variants) > 1)
    every = [link_costs(s, s.lanes, held, target=target, buffered=buffered, ultra=True) for s in wider]
    placed = [costs[-1] for costs in every if len(costs) > len((SMALL, LARGE))]
    if not placed:
        return variants
    return (*variants, Resources(**{kind: min(getattr(cost, kind) for cost in placed) for kind in KINDS}))
