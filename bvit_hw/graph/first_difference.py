"""Where a simulated core first differs from the frozen network: the tensor, the place in it, and the clock cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bvit_hw.contract import FrozenTensor
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.base import IntArray, Stream


@dataclass(frozen=True)
class Beats:
    """Beats that went over a stream: the ``cycles`` in which they were taken, and ``words``, tdata in hexadecimal."""

    cycles: IntArray
    words: tuple[str, ...]

    def values(self, stream: Stream) -> IntArray:
        """All values in the order in which they came, lane 0 of a beat first: beats x lanes."""
        if not self.words:
            return np.zeros((0, stream.lanes), dtype=np.int64)
        digits = -(-stream.width // 8) * 2
        raw = bytes.fromhex("".join(word.zfill(digits) for word in self.words))
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8).reshape(len(self.words), -1), axis=1)
        lanes = bits[:, ::-1][:, : stream.width].reshape(len(self.words), stream.lanes, stream.bits)
        weights = np.int64(1) << np.arange(stream.bits, dtype=np.int64)
        if stream.signed:
            weights[-1] = -weights[-1]
        found: IntArray = lanes.astype(np.int64) @ weights
        return found


@dataclass(frozen=True)
class Difference:
    """The first value that differs, in the order in which operators follow one another, then of frames and positions.

    ``tensor`` is what ``operator`` (of the kind ``kind``) sends; ``frame`` counts from 0, ``token`` is in raster order,
    ``row`` and ``column`` are its place where the tensor is the frozen network's (else None). ``found`` is the RTL's
    value, ``wanted`` the frozen network's (None: there should be no value). The RTL sent it in clock ``cycle``, in beat
    ``beat`` of the frame, lane ``lane``. So many values, ``count`` of ``total``, differ in that tensor and frame.

    Of a single engine (docs/engine.md) the tensor lay so in a memory behind ``command``, by its number in the
    programme, which ended in that cycle; beat and lane are 0 then. Of a streaming accelerator ``command`` is None.
    """

    tensor: str
    operator: str
    kind: str
    frame: int
    token: int
    row: int | None
    column: int | None
    channel: int
    found: int
    wanted: int | None
    cycle: int
    beat: int
    lane: int
    count: int
    total: int
    command: int | None = None


def wanted_tensors(graph: HwGraph, frame: np.ndarray, frozen: Mapping[str, np.ndarray]) -> dict[str, IntArray]:
    """What every stream of ``graph`` has to carry for one image: tokens x channels each.

    A tensor of the frozen network has its values, whatever the operators make; any other follows from those by the
    operator's golden function. So what differs from ``frozen`` is found where it begins.
    """
    values: dict[str, IntArray] = {graph.input: np.asarray(frame, dtype=np.int64).reshape(-1)}
    for node in graph.nodes:
        for tensor, made in zip(node.outputs, _made(node, values, frozen), strict=True):
            values[tensor] = made
    return values


def _made(node: HwNode, values: Mapping[str, IntArray], frozen: Mapping[str, np.ndarray]) -> Sequence[IntArray]:
    known = [np.asarray(frozen[t], dtype=np.int64).reshape(-1) if t in frozen else None for t in node.outputs]
    if all(value is not None for value in known):
        return [value for value in known if value is not None]
    inputs = [
        values[tensor].reshape(stream.tokens, stream.channels)
        for tensor, stream in zip(node.inputs, node.op.inputs, strict=True)
    ]
    golden = node.op.golden(node.params, *inputs)
    return [g.reshape(-1) if k is None else k for g, k in zip(golden, known, strict=True)]


def first_difference(
    graph: HwGraph,
    beats: Mapping[str, Beats],
    wanted: Sequence[Mapping[str, IntArray]],
    tensors: Mapping[str, FrozenTensor],
) -> Difference | None:
    """The first value of ``beats`` that is not the one ``wanted`` (a frame each, :func:`wanted_tensors`), or None.

    ``tensors`` are the frozen network's. A core that got stuck is compared as far as it came.
    """
    producers = graph.producers()
    for edge in graph.edges():
        stream, tensor = edge.source_stream, edge.tensor
        found = beats[tensor].values(stream).reshape(-1)
        right = np.concatenate([frame[tensor] for frame in wanted])
        both = min(len(found), len(right))
        wrong = np.flatnonzero(found[:both] != right[:both])
        if not len(wrong) and len(found) <= len(right):
            continue
        at = int(wrong[0]) if len(wrong) else len(right)
        size = stream.tokens * stream.channels
        frame, place = divmod(at, size)
        token, channel = divmod(place, stream.channels)
        node = producers[tensor][0] if tensor in producers else None
        known = tensors.get(tensor)
        width = known.width if known is not None and known.tokens == stream.tokens else None
        return Difference(
            tensor=tensor,
            operator="" if node is None else node.name,
            kind="input" if node is None else node.op.op_type,
            frame=frame,
            token=token,
            row=None if width is None else token // width,
            column=None if width is None else token % width,
            channel=channel,
            found=int(found[at]),
            wanted=int(right[at]) if at < len(right) else None,
            cycle=int(beats[tensor].cycles[at // stream.lanes]),
            beat=place // stream.lanes,
            lane=place % stream.lanes,
            count=int(np.sum((wrong >= frame * size) & (wrong < (frame + 1) * size))) if len(wrong) else 1,
            total=size,
        )
    return None
