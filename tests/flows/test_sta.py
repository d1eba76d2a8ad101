"""Static timing of mapped netlists: paths that can be counted by hand, and those of operators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.sta import UnitTiming, unit_timing
from bvit_hw.flows.yosys import analyse, job_of
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.fifo import Fifo
from bvit_hw.targets import XC7
from bvit_hw.targets.delays import CellDelays, Delays, crossed

CELLS = {
    "FF": CellDelays(clocked={"Q": 0.5}, setup={"D": 0.125, "E": 0.25, "R": 8.0}),
    "LUT": CellDelays(through=crossed("A B", "O", 1.0)),
    "ADD": CellDelays(
        through={("S", "O"): 2.0, ("C", "O"): 1.0, ("S", "CO"): 3.0, ("C", "CO"): 0.25},
        direct=frozenset({"C"}), rising=True,
    ),
}  # fmt: skip
#: a wire takes 16 ns, and 4 more for each doubling of its fan-out: whatever is left out shows
DELAYS = Delays(
    of=lambda cell, parameters: CELLS.get(cell), wire=16.0, wire_doubling=4.0, source="made up",
    controls={"FF": ("K", "E", "R")}, luts_per_control_set=4,
)  # fmt: skip


def cell(kind: str, outputs: str, **connections: list[int | str]) -> dict[str, Any]:
    ways = {port: "output" if port in outputs.split() else "input" for port in connections}
    return {"type": kind, "parameters": {}, "port_directions": ways, "connections": connections}


def module(cells: Mapping[str, Any], names: Mapping[str, int], **ports: list[int | str]) -> dict[str, Any]:
    nets = {name: {"bits": [bit]} for name, bit in names.items()}
    return {"cells": dict(cells), "ports": {name: {"bits": bits} for name, bits in ports.items()}, "netnames": nets}


#: two lanes of data in, one out; valid is a register, ready goes through
SMALL = module(
    {
        "a": cell("FF", "Q", K=[2], D=[10], E=[30], R=["0"], Q=[11]),
        "b": cell("FF", "Q", K=[2], D=[13], E=[30], R=["0"], Q=[14]),
        "v": cell("FF", "Q", K=[2], D=[20], E=["1"], R=["0"], Q=[21]),
        "l": cell("LUT", "O", A=[11], B=[11], O=[12]),
        "m": cell("LUT", "O", A=[12], B=[9], O=[13]),
        "r": cell("LUT", "O", A=[40], B=[21], O=[30]),
    },
    {"u_dut.first_q": 11, "u_dut.a_longer_name_of_first_q": 11, "second_q": 14, "m_tdata": 14, "go": 30},
    s_tdata=[10, 9], s_tvalid=[20], s_tready=[30], m_tdata=[14], m_tvalid=[21], m_tready=[40],
)  # fmt: skip


def test_paths_counted_by_hand() -> None:
    found = unit_timing(SMALL, DELAYS, {"s": [2]}, {"m": [1]})
    assert found.inputs == ("s.0",) and found.outputs == ("m.0",)
    assert found.inside is not None
    # first_q to both inputs of a LUT (fan-out 2), through it and another one, to D of the second register
    assert (found.inside.ns, found.inside.levels) == (0.5 + 20 + 1 + 16 + 1 + 16 + 0.125, 2)
    assert (found.inside.begin, found.inside.end) == ("first_q", "m_tdata")
    assert {name: path.ns for name, path in found.arrive.items()} == {
        "m.0.data": 0.5, "m.0.valid": 0.5,
        # from the register of valid, its LUT behind a wire of one sink; that wire on is the reader's
        "s.0.ready": 0.5 + 16 + 1,
    }  # fmt: skip
    assert {name: path.ns for name, path in found.need.items()} == {
        "s.0.data": 16 + 1 + 16 + 0.125, "s.0.valid": 16 + 0.125,
        # the enables of two registers: a wire of fan-out two
        "m.0.ready": 16 + 1 + 20 + 0.25,
    }  # fmt: skip
    assert {name: (path.ns, path.levels) for name, path in found.through.items()} == {"m.0.ready>s.0.ready": (17.0, 1)}
    assert (found.enable, found.enable_fan_out, found.control_sets) == ("go", 2, 2)
    assert UnitTiming.read(found.as_json()) == found


def test_a_carry_goes_up_and_not_down() -> None:
    cells = {
        "q": cell("FF", "Q", K=[2], D=["0"], E=["1"], R=["0"], Q=[5]),
        "x": cell("ADD", "O CO", S=["0", "0", 5], C=["0"], O=[6, 7, 8], CO=[9, 10, 11]),
        "y": cell("ADD", "O CO", S=["0", "0", "0"], C=[11], O=[12, 13, 14], CO=[15, 16, 17]),
        **{f"d{bit}": cell("FF", "Q", K=[2], D=[bit], E=["1"], R=["0"], Q=[100 + bit]) for bit in (6, 7, 8, 14, 17)},
    }
    found = unit_timing(module(cells, {"top": 114, "carry": 117}), DELAYS, {}, {})
    assert found.inside is not None and found.inside.end == "top"
    # into the chain at its third bit, on by the wire of its own, out to a register
    assert found.inside.ns == 0.5 + 16 + 3 + 1 + 16 + 0.125
    del cells["d14"], cells["d17"], cells["d8"]
    assert unit_timing(module(cells, {}), DELAYS, {}, {}).inside is None, "no bit below the third is reached"


def test_a_table_is_no_way_from_what_it_does_not_depend_on() -> None:
    """bvit_xilinx_ternary's: the majority of the first three goes on, the previous one is in the sum alone."""
    delays = XC7.delays
    assert delays is not None
    found = delays.of("LUT6_2", {"INIT": f"{0xC33C6996C0C0E8E8:064b}"})
    assert found is not None
    assert set(found.through) == {
        *((f"I{n}", "O5") for n in (0, 1, 2, 4)), *((f"I{n}", "O6") for n in (0, 1, 2, 3, 4, 5))
    }  # fmt: skip
    assert set(found.through.values()) == {delays.lut}


def test_what_has_no_time_is_told() -> None:
    with pytest.raises(ToolError, match="a mapped cell whose delays the target does not know: LATCH"):
        unit_timing(module({"x": cell("LATCH", "Q", D=[1], Q=[2])}, {}), DELAYS, {}, {})
    loop = {"x": cell("LUT", "O", A=[1], B=[3], O=[2]), "y": cell("LUT", "O", A=[2], B=[2], O=[1])}
    with pytest.raises(ToolError, match=r"a combinational loop, through (around|1|2)"):
        unit_timing(module(loop, {"around": 2}), DELAYS, {}, {})


def timed(op: HwOp, tmp_path: Path) -> UnitTiming:
    job = job_of("op", op, op.random_params(np.random.default_rng(0)))
    found = analyse([job], target=op.target, work=tmp_path / "w", cache=tmp_path / "c", processes=1)["op"].timing
    assert found is not None
    kept = analyse([job], target=op.target, work=tmp_path / "none", cache=tmp_path / "c")["op"].timing
    assert kept == found and not (tmp_path / "none").exists()
    return found


@pytest.mark.parametrize("target", ["xc7", "xcup", "ecp5"])
def test_a_fifos_border_is_registers(target: str, tmp_path: Path) -> None:
    from bvit_hw.targets import discovered

    (chosen,) = (each for each in discovered() if each.name == target)
    op = Fifo(tokens=4, channels=8, bits=1, signed=False, pe=8, depth=32, style="small").on(chosen)
    found = timed(op, tmp_path)
    assert not found.through, "ready and valid of a FIFO are registers (docs/operators.md)"
    assert set(found.arrive) == {"s_axis.0.ready", "m_axis.0.data", "m_axis.0.valid"}
    assert set(found.need) == {"s_axis.0.data", "s_axis.0.valid", "m_axis.0.ready"}
    assert found.inside is not None and 0.3 < found.inside.ns < 10 and found.inside.begin
    assert 0 < found.control_sets < 20 and found.enable_fan_out > 1


def test_an_operators_ready_goes_through(tmp_path: Path) -> None:
    """That of ChannelAffine is combinational on its output's, and enables its pipeline."""
    op = ChannelAffine(
        tokens=4, channels=8, pe=2, in_bits=(8,), multiply=(1,), shift=(0,), bias_bits=17, out_shift=7, out_bits=8,
        use_dsp=0,
    ).on(XC7)  # fmt: skip
    found = timed(op, tmp_path)
    path = found.through["m_axis.0.ready>s0_axis.0.ready"]
    assert 0 < path.ns < 5 and path.levels >= 1
    # valid never waits for ready
    assert not any(name.endswith("valid") and ".ready>" in name for name in found.through)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xc7", "ecp5"])
def test_no_operators_valid_waits_for_ready(target: str, tmp_path: Path) -> None:
    """Of every operator that can be built for the target: so no stitched graph has a combinational loop."""
    from bvit_hw.targets import discovered
    from tests.op_samples import OPS, VARIANTS

    (chosen,) = (each for each in discovered() if each.name == target)
    ops = [op.on(chosen) for op in (*OPS, *VARIANTS) if op.target is XC7]
    jobs = [job_of(f"{n}", op, op.random_params(np.random.default_rng(n))) for n, op in enumerate(ops)]
    found = analyse(jobs, target=chosen, work=tmp_path / "w", cache=tmp_path / "c")
    for job, op in zip(jobs, ops, strict=True):
        timing = found[job.name].timing
        # One that passes beats on as they are has no register.
        assert timing is not None and (timing.inside is not None or timing.through), op
        assert len(timing.inputs) == len(op.inputs) and len(timing.outputs) == len(op.outputs)
        waits = [key for key in timing.through if ".ready>" in key and not key.endswith(".ready")]
        assert not waits, (op, waits)
