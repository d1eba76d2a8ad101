"""Cycles a frame that the templates' text states, against the operators' model, which the benches hold the RTL to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hls_samples import samples

from bvit_hw.codegen.hls import hls_unit
from bvit_hw.codegen.hls_cycles import bounds_program, read_functions
from bvit_hw.errors import LoweringError
from bvit_hw.flows.gxx import compile_program
from bvit_hw.resources import data_path

HEADERS = data_path("hls") / "bvit"


def test_cycles_are_those_of_the_rtl_twin() -> None:
    """For every kind and folding: what loops and pragmas say, and what the shape states, is ``op.cycles``, which is
    exact for the RTL."""
    rng = np.random.default_rng(1)
    units = [hls_unit(op, params) for op, params in samples(rng)]
    program = bounds_program(units, HEADERS)
    printed = subprocess.run(
        [compile_program(program.text, "cycles")], capture_output=True, text=True, check=True
    ).stdout
    stated = program.stated(printed)
    for unit, (cycles, loops), states in zip(units, program.cycles(printed), stated, strict=True):
        assert cycles == unit.op.cycles, f"{unit.op}: {cycles} cycles by its text, model {unit.op.cycles}; {loops}"
        assert states == cycles, f"{unit.op}: its shape states {states} cycles, its loops and pragmas {cycles}"
        assert all(loop.ii == 1 for loop in loops if loop.ii), f"{unit.op}: a loop does not state II = 1"


HEADER = """
template <typename Cfg>
void shell(int& out) {{
outer:
  for (int t = 0; t < Cfg::tokens; ++t) {{
  inner:
    {loop} {{
#pragma HLS pipeline{ii}
      out += t;
    }}
  }}
}}
"""


def header(folder: Path, loop: str, ii: str = " II = 2") -> Path:
    """A header with one template in it."""
    path = folder / "x.hpp"
    path.write_text(HEADER.format(loop=loop, ii=ii))
    return path


def test_text_is_read(tmp_path: Path) -> None:
    (outer,) = read_functions([header(tmp_path, "for (int b = 1; b <= Cfg::beats; ++b)")])["shell"].body
    (inner,) = outer.inner  # type: ignore[union-attr]
    assert (outer.label, outer.low, outer.high, outer.ii) == ("outer", "0", "Cfg::tokens", None)  # type: ignore[union-attr]
    assert (inner.label, inner.low, inner.high, inner.ii) == ("inner", "1", "(Cfg::beats) + 1", 2)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("loop", "ii", "words"),
    [
        ("for (int b = 8; b > 0; --b)", " II = 1", "is not int i = low"),
        ("for (int b = 0; b < 8; ++b)", "", "states no II"),
        ("while (out < 8)", " II = 1", "needs #pragma HLS loop_tripcount"),
    ],
)
def test_what_cannot_be_counted_is_refused(tmp_path: Path, loop: str, ii: str, words: str) -> None:
    with pytest.raises(LoweringError, match=words):
        read_functions([header(tmp_path, loop, ii)])
