"""Forks, width converters and FIFOs: the graph computes the same, and every stream has two equal ends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bvit_hw.boards import load_board
from bvit_hw.errors import LoweringError
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.border import border_of
from bvit_hw.graph.direct_links import removable_fifos
from bvit_hw.graph.fifo_sizing import round_depth
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.insert_duplicates import insert_duplicates
from bvit_hw.graph.insert_fifos import insert_fifos, with_depths
from bvit_hw.graph.insert_width_converters import insert_width_converters
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.ready_chains import ReadyTimes
from bvit_hw.graph.stitch_plan import add_glue, estimated_depths, planned
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.ops.base import Resources
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.channel_repeat import ChannelRepeat
from tests.frozen_factory import CONFIGS, random_pixels


@cache
def graph() -> HwGraph:
    """A network whose operators have lanes of all sorts."""
    plain = hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=3))
    rng = np.random.default_rng(5)
    ops = {}
    for node in plain.nodes:
        choices = list(node.op.foldings())
        ops[node.name] = choices[int(rng.integers(len(choices)))]
    return plain.with_ops(ops)


def same_tensors(found: HwGraph, seed: int = 1) -> int:
    """How many tensors of the plain graph are in ``found`` too, all with the same values."""
    image = random_pixels(CONFIGS["pyramid"], 1, seed)[0].reshape(1, -1)
    wanted, computed = graph().execute(image), found.execute(image)
    common = [name for name in wanted if name in computed]
    for name in common:
        assert np.array_equal(wanted[name].reshape(-1), computed[name].reshape(-1)), name
    assert np.array_equal(wanted[graph().output].reshape(-1), computed[found.output].reshape(-1))
    return len(common)


def test_glue_keeps_every_tensor() -> None:
    glued = add_glue(graph())
    glued.check(stitched=True)
    assert same_tensors(glued) == len(graph().nodes) + 1


def test_plain_graph_is_not_stitched() -> None:
    with pytest.raises(LoweringError, match=r"lanes|consumers"):
        graph().check(stitched=True)


def test_each_pass_does_its_part_and_only_once() -> None:
    first = insert_duplicates(graph())
    assert len(first.nodes) > len(graph().nodes)
    consumers = first.consumers()
    assert all(len(found) == 1 for found in consumers.values())
    second = insert_width_converters(first)
    assert len(second.nodes) > len(first.nodes)
    assert all(e.source_stream.lanes == e.sink_stream.lanes for e in second.edges())
    third = insert_fifos(second)
    assert len(third.nodes) > len(second.nodes)
    for again in (insert_duplicates, insert_width_converters, insert_fifos):
        assert again(third).nodes == third.nodes
    same_tensors(third)


def test_a_pass_that_changes_a_tensor_is_named() -> None:
    """What run_passes compares: a weight that is other than before, a tensor that is gone, an unsound graph."""
    image = random_pixels(CONFIGS["pyramid"], 1, 1)[0]

    def other_weight(given: HwGraph) -> HwGraph:
        first = next(n for n in given.nodes if n.op.op_type == "BinaryMVAU")
        changed = replace(first, params={**first.params, "weights": -first.params["weights"]})
        return replace(given, nodes=tuple(changed if n is first else n for n in given.nodes))

    def renamed(given: HwGraph) -> HwGraph:
        last = given.nodes[-1]
        return replace(given, nodes=(*given.nodes[:-1], replace(last, outputs=("other",))), output="other")

    def unsound(given: HwGraph) -> HwGraph:
        return replace(given, nodes=given.nodes[1:])

    for wrong, said in [
        (other_weight, "after other_weight: tensor .* has other values"),
        (renamed, f"after renamed: tensor {graph().output} is no longer computed"),
        (unsound, "which nothing before it writes"),
    ]:
        with pytest.raises(LoweringError, match=said):
            run_passes(graph(), [insert_duplicates, wrong], image)
    assert run_passes(graph(), [insert_duplicates], image).nodes == insert_duplicates(graph()).nodes


def test_converters_to_fewer_lanes_have_their_fifo_before_them() -> None:
    glued = add_glue(graph())
    producers = glued.producers()
    seen = 0
    for node in glued.nodes:
        if node.op.op_type == "WidthConverter" and node.op.inputs[0].lanes % node.op.outputs[0].lanes == 0:
            if node.inputs[0] != glued.input:
                assert producers[node.inputs[0]][0].op.op_type == "Fifo", node.name
            seen += 1
    assert seen


def test_border_lanes_that_do_not_divide_a_frame_are_refused() -> None:
    with pytest.raises(LoweringError, match="no whole number of beats"):
        insert_width_converters(graph(), input_lanes=7)


def test_depths() -> None:
    glued = add_glue(graph())
    depths = estimated_depths(glued)
    assert max(depths.values()) > 2
    name = max(depths, key=lambda n: depths[n] * glued.node(n).op.inputs[0].width)
    deep = with_depths(glued, {name: 2048})
    assert deep.node(name).op.attributes()["depth"] == 2048
    same_tensors(deep)


def test_a_fifo_can_be_taken_away() -> None:
    glued = add_glue(graph())
    names = [n.name for n in glued.nodes if n.op.op_type == "Fifo"]
    gone = next(name for name in names if name != glued.output)
    less = with_depths(glued, {gone: 0})
    assert len(less.nodes) == len(glued.nodes) - 1
    less.check(stitched=True)
    same_tensors(less)
    with pytest.raises(LoweringError, match="output"):
        with_depths(glued, {glued.output: 0})


def late(found: HwGraph, clock_mhz: float) -> set[str]:
    """Units at which a chain of ready ends that takes longer than it may."""
    times = ReadyTimes(found, clock_mhz)
    return {node.name for node in found.nodes if not times.in_time(node)}


def test_only_idle_fifos_are_taken_away_and_chains_stay_short() -> None:
    glued = add_glue(graph())
    fifos = [n.name for n in glued.nodes if n.op.op_type == "Fifo"]
    assert removable_fifos(glued, dict.fromkeys(fifos, 2), 100.0) == []
    names = removable_fifos(glued, dict.fromkeys(fifos, 1), 100.0)
    assert names and late(with_depths(glued, dict.fromkeys(names, 0)), 100.0) <= late(glued, 100.0)
    assert len(late(with_depths(glued, {n: 0 for n in fifos if n != glued.output}), 100.0)) > 5
    assert set(removable_fifos(glued, dict.fromkeys(fifos, 1), 200.0)) < set(names), "a faster clock keeps more"
    half = removable_fifos(glued, {name: 1 + i % 2 for i, name in enumerate(fifos)}, 100.0)
    assert all(fifos.index(name) % 2 == 0 for name in half)


def test_planned_graph_is_stitched() -> None:
    planned(graph(), Resources(bram18=50)).check(stitched=True)


@pytest.mark.parametrize(("beats", "depth"), [(0, 2), (1, 2), (2, 2), (3, 33), (33, 33), (34, 65), (65, 65), (66, 129)])
def test_depths_are_rounded_to_whole_memories(beats: int, depth: int) -> None:
    assert round_depth(beats) == depth


def _chain(*, tensor: str = "y", channels: int = 8, copies: int = 1) -> HwGraph:
    repeat = ChannelRepeat(tokens=4, channels=channels, repeat=2, bits=8, signed=True, pe=1)
    bits = Binarize(tokens=4, channels=16, in_bits=8, pe=1)
    params = {"threshold": np.zeros(16, dtype=np.int64)}
    nodes = [HwNode(name="r", op=repeat, inputs=("x",), outputs=("y",))]
    nodes += [HwNode(name=f"b{i}", op=bits, inputs=(tensor,), outputs=(f"z{i}",), params=params) for i in range(copies)]
    return HwGraph(name="chain", nodes=tuple(nodes), input="x", output=f"z{copies - 1}")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (_chain(tensor="nowhere"), "nothing before it writes"),
        (_chain(channels=4), "sends .* but takes"),
        (HwGraph(name="g", nodes=_chain().nodes * 2, input="x", output="z0"), "not unique"),
        (HwGraph(name="g", nodes=_chain().nodes, input="x", output="q"), "nothing writes the output"),
    ],
)
def test_unsound_graphs_are_refused(broken: HwGraph, reason: str) -> None:
    with pytest.raises(LoweringError, match=reason):
        broken.check()


def test_unused_results_are_refused_when_stitched() -> None:
    forked = insert_duplicates(_chain(copies=2))
    with pytest.raises(LoweringError, match="'z0' has 0 consumers"):
        forked.check(stitched=True)


@pytest.mark.parametrize(
    ("image", "lanes", "depth"),
    [
        # two frames cost two halves of block RAM more than one
        ({"image_size": 32}, 8, 2 * 384),
        # 14 more of 224 are too many: one frame
        ({"image_size": 96, "patch_size": 8}, 8, 3456 + 4),
        ({"image_size": 10, "patch_size": 2}, 4, 2 * 75),
        ({"image_size": 15, "patch_size": 5}, 1, 2 * 675),
    ],
)
def test_the_border_fits_the_frame(image: dict[str, int], lanes: int, depth: int) -> None:
    plain = CONFIGS["plain"].model_dump() | image
    network = hw_graph_of(random_frozen(BinaryViTConfig.create(**plain)))
    border = border_of(network, 224)
    assert (border.input_lanes, border.guard_depth) == (lanes, depth)
    assert border.frame_bytes == image["image_size"] ** 2 * 3 and border.classes == 3
    glued = add_glue(network)
    assert border_of(glued, 224) == border
    assert glued.edges()[0].sink_stream.lanes == lanes
    assert border.resources.bram18 >= border.guard_depth * lanes * 8 / 36_864


@pytest.mark.parametrize(("size", "lanes"), [(32, 64), (16, 64), (20, 16), (10, 4)])
def test_a_card_takes_pixels_by_64_bytes(size: int, lanes: int) -> None:
    plain = CONFIGS["plain"].model_dump() | {"image_size": size, "patch_size": 2}
    network = hw_graph_of(random_frozen(BinaryViTConfig.create(**plain)))
    board = load_board("u250")
    wide = run_passes(network, board_passes(board), np.zeros((size, size, 3), dtype=np.uint8))
    border = border_of(wide, board.limits.bram18)
    assert (border.input_lanes, border.frame_bytes) == (lanes, size * size * 3)
    assert add_glue(wide).edges()[0].sink_stream.lanes == lanes
    assert border_of(run_passes(network, board_passes(load_board("kv260"))), 224).input_lanes == min(lanes, 8)
