"""ChannelAffine's template against its golden function: inputs, RPReLU, biases by token, odd widths."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hls_checks import check_hls, random_frame
from template_checks import mutants_caught

from bvit_hw.codegen.hls import hls_unit
from bvit_hw.flows.gxx import Toolchain, compile_program
from bvit_hw.ops.base import Params
from bvit_hw.ops.channel_affine import ChannelAffine
from tests.affine_kinds import CONTEXT, LAYER_SCALE, LOGITS, NORM, ODD, PLAIN, POOLED, QUERY, random_params


def make(kind: dict[str, Any], tokens: int, channels: int, pe: int, **more: int) -> ChannelAffine:
    """The operator of a kind."""
    return ChannelAffine(tokens=tokens, channels=channels, pe=pe, **{"out_bits": 8, **kind, **more})


OPS = [
    make(NORM, 64, 32, 4),
    make(QUERY, 64, 32, 1),
    make(QUERY, 16, 32, 32),  # PE = C
    make(POOLED, 16, 32, 4),
    make(CONTEXT, 64, 32, 2),
    make(LAYER_SCALE, 16, 32, 4),
    make(PLAIN, 8, 32, 32),
    make(NORM, 20, 12, 4, bias_tokens=20),  # the stem's position embedding
    make(QUERY, 20, 12, 4, bias2_tokens=20),  # a transition's
    make(CONTEXT, 6, 12, 2, bias_tokens=6, bias2_tokens=6),
    make(LOGITS, 1, 10, 1),
    make(ODD, 7, 9, 3),
]
FULL_SIZE = [make(NORM, 3136, 64, 16), make(CONTEXT, 196, 256, 4), make(QUERY, 49, 2048, 16)]


def cases(ops: list[ChannelAffine], frames: int) -> list[tuple[ChannelAffine, Params, list[tuple[np.ndarray, ...]]]]:
    """Operators with random parameters and frames."""
    found = []
    for seed, op in enumerate(ops):
        rng = np.random.default_rng(seed)
        found.append((op, random_params(op, rng), [random_frame(op, rng) for _ in range(frames)]))
    return found


def test_kinds() -> None:
    check_hls(cases(OPS, 2), Toolchain(level=0))


@pytest.mark.slow
def test_full_size() -> None:
    """Shapes of small/4/224, all tokens."""
    check_hls(cases(FULL_SIZE, 1))


def test_widths_are_pythons() -> None:
    """The header derives the widths of sums and factors as ops/channel_affine.py does, which the RTL is built with."""
    rng = np.random.default_rng(1)
    units = [hls_unit(op, random_params(op, rng)) for op in OPS]
    lines = ["#include <cstdio>", '#include "bvit/channel_affine.hpp"']
    names = ("sum_bits", "mid_bits", "factor_bits", "result_bits")
    for number, unit in enumerate(units):
        members = "".join(f"static constexpr int {name} = {value}; " for name, value in unit.config.items())
        lines.append(f"struct C{number} {{ {members}}};")
    calls = [f"int(bvit::ChannelAffineShape<C{n}>::{name})" for n in range(len(units)) for name in names]
    lines += ["int main() {", *(f'std::printf("%d\\n", {call});' for call in calls), "}", ""]
    program = compile_program("\n".join(lines), "widths", Toolchain(level=0))
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert [int(word) for word in printed] == [getattr(op, name) for op in OPS for name in names]


MUTATIONS = [
    ("channel_affine.hpp", "return term << Shape::shift(i);", "return term;"),
    ("channel_affine.hpp", "m < 0 ? Factor(slope)", "m <= 0 ? Factor(slope - 1)"),
    ("channel_affine.hpp", "(m, factor) + bias2;", "(m, factor) - bias2;"),
    ("channel_affine.hpp", "Cfg::bias2_tokens > 1 ? t * Shape::beats + b : b", "b"),
    ("channel_affine.hpp", "Shape::multiplied(i) ? Shape::rank(i) : 0", "0"),
    ("channel_affine.hpp", "w = v >> Cfg::out_shift", "w = v / (1 << Cfg::out_shift)"),
    ("common.hpp", "if (value > high) return high;", ""),
    ("common.hpp", "if (value < -high - 1) return -high - 1;", ""),
    ("channel_affine.hpp", "set_lane(beat, p, affine", "set_lane(beat, p ^ 1, affine"),
]  # fmt: skip


@pytest.mark.slow
def test_mutations_are_caught(tmp_path: Path) -> None:
    """Faults put into the header on purpose."""
    ops = [make({**CONTEXT, "shift": (2, 3, 1, 0)}, 6, 12, 2, bias2_tokens=6), make(POOLED, 16, 32, 4)]
    caught = mutants_caught(cases(ops, 2), MUTATIONS, tmp_path)
    assert caught == MUTATIONS
