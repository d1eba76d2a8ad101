"""The plan of waiting: the least bits that any starts of the operators give, and what follows for forks and FIFOs."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.fifo_sizing import held_back
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_duplicates import insert_duplicates
from bvit_hw.graph.recompute_late import recompute_late
from bvit_hw.graph.stitch_plan import add_glue, estimated_depths
from bvit_hw.graph.waiting import Waiting, _plan, _Start, plan_waiting

#: starts that the exhaustive search tries, in frames; lags are multiples of their distance, and so are best starts
STEP, LATEST = 0.5, 3.0


@st.composite
def small_graphs(draw: st.DrawFn) -> tuple[_Start, ...]:
    """Up to four operators on a chain or a reconvergent path; each tensor has one width in bits."""
    bits = {"in": draw(st.integers(1, 9))}
    starts = []
    for index in range(draw(st.integers(2, 4))):
        sources = draw(st.lists(st.sampled_from(sorted(bits)), min_size=1, max_size=2, unique=True))
        inputs = tuple((t, STEP * draw(st.integers(0, 2)), bits[t], True) for t in sources)
        starts.append(_Start(f"n{index}", inputs, (f"t{index}",)))
        bits[f"t{index}"] = draw(st.integers(1, 9))
    return tuple(starts)


def held_by(starts: tuple[_Start, ...], times: dict[str, float]) -> float | None:
    """Bits of all lines with these starts; None where somebody would start before its data."""
    lines: dict[str, float] = {}
    for node in starts:
        for tensor, lag, bits, _ in node.inputs:
            frames = times[node.outputs[0]] - lag - times[tensor]
            if frames < 0:
                return None
            lines[tensor] = max(lines.get(tensor, 0.0), frames * bits)
    return sum(lines.values())


@settings(max_examples=40, deadline=None)
@given(small_graphs())
def test_no_other_starts_hold_less(starts: tuple[_Start, ...]) -> None:
    grid = np.arange(0, LATEST + STEP, STEP)
    costs = []
    for choice in itertools.product(grid, repeat=len(starts)):
        times = {"in": 0.0, **{node.outputs[0]: float(t) for node, t in zip(starts, choice, strict=True)}}
        found = held_by(starts, times)
        if found is not None:
            costs.append(found)
    plan = _plan("in", starts)
    assert plan.bits == pytest.approx(min(costs), abs=1e-4)
    assert all(frames >= 0 for frames in plan.held.values())


def test_a_stream_that_grows_waits_before_it_has_grown() -> None:
    """One bit in, nine out, and a partner that is a frame late: the nine never wait."""
    starts = (
        _Start("late", (("in", 1.0, 1, True),), ("late",)),
        _Start("expand", (("in", 0.0, 1, True),), ("wide",)),
        _Start("join", (("wide", 0.0, 9, True), ("late", 0.0, 1, True)), ("out",)),
    )
    plan = _plan("in", starts)
    assert plan.held["in", "expand", 0] == pytest.approx(1) and plan.held["wide", "join", 0] == 0
    assert plan.delayed == {"expand"} and plan.bits == pytest.approx(1)


def test_waiting_where_there_is_no_fifo_is_refused_by_the_programme() -> None:
    """With FIFOs about, streams wait in them alone."""
    starts = (
        _Start("fifo", (("in", 0.0, 4, True),), ("a",)),
        _Start("late", (("in", 1.0, 4, False),), ("b",)),
        _Start("join", (("a", 0.0, 4, False), ("b", 0.0, 4, False)), ("out",)),
    )
    plan = _plan("in", starts)
    assert plan.held["in", "fifo", 0] == pytest.approx(1)
    assert sum(frames > 0 for frames in plan.held.values()) == 1


@cache
def cifar10() -> HwGraph:
    return hw_graph_of(random_frozen("cifar10"))


def test_own_shares_add_up_to_the_lines() -> None:
    """What consumers add to a tensor's line, in turn, is together what the last of them waits."""
    graph = cifar10()
    plan = plan_waiting(graph)
    own = plan.own(graph)
    assert own.keys() == plan.held.keys() and all(frames >= 0 for frames in own.values())
    bits = 0.0
    for node in graph.nodes:
        for port, (tensor, stream) in enumerate(zip(node.inputs, node.op.inputs, strict=True)):
            bits += own[tensor, node.name, port] * stream.tokens * stream.channels * stream.bits
    assert bits == pytest.approx(plan.bits, rel=1e-6)


def test_keys_wait_before_upsample_and_x_waits_once() -> None:
    """On the glued graph: the copies that Upsample makes hold nothing, the residual and late readers share a line."""
    graph = cifar10()
    glued = add_glue(graph)
    depths = estimated_depths(glued)
    beats = {node.name: node.op.inputs[0].beats for node in glued.fifos}
    ups = [node for node in glued.nodes if node.op.op_type == "Upsample"]
    assert ups
    for up in ups:
        behind = next(name for name in depths if name.startswith(f"{up.outputs[0]}.fifo"))
        assert depths[behind] == 2 and behind in held_back(glued)
        before = up.inputs[0]
        assert depths[before] > 0.9 * beats[before]
    assert set(held_back(glued)) <= {node.name for node in glued.fifos if depths[node.name] == 2}


def test_late_consumers_stand_behind_a_fork_of_their_own() -> None:
    graph = recompute_late(cifar10())
    forked = insert_duplicates(graph)
    forked.check()
    assert insert_duplicates(forked).nodes == forked.nodes
    chained = [node for node in forked.nodes if node.op.op_type == "Duplicate" and ".fork" in node.inputs[0]]
    held = plan_waiting(graph).held
    for node in chained:
        tensor = node.inputs[0].partition(".fork")[0]
        late = [held[tensor, reader.name, port] for reader, port in graph.consumers()[tensor]]
        assert max(late) - min(late) > 0.02
    assert len(chained) == 1, "x of the first block: the queries' norm and the residual"


def test_plans_do_not_depend_on_the_folding() -> None:
    graph = cifar10()
    folded = graph.with_ops({node.name: list(node.op.foldings())[-1] for node in graph.nodes})
    assert plan_waiting(folded) is plan_waiting(graph)
    assert isinstance(plan_waiting(graph), Waiting)
