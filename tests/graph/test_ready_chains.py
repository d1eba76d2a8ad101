"""Chains of ready: their estimate, where they are ended, and what operators say of their own ready."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.flows.yosys import analyse, job_of
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.dies import kernels, with_cuts
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.ready_chains import ENDED, MAX_CHAIN, SHARE, ReadyTimes, end_long_chains
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.fifo import Fifo
from bvit_hw.targets import XC7
from bvit_hw.targets.xcup import TARGET as XCUP
from tests.frozen_factory import CONFIGS, random_pixels
from tests.op_samples import OPS, VARIANTS

DELAYS = XC7.delays


def graph() -> HwGraph:
    return hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=3))


def row(*units: tuple[str, HwOp]) -> HwGraph:
    """Units one behind the other, between FIFOs."""
    nodes, tensor = [], "x"
    for name, op in (("in", fifo(8)), *units, ("out", fifo(1))):
        params = op.random_params(np.random.default_rng(0))
        nodes.append(HwNode(name=name, op=op, inputs=(tensor,), outputs=(name,), params=params))
        tensor = name
    return HwGraph(name="row", nodes=tuple(nodes), input="x", output=tensor)


def fifo(bits: int) -> Fifo:
    return Fifo(tokens=4, channels=8, bits=bits, signed=bits > 1, pe=2)


def bits_of(bits: int) -> Binarize:
    return Binarize(tokens=4, channels=8, in_bits=bits, pe=2)


def test_an_estimate_by_hand() -> None:
    """out's register, through a table of the second and of the first, to the registers of the FIFO before them."""
    assert DELAYS is not None
    assert (DELAYS.lut, DELAYS.register, DELAYS.enable) == (0.124, 0.456, 0.205)
    found = row(("first", bits_of(8)), ("second", replace(bits_of(1), in_bits=1)))
    times, table = ReadyTimes(found, 100.0), DELAYS.wire_ns(3) + 0.124
    second, first = found.node("second"), found.node("first")
    assert times.limit == SHARE * 10
    assert times.arrival(second) == 0.456
    assert times.ready(first) == pytest.approx(0.456 + 2 * table)
    # two beats of two lanes of eight bits, and three flip-flops more
    at_fifo = 3 * (DELAYS.wire_ns(2) + 0.124) + DELAYS.wire_ns(2 * 16 + 3) + 0.205
    assert times.longest(found.node("in"), times.ready(first)) == pytest.approx(0.456 + 2 * table + at_fifo)
    # the longest of those that come to the second one's output ends there or before it
    assert times.longest(second, 5.0) >= 5.0 + 2 * table + at_fifo
    assert [name for name, _ in times.chain(found.node("in"))] == ["in", "first", "second"]
    assert times.in_time(found.node("in")) and not ReadyTimes(found, 400.0).in_time(found.node("in"))


@pytest.mark.parametrize(("target", "clock_mhz"), [(XC7, 100.0), (XC7, 115.0), (XCUP, 200.0)])
def test_chains_are_ended_where_the_clock_asks_for_it(target: object, clock_mhz: float) -> None:
    """Every chain is short enough then; what the network computes is compared by add_glue."""
    folded = graph().on(target)  # type: ignore[arg-type]
    image = random_pixels(CONFIGS["pyramid"], 1, 1)[0]
    glued, ended = add_glue(folded), add_glue(folded, image=image, clock_mhz=clock_mhz)
    ended.check(stitched=True)
    times = ReadyTimes(ended, clock_mhz)
    assert all(map(times.in_time, ended.nodes))
    added = {node.name for node in ended.nodes} - {node.name for node in glued.nodes}
    assert all(name.endswith(ENDED) for name in added)
    if clock_mhz > 100:
        assert added, "without registers some chain is too long for this clock"
        unended = ReadyTimes(glued, clock_mhz)
        assert not all(map(unended.in_time, glued.nodes))
    assert len(kernels(ended)) == 1, "a single register is no cut"
    assert end_long_chains(ended, clock_mhz) is ended
    assert add_glue(folded, clock_mhz=20.0) == glued


def test_the_narrowest_stream_that_helps_gets_the_register() -> None:
    """One bit a lane in place of eight, as long as what remains is short enough."""
    found = row(("wide", bits_of(8)), ("narrow", bits_of(1)), ("last", bits_of(1)))
    clock = next(mhz for mhz in range(100, 1000, 5) if not ReadyTimes(found, mhz).in_time(found.node("in")))
    ended = end_long_chains(found, clock)
    (register,) = [node for node in ended.nodes if node.name.endswith(ENDED)]
    assert register.op.inputs[0].width == 2 and register.inputs[0] in ("wide", "narrow")


def test_cuts_stay_cuts() -> None:
    cut = add_glue(with_cuts(graph().on(XCUP), ("b0.x",)), clock_mhz=300.0)
    assert any(node.name.endswith(ENDED) for node in cut.nodes)
    assert len(kernels(cut)) == 2
    assert len(kernels(add_glue(with_cuts(graph().on(XCUP), ("b0.x",))))) == 2


def test_without_delays_units_are_counted() -> None:
    blind = graph().on(replace(XC7, name="blind", delays=None))
    glued = add_glue(blind, clock_mhz=1000.0)
    assert glued == add_glue(blind)
    assert ReadyTimes(glued, 1000.0).limit == MAX_CHAIN


def _said_of(ops: tuple[HwOp, ...], tmp_path: Path) -> None:
    """What operators say of their ready is what their netlists do."""
    jobs = [job_of(str(n), op, op.random_params(np.random.default_rng(n))) for n, op in enumerate(ops)]
    found = analyse(jobs, target=XC7, work=tmp_path / "w")
    for n, op in enumerate(ops):
        timing = found[str(n)].timing
        assert timing is not None
        passes = any(".ready>" in key and key.endswith(".ready") for key in timing.through)
        assert passes == op.ready_passes, op


def test_ready_passes_where_the_netlist_says_so(tmp_path: Path) -> None:
    _said_of(tuple(op for op in OPS if op.op_type in ("Binarize", "Fifo", "Upsample", "WidthConverter")), tmp_path)


@pytest.mark.slow
def test_ready_passes_where_every_netlist_says_so(tmp_path: Path) -> None:
    _said_of(tuple(op for op in (*OPS, *VARIANTS) if op.target is XC7), tmp_path)
