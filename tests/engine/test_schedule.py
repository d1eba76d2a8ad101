"""Operations, and the order in which their tiles are made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bvit_hw.contract import FrozenGraph
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Layout, strips
from bvit_hw.engine.plan import LATE, Plan, plan_network, tensor_layouts
from bvit_hw.engine.schedule import Schedule
from bvit_hw.freeze.random_frozen import random_frozen
from tests.other_networks import NETWORKS

ENGINE = EngineConfig()


def planned(graph: FrozenGraph, height: int, fused: bool) -> tuple[Plan, Mapping[Layout, int]]:
    grids = strips(graph, ENGINE.tokens)
    layouts = tensor_layouts(graph, graph.nodes, grids).values()
    heights = {layout: min(height, layout.lines) for layout in layouts}
    return plan_network(graph, ENGINE, grids, heights, fused), heights


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("height", [1, 2, 3, 99])
@pytest.mark.parametrize("name", ["three-stages", "some-fp", "class-token", "side-7"])
def test_each_task_comes_once_and_behind_what_it_reads(name: str, height: int, fused: bool) -> None:
    graph = random_frozen(NETWORKS[name].config)
    plan, heights = planned(graph, height, fused)
    schedule = Schedule(plan, heights, graph.output)
    lines: set[tuple[str, int]] = set()
    for task in schedule.tasks:
        for read in task.op.reads:
            first, behind = read.lines(task.first, task.behind, plan.layouts[read.name].lines)
            assert {(read.name, line) for line in range(first, behind)} <= lines
        made = {(name, line) for name in task.op.makes for line in range(task.first, task.behind)}
        assert made and not made & lines
        lines |= made
    assert lines == {(x, i) for op in plan.operations for x in op.makes for i in range(plan.layouts[x].lines)}


def test_low_tiles_are_made_as_late_as_they_can_be() -> None:
    """Lines of the first block's results are pooled for the next one's keys before the last are made."""
    graph = random_frozen(NETWORKS["three-stages"].config)
    plan, heights = planned(graph, 1, True)
    order = [(name, task.first) for task in Schedule(plan, heights, graph.output).tasks for name in task.op.makes]
    assert order.index(("t1.x", 0)) < order.index(("b0.x", 4)) < order.index(("b1.r_sum", 2))


def test_what_would_only_wait_for_keys_is_made_twice_where_there_are_tiles() -> None:
    graph = random_frozen(NETWORKS["three-stages"].config)
    twice = {name for op in planned(graph, 2, True)[0].operations for name in op.makes if name.endswith(LATE)}
    assert twice == {f"b{i}.h{LATE}" for i in range(4)}
    assert not any(name.endswith(LATE) for op in planned(graph, 99, True)[0].operations for name in op.makes)


def test_fused_operations_leave_out_what_is_within_a_command() -> None:
    graph = random_frozen(NETWORKS["three-stages"].config)
    makes = [{name for op in planned(graph, 99, fused)[0].operations for name in op.makes} for fused in (False, True)]
    gone = {name.split(".")[1] for name in makes[0] - makes[1]}
    assert {"q_acc", "k_acc", "v_acc", "att", "k_up", "v_up", "o_acc", "f_acc", "z_acc"} <= gone
    assert not gone & {"q", "k", "v", "ctx", "y", "h2", "x", "q_bit", "ctx_bit"}
    assert makes[1] < makes[0]
