"""MultiPool's template against its golden function: grids of every size, foldings, widths, real and random data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from digits_network import digits_cases
from hls_checks import Case, check_hls, random_frame
from template_checks import mutants_caught, refusals, run_program

from bvit_hw.errors import BvitError, ConfigError, FoldingError
from bvit_hw.flows.gxx import Toolchain, clang
from bvit_hw.ops.multi_pool import MultiPool

#: small shapes take longer to compile than to run
QUICK = Toolchain(level=0)
SANITIZED = Toolchain(level=0, sanitize=True)


def pool(height: int, width: int, channels: int, pe: int, **fields: int) -> MultiPool:
    widths = {"in_bits": 8, "coef_bits": 8, "bias_bits": 16, "out_shift": 8, "out_bits": 8, "use_dsp": 1, **fields}
    return MultiPool(height=height, width=width, channels=channels, pe=pe, **widths)


def random_case(op: MultiPool, frames: int = 3) -> Case:
    """Random parameters and frames; one frame holds the least value everywhere, where sums are greatest."""
    rng = np.random.default_rng(op.height * 1000 + op.width * 100 + op.channels + op.pe)
    found = [random_frame(op, rng) for _ in range(frames)]
    found[0][0][:] = op.inputs[0].low
    return op, op.random_params(rng), found


#: windows wider than the grid, sides of three tokens, odd grids, PE = 1 and PE = C, each stage of the digits network
GRIDS = [
    pool(1, 1, 6, 1), pool(1, 2, 6, 6), pool(2, 1, 4, 2), pool(2, 2, 6, 3), pool(1, 7, 4, 2), pool(5, 1, 4, 4),
    pool(3, 3, 4, 1), pool(3, 3, 4, 4), pool(2, 5, 6, 1), pool(5, 7, 6, 2),
]  # fmt: skip
WIDTHS = [
    pool(3, 4, 4, 2, in_bits=4, coef_bits=5, bias_bits=9, out_shift=3, out_bits=6),
    pool(3, 4, 4, 2, in_bits=9, coef_bits=7, bias_bits=22, out_shift=0, out_bits=24),
    pool(3, 4, 4, 2, in_bits=2, coef_bits=2, bias_bits=1, out_shift=0, out_bits=1),
    pool(3, 4, 4, 2, out_shift=30),
]


def test_shapes() -> None:
    check_hls([random_case(op) for op in (*GRIDS, *WIDTHS)], QUICK)


def test_digits_network() -> None:
    """Every pool of the shipped network on test images."""
    check_hls([(op.fold(pe=4), params, frames) for op, params, frames in digits_cases("MultiPool")], QUICK)


def test_full_size() -> None:
    """The first stage of small/4/224, as wide as the rate asks for."""
    check_hls([random_case(pool(56, 56, 64, 8), frames=2)])


@pytest.mark.slow
def test_full_size_foldings() -> None:
    """All four stages of small/4/224, and the first with one lane and with all."""
    ops = [pool(56, 56, 64, 1), pool(56, 56, 64, 64), pool(28, 28, 128, 16), pool(14, 14, 256, 8), pool(7, 7, 512, 32)]
    check_hls([random_case(op) for op in ops])


@pytest.mark.slow
def test_digits_network_foldings() -> None:
    check_hls(digits_cases("MultiPool", foldings=4))


@pytest.mark.parametrize("name", ["line_window_check", "overlap_check", "arithmetic_check"])
def test_programs(name: str, tmp_path: Path) -> None:
    """Windows alone, frames that overlap, the pure functions."""
    run_program(name, tmp_path, QUICK)


def test_sanitized() -> None:
    """No access beyond an array, no undefined arithmetic."""
    check_hls([random_case(op) for op in (pool(3, 5, 4, 2),)], SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["line_window_check", "overlap_check", "arithmetic_check"])
def test_programs_sanitized(name: str, tmp_path: Path) -> None:
    run_program(name, tmp_path, SANITIZED)


@pytest.mark.slow
def test_all_sanitized() -> None:
    check_hls([random_case(op) for op in (*GRIDS, *WIDTHS)], SANITIZED)


@pytest.mark.skipif(clang() is None, reason="clang++ is not installed: apt install clang")
def test_clang() -> None:
    check_hls([random_case(op) for op in (GRIDS[5], GRIDS[9], WIDTHS[1])], Toolchain(compiler=clang() or "", level=0))


#: fields, the error of Python with what it says, the sentence of the compiler
REFUSED: list[tuple[dict[str, int], type[BvitError], str, str]] = [
    ({"pe": 3}, FoldingError, "pe=3 does not divide 4 channels", "MultiPool: pe must divide the channels."),
    ({"pe": 0}, FoldingError, "pe=0 does not divide 4 channels", "MultiPool: pe must divide the channels."),
    ({"height": 0}, ConfigError, "height=0; allowed: 1", "MultiPool: height and width of the grid must be 1 or more."),
    ({"width": 0}, ConfigError, "width=0; allowed: 1", "MultiPool: height and width of the grid must be 1 or more."),
    ({"channels": 0}, ConfigError, "channels=0; allowed: 1", "MultiPool: channels must be 1 or more."),
    ({"in_bits": 1}, ConfigError, "in_bits=1; allowed: 2", "MultiPool: in_bits and coef_bits must be 2 or more."),
    ({"coef_bits": 1}, ConfigError, "coef_bits=1; allowed: 2", "MultiPool: in_bits and coef_bits must be 2 or more."),
    ({"bias_bits": 0}, ConfigError, "bias_bits=0; allowed: 1", "MultiPool: bias_bits and out_bits must be 1 or more."),
    ({"out_bits": 0}, ConfigError, "out_bits=0; allowed: 1", "MultiPool: bias_bits and out_bits must be 1 or more."),
    ({"out_shift": -1}, ConfigError, "out_shift=-1; allowed: 0", "MultiPool: out_shift must not be negative."),
]


def test_bad_parameters(tmp_path: Path) -> None:
    """Python refuses them, and so does the compiler, with the same meaning."""
    good = pool(3, 4, 4, 2).attributes()
    for fields, error, words, _ in REFUSED:
        with pytest.raises(error, match=words):
            MultiPool(**{**good, **fields})
    found = refusals(
        "multi_pool.hpp", "MultiPoolShape", [good, *({**good, **fields} for fields, *_ in REFUSED)], tmp_path
    )
    assert found == [[], *([sentence] for *_, sentence in REFUSED)]


MUTATIONS = [
    ("multi_pool.hpp", "const bool own = y + near < Cfg::height;", "const bool own = y < Cfg::height;"),
    ("multi_pool.hpp", "y + i >= near && y + i < Cfg::height + near", "y + i >= near"),
    ("multi_pool.hpp", "y + i >= near && y + i < Cfg::height + near", "y + i < Cfg::height + near"),
    ("multi_pool.hpp", "x + i >= near && x + i < Cfg::width + near", "x + i >= near"),
    ("multi_pool.hpp", "x + i >= near && x + i < Cfg::width + near", "x + i < Cfg::width + near"),
    ("multi_pool.hpp", "column.x = window[near]", "column.x = newest"),
    ("multi_pool.hpp", "max_of(middle - reach, 0)", "0"),
    ("multi_pool.hpp", "sum5_bits = Cfg::in_bits + 3", "sum5_bits = Cfg::in_bits + 2"),
    ("multi_pool.hpp", "sum3_bits = Cfg::in_bits + 2", "sum3_bits = Cfg::in_bits + 1"),
    ("multi_pool.hpp", "Cfg::coef_bits + 4, Cfg::bias_bits) + 1", "Cfg::coef_bits, Cfg::bias_bits)"),
    ("line_window.hpp", "behind[i][at] = window[reach - i]", "behind[i][at] = window[reach]"),
    ("line_window.hpp", "stored[in_turn(middle + i)]", "stored[i]"),
    ("line_window.hpp", "if (at == line - 1) middle = in_turn(middle + 1);", ""),
    ("line_window.hpp", "filling = in_turn(filling + 1);", ""),
    ("line_window.hpp", "window[2 * reach] = newest", "window[2 * reach] = Word()"),
]  # fmt: skip


@pytest.mark.slow
def test_mutations_are_caught(tmp_path: Path) -> None:
    """The cases above find every one of these faults."""
    pools = [pool(5, 6, 4, 2), pool(1, 3, 2, 1), pool(3, 1, 2, 1), WIDTHS[1]]
    assert mutants_caught([random_case(op, frames=4) for op in pools], MUTATIONS, tmp_path) == MUTATIONS
