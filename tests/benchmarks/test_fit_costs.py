"""The fit of the cost coefficients: it finds what counts were made with, and changes nothing else of a table."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.targets import XC7

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
