"""BinaryMVAU's RTL, in the very structure that is synthesized, against its golden function."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness import PATTERNS, Dut, Measurements, check_op, dut_of
from held_beats import held_beats
from late_reset import late

from bvit_hw.errors import ToolError
from bvit_hw.flows.verilator import lint
from bvit_hw.ops.binary_mvau import (
    PRIMITIVE_MODELS,
    PRIMITIVE_SOURCES,
    ULTRASCALE_MODELS,
    BinaryMVAU,
    pack_weights,
)
from bvit_hw.ops.popcount import is_shared, popcount_size
from bvit_hw.rtl_library import source_paths


def random_params(op: BinaryMVAU, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights, with a row that answers +cols and one that answers -cols to a token of ones."""
    params = op.random_params(rng)
    params["weights"][0] = 1
    params["weights"][-1] = -1
    return params


#: models of the cells that each value of USE_PRIMITIVES instantiates
MODELS = {0: (), 1: PRIMITIVE_MODELS, 2: ULTRASCALE_MODELS}


def random_frames(op: BinaryMVAU, rng: np.random.Generator, count: int = 2) -> list[np.ndarray]:
    """Random tokens, among them one of ones and one of zeros."""
    frames = [rng.integers(0, 2, (op.tokens, op.cols)) for _ in range(count)]
    frames[0][0] = 1
    frames[-1][-1] = 0
    return frames


def device(op: BinaryMVAU, params: dict[str, np.ndarray], structure: str, primitives: int) -> Dut:
    """The operator's module with another popcount."""
    dut = dut_of(op, params)
    memory = pack_weights(params["weights"], pe=op.pe, simd=op.simd, structure=structure)
    cells = tuple(source_paths((*MODELS[primitives], *PRIMITIVE_SOURCES)))
    return replace(
        dut,
        parameters={**dut.parameters, "SHARED": int(is_shared(op.simd, structure)), "USE_PRIMITIVES": primitives},
        memories={name: memory for name in dut.memories},
        sources=cells + dut.sources if primitives else dut.sources,
    )


def latency(op: BinaryMVAU, structure: str = "auto", primitives: int = 0) -> int:
    """Cycles from the first beat in to the first beat out: the first pass over a token, then the pipeline."""
    beats = op.cols // op.simd
    stored = int(op.pe < op.rows)
    if not is_shared(op.simd, structure):
        return beats + stored + 4
    return beats + stored + 6 + popcount_size(op.simd).stages - int(primitives > 0)


def check(
    op: BinaryMVAU, structure: str = "auto", primitives: int = 0, patterns: tuple[str, ...] = PATTERNS
) -> Measurements:
    """All frames under all patterns; at full rate exactly ``op.cycles`` a frame and the promised latency."""
    rng = np.random.default_rng([op.cols, op.rows, op.simd, op.pe])
    params = random_params(op, rng)
    measured = check_op(
        op, params, random_frames(op, rng), patterns=patterns, dut=device(op, params, structure, primitives)
    )
    if "full" in patterns:
        assert set(measured.intervals) == {op.cycles}, f"bubbles: {measured.intervals}, not {op.cycles} each"
        assert measured.latency_first == latency(op, structure, primitives)
    if "reset" in patterns and structure == "auto":
        held = held_beats(replace(op, primitives=primitives))
        assert held is not None
        assert measured.capacity == (min(held[0], 4 * op.inputs[0].beats),)
    return measured


@pytest.mark.parametrize("primitives", [0, 1], ids=["portable", "primitives"])
@pytest.mark.parametrize(
    ("cols", "rows", "simd", "pe"),
    [
        (8, 8, 8, 1),  # one synapse fold
        (8, 6, 8, 6),  # one word
        (96, 8, 16, 8),  # one neuron fold: nothing is stored
        (21, 6, 7, 2),  # odd everything: the constant low bit is one
        (72, 12, 18, 4),  # first simd with a stage of counters
        (162, 4, 81, 2),  # four whole levels of threes
        (128, 32, 32, 4),
        (256, 16, 64, 8),
        (512, 8, 128, 4),
        (512, 4, 256, 2),
    ],
)
def test_foldings(cols: int, rows: int, simd: int, pe: int, primitives: int) -> None:
    check(BinaryMVAU(tokens=4, cols=cols, rows=rows, simd=simd, pe=pe), primitives=primitives)


@pytest.mark.parametrize(("cols", "rows", "simd", "pe"), [(21, 6, 7, 2), (162, 4, 81, 2), (256, 16, 64, 8)])
def test_ultrascale_cells(cols: int, rows: int, simd: int, pe: int) -> None:
    """CARRY8 in place of CARRY4: the same in every cycle."""
    check(BinaryMVAU(tokens=4, cols=cols, rows=rows, simd=simd, pe=pe), primitives=2, patterns=("full", "both"))


@pytest.mark.parametrize(("cols", "rows", "simd", "pe"), [(1, 3, 1, 1), (8, 8, 2, 2), (12, 6, 3, 2), (20, 5, 5, 1)])
def test_small_simd(cols: int, rows: int, simd: int, pe: int) -> None:
    check(BinaryMVAU(tokens=5, cols=cols, rows=rows, simd=simd, pe=pe))


def test_plain_structure() -> None:
    check(BinaryMVAU(tokens=3, cols=48, rows=8, simd=24, pe=4), structure="plain")


def test_weights_in_luts() -> None:
    check(BinaryMVAU(tokens=3, cols=64, rows=16, simd=16, pe=4, use_bram=0))


@pytest.mark.slow
@pytest.mark.parametrize("simd", range(3, 71))
def test_every_popcount(simd: int) -> None:
    """Every width up to 70 has its own recursion and heap; one full-rate frame of many tokens each."""
    check(BinaryMVAU(tokens=12, cols=simd, rows=6, simd=simd, pe=3), structure="shared_parity", patterns=("full",))


@pytest.mark.parametrize("primitives", [0, 1], ids=["portable", "primitives"])
def test_full_size(primitives: int) -> None:
    """The second MLP layer of the last stage of small/4/224."""
    patterns = ("full", "both") if primitives else PATTERNS
    check(BinaryMVAU(tokens=3, cols=2048, rows=512, simd=64, pe=32), primitives=primitives, patterns=patterns)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"PE": 3}, "PE=3 must divide ROWS=512"),
        ({"SIMD": 48}, "SIMD=48 must divide COLS=512"),
        ({"ACC_W": 10}, "ACC_W=10 cannot hold"),
        ({"SIMD": 2, "SHARED": 1}, "needs SIMD of 3 or more"),
    ],
)
def test_illegal_parameters_stop_elaboration(parameters: dict[str, int | str], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        lint(source_paths(BinaryMVAU.rtl_sources), "bvit_binary_mvau", parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"SIMD": 1, "PE": 1},
        pytest.param({"SIMD": 8, "PE": 512}, marks=pytest.mark.slow),
        {"SIMD": 8, "PE": 64},
        pytest.param({"SIMD": 256}, marks=pytest.mark.slow),
        {"SIMD": 64},
        {"SIMD": 16, "SHARED": 0},
        {"COLS": 9, "SIMD": 3, "SHARED": 1},
        {"COLS": 5, "SIMD": 5, "SHARED": 1},
    ],
)
@pytest.mark.parametrize("primitives", [0, 1, 2])
def test_lint(parameters: dict[str, int | str], primitives: int) -> None:
    names = (*MODELS[primitives], *PRIMITIVE_SOURCES) if primitives else ()
    sources = source_paths((*names, *BinaryMVAU.rtl_sources))
    lint(sources, "bvit_binary_mvau", {**parameters, "USE_PRIMITIVES": primitives})


def test_takes_nothing_in_reset(tmp_path: Path) -> None:
    """Where it shows a token more than once, its ready is a register that reset clears."""
    rng = np.random.default_rng(1)
    op = BinaryMVAU(tokens=6, rows=8, cols=16, simd=4, pe=2)
    params = random_params(op, rng)
    check_op(op, params, random_frames(op, rng), dut=late(dut_of(op, params), tmp_path))
