"""The fit of the cost coefficients: it finds what counts were made with, and changes nothing else of a table."""

from __future__ import annotations

import gzip
import importlib
import json
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.ops.fifo import Fifo
from bvit_hw.targets import XC7
from bvit_hw.targets.ecp5 import TARGET as ECP5

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "bvit_hw" / "targets" / "xc7.toml").read_text()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("fit_costs")


def circuits() -> dict[str, list[HwOp]]:
    samples = importlib.import_module("cost_samples").samples()
    found: dict[str, list[HwOp]] = {}
    for op in samples:
        found.setdefault(op.cost_terms().circuit, []).append(op)
    return found


@pytest.mark.parametrize("circuit", ["BinaryAttention", "Binarize", "IntMVAU", "SpatialPool", "Upsample"])
def test_counts_that_the_model_makes_are_fitted_without_error(script: ModuleType, circuit: str) -> None:
    ops = circuits()[circuit]
    counts = [op.resources() for op in ops]
    fitted = {kind: script.fit(ops, counts, kind) for kind in ("lut", "ff")}
    assert {kind: names.keys() for kind, names in fitted.items()} == {
        kind: XC7.weights(circuit, kind).keys() for kind in ("lut", "ff")
    }
    for op, count in zip(ops, counts, strict=True):
        again = script.refitted(op, fitted)
        assert (again.lut, again.ff) == (pytest.approx(count.lut, rel=2e-3), pytest.approx(count.ff, rel=2e-3))
        assert (again.bram18, again.dsp) == (count.bram18, count.dsp)


def test_scaled_coefficients_give_the_sum(script: ModuleType) -> None:
    ops = circuits()["BinaryAttention"][:3]
    counts = [Resources(lut=2 * op.resources().lut, ff=op.resources().ff) for op in ops]
    old = XC7.weights("BinaryAttention", "lut")
    assert script.scaled(ops, counts, "lut") == {name: pytest.approx(2 * w, abs=2e-3) for name, w in old.items()}
    assert script.scaled(ops, counts, "ff") == {
        name: pytest.approx(w, abs=2e-3) for name, w in XC7.weights("BinaryAttention", "ff").items()
    }


def test_a_placed_netlist_is_counted_by_instances(script: ModuleType, tmp_path: Path) -> None:
    """Cells inside the core's instances count, by the target's rule; those of the border and of other names do not."""
    op = Fifo(tokens=4, channels=8, bits=8, signed=True, pe=2, depth=2, style="small").on(ECP5)
    graph = HwGraph(
        name="g", input="x", output="a.b",
        nodes=(
            HwNode(name="a", op=op, params={}, inputs=("x",), outputs=("a",)),
            HwNode(name="a.b", op=op, params={}, inputs=("a",), outputs=("a.b",)),
        ),
    )  # fmt: skip
    cells = {
        "u_accelerator.u_core.u_a.ready_q_TRELLIS_FF_Q": "TRELLIS_FF",
        "u_accelerator.u_core.u_a.x_LUT4_Z": "LUT4",
        "u_accelerator.u_core.u_a_b.u_deep.y_CCU2C_S0": "CCU2C",
        "u_accelerator.u_core.s_a_LUT4_Z": "LUT4",
        "u_accelerator.u_guard.u_a.x_LUT4_Z": "LUT4",
    }
    design = {"modules": {"bvit_board": {"cells": {name: {"type": kind} for name, kind in cells.items()}}}}
    plain, packed = tmp_path / "netlist.json", tmp_path / "netlist.json.gz"
    plain.write_text(json.dumps(design))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in (plain, packed):
        assert script.placed(file, graph) == {"a": Resources(lut=1, ff=1), "a.b": Resources(lut=2)}


def test_errors_are_relative_and_of_the_sum(script: ModuleType) -> None:
    assert script.errors([110.0, 50.0], [100.0, 100.0]) == {
        "mean_percent": 30.0, "max_percent": 50.0, "total_percent": -20.0,
    }  # fmt: skip
    assert script.errors([0.0], [0.0])["total_percent"] == 0


def test_a_mover_that_is_far_off_is_judged(script: ModuleType) -> None:
    op = circuits()["Upsample"][-1]
    said = op.resources()
    assert not script.too_far_off(op, said)
    assert not script.too_far_off(op, Resources(lut=said.lut + 19))
    assert script.too_far_off(op, Resources(lut=3 * said.lut + 100))


def test_only_the_circuits_section_is_rewritten(script: ModuleType) -> None:
    new = {"lut": {"one": 1.5, "more": 2.0}, "ff": {"one": 3.0}}
    text = script.rewritten(TABLE, "Fifo", new)
    before, after = tomllib.loads(TABLE), tomllib.loads(text)
    assert after.pop("Fifo") == new and before.pop("Fifo") and after == before
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in TABLE.splitlines() if line.startswith("#")
    ]
    added = tomllib.loads(script.rewritten(TABLE, "Fresh", new))
    assert added.pop("Fresh") == new and added == tomllib.loads(TABLE)
