"""The first value that differs is found where it begins, and told by its place, beat and cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bvit_hw.contract.reference import Reference
from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.first_difference import Beats, first_difference, wanted_tensors
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.ops.base import IntArray, Stream
from tests.small_build import SMALL

IMAGES = random_images(SMALL, 2)


@pytest.mark.parametrize(("bits", "signed", "lanes"), [(1, False, 4), (8, True, 2), (8, False, 8), (13, True, 4)])
def test_values_of_beats_are_what_was_packed(bits: int, signed: bool, lanes: int) -> None:
    stream = Stream(tokens=6, channels=8, lanes=lanes, bits=bits, signed=signed)
    frame = np.random.default_rng(3).integers(stream.low, stream.high + 1, (6, 8))
    words = tuple(f"{beat:0{-(-stream.width // 4)}x}" for beat in stream.pack(frame))
    assert np.array_equal(Beats(np.arange(len(words)), words).values(stream).reshape(6, 8), frame)
    assert Beats(np.arange(0), ()).values(stream).shape == (0, lanes)


@pytest.fixture(scope="module")
def graph() -> HwGraph:
    return add_glue(hw_graph_of(random_frozen(SMALL)))


def _beats(graph: HwGraph, frames: list[dict[str, IntArray]]) -> dict[str, Beats]:
    """As a simulation would have recorded them: beat n of a stream in cycle 3 n."""
    found = {}
    for edge in graph.edges():
        stream = edge.source_stream
        words = [f"{beat:x}" for frame in frames for beat in stream.pack(frame[edge.tensor])]
        found[edge.tensor] = Beats(3 * np.arange(len(words)), tuple(words))
    return found


def _changed(graph: HwGraph, name: str, **params: object) -> HwGraph:
    node = graph.node(name)
    changed = {key: np.asarray(value) for key, value in params.items()}
    nodes = [replace(n, params={**n.params, **changed}) if n is node else n for n in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


def test_the_operator_is_told_where_the_fault_begins(graph: HwGraph) -> None:
    """Operators compute with another factor in one channel of `b0.f`: all behind them differ, and they are told."""
    frozen = random_frozen(SMALL)
    tensors = Reference(frozen).tensors(IMAGES, frozen.tensors)
    reference = [{name: value[number] for name, value in tensors.items()} for number in range(len(IMAGES))]
    wanted = [wanted_tensors(graph, image, found) for image, found in zip(IMAGES, reference, strict=True)]
    right = _beats(graph, [graph.execute(image.reshape(1, -1)) for image in IMAGES])
    assert first_difference(graph, right, wanted, frozen.tensors) is None

    coef = graph.node("b0.f").params["coef0"].copy()
    coef[5] = -coef[5] - 1
    wrong = _changed(graph, "b0.f", coef0=coef)
    found = first_difference(wrong, _beats(wrong, [wrong.execute(i.reshape(1, -1)) for i in IMAGES]), wanted,
                             frozen.tensors)  # fmt: skip
    assert found is not None
    assert (found.tensor, found.operator, found.kind) == ("b0.f", "b0.f", "ChannelAffine")
    assert (found.frame, found.token, found.row, found.column, found.channel) == (0, 0, 0, 0, 5)
    stream = graph.node("b0.f").op.outputs[0]
    assert found.beat == 5 // stream.lanes and found.cycle == 3 * found.beat and found.lane == 5 % stream.lanes
    assert found.wanted == reference[0]["b0.f"].reshape(-1)[5] != found.found
    assert found.total == 4 * 8 and 1 <= found.count <= 4


def test_a_fault_of_one_frame_and_one_beat_too_many(graph: HwGraph) -> None:
    frozen = random_frozen(SMALL)
    golden = [graph.execute(image.reshape(1, -1)) for image in IMAGES]
    wanted = [wanted_tensors(graph, image, {}) for image in IMAGES]
    beats = _beats(graph, golden)
    # A bit of a FIFO's last beat of the second frame: no tensor of the frozen network's, so without rows.
    name = next(node.name for node in graph.fifos if node.name == "b0.x.fifo")
    words = list(beats[name].words)
    words[-1] = f"{int(words[-1], 16) ^ 1:x}"
    found = first_difference(graph, beats | {name: replace(beats[name], words=tuple(words))}, wanted, frozen.tensors)
    assert found is not None and (found.tensor, found.kind, found.frame, found.row) == (name, "Fifo", 1, None)
    assert found.token == 3 and abs(found.found - (found.wanted or 0)) == 1 and found.count == 1

    more = Beats(np.append(beats[name].cycles, 9999), (*beats[name].words, "0"))
    found = first_difference(graph, beats | {name: more}, wanted, frozen.tensors)
    assert found is not None and (found.wanted, found.frame, found.cycle) == (None, 2, 9999)
    # A core that got stuck is compared as far as it came.
    less = Beats(beats[name].cycles[:-1], beats[name].words[:-1])
    assert first_difference(graph, beats | {name: less}, wanted, frozen.tensors) is None
