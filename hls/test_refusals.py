"""Illegal configurations: refused by the compiler with a sentence, and before that in Python with the same meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hls_samples import SAMPLES

from bvit_hw.codegen.hls import hls_unit
from bvit_hw.errors import BvitError, ConfigError, ToolError
from bvit_hw.flows.gxx import Toolchain, compile_program
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.multi_pool import MultiPool


@dataclass(frozen=True)
class Wrong:
    """A change to the sample of an operator that makes it illegal, and what compiler and Python say ("": the RTL
    takes it)."""

    op_type: str
    change: dict[str, int]
    compiler: str
    python: str


WRONG = (
    Wrong("BinaryMVAU", {"pe": 4}, "pe must divide the rows", "pe=4 does not divide 6 rows"),
    Wrong("BinaryMVAU", {"simd": 8}, "simd must divide the columns", "simd=8 does not divide 21 columns"),
    Wrong("BinaryMVAU", {"tokens": 0}, "must be 1 or more", "tokens=0; allowed: 1 or more"),
    Wrong("ChannelAffine", {"pe": 5}, "pe must divide the channels", "pe=5 does not divide 12 channels"),
    Wrong("ChannelAffine", {"bias_tokens": 4}, "one row, or one for each token", "bias_tokens=4; allowed: 1 or 9"),
    Wrong("ChannelAffine", {"out_shift": 24}, "out_shift must leave a bit", "out_shift=24; allowed: below"),
    Wrong("MultiPool", {"pe": 4}, "pe must divide the channels", "pe=4 does not divide 6 channels"),
    Wrong("MultiPool", {"height": 0}, "height and width of the grid must be 1 or more", "height=0; allowed: 1 or more"),
    Wrong("MultiPool", {"channels": 150, "pe": 150}, "pe inputs with their sums", ""),
    Wrong("BinaryMVAU", {"cols": 4097, "simd": 4097}, "simd inputs, and pe results, must fit", ""),
    Wrong("MultiPool", {"out_shift": -1}, "out_shift must not be negative", "out_shift=-1; allowed: 0 or more"),
    Wrong("BinaryAttention", {"kp": 18}, "kp must be 1 to the number of keys", "kp=18; allowed: 1 to 17, the keys"),
    Wrong("BinaryAttention", {"mp": 0}, "mp must be 1 to the number of keys", "mp=0; allowed: 1 to 17, the keys"),
    Wrong("BinaryAttention", {"table_bits": 25}, "table_bits must be 1 to 24", "table_bits=25; allowed: 1 to 24"),
)


def sample(op_type: str) -> HwOp:
    """The first sample of an operator."""
    return next(op for op in SAMPLES if op.op_type == op_type)


def attributes(op: HwOp, change: dict[str, int]) -> dict[str, Any]:
    """Its fields with a change."""
    return {**op.attributes(), **change}


@pytest.mark.parametrize(
    "wrong", [wrong for wrong in WRONG if wrong.python], ids=lambda w: f"{w.op_type}-{next(iter(w.change))}"
)
def test_python_refuses(wrong: Wrong) -> None:
    op = sample(wrong.op_type)
    with pytest.raises(BvitError, match=wrong.python):
        type(op)(**attributes(op, wrong.change))


def test_the_compiler_refuses() -> None:
    """All in one program: every sentence must be among the errors."""
    headers = ("binary_attention", "binary_mvau", "channel_affine", "multi_pool")
    lines = [f'#include "bvit/{name}.hpp"' for name in headers]
    rng = np.random.default_rng(1)
    for index, wrong in enumerate(WRONG):
        op = sample(wrong.op_type)
        instance = op.hls(op.random_params(rng))
        members = "".join(f"static constexpr int {k} = {v}; " for k, v in {**instance.config, **wrong.change}.items())
        lines.append(f"struct Config{index} {{ {members}}};")
        lines.append(f"template struct bvit::{instance.shape}<Config{index}>;")
    with pytest.raises(ToolError) as caught:
        compile_program("\n".join([*lines, "int main() {}", ""]), "refused", Toolchain(level=0))
    for wrong in WRONG:
        assert wrong.compiler in str(caught.value), f"{wrong}: not among\n{caught.value}"


def test_table_too_narrow_for_the_scores() -> None:
    """Entries that table_bits do not hold, and a table of too few entries: Python, and the array's type in C++."""
    op = sample("BinaryAttention")
    params = dict(op.random_params(np.random.default_rng(1)))
    with pytest.raises(ConfigError, match=r"table has shape \(5,\); allowed: \(9,\)"):
        op.hls({**params, "table": np.zeros(5, dtype=np.int64)})
    with pytest.raises(ConfigError, match=r"table holds .*; allowed: 0 \.\. 32767"):
        op.hls({**params, "table": np.full(9, 1 << 15)})
    lines = (
        '#include "bvit/binary_attention.hpp"',
        "struct C { static constexpr int "
        + ", ".join(f"{k} = {v}" for k, v in op.hls(params).config.items())
        + "; };",
        "using Shape = bvit::BinaryAttentionShape<C>;",
        "const ap_uint<15> table[5] = {};",
        "const Shape::Table& taken = table;",
        "int main() { return int(taken[0]); }",
    )
    with pytest.raises(ToolError, match=r"invalid initialization|could not convert"):
        compile_program("\n".join(lines), "refused", Toolchain(level=0))


def test_no_template() -> None:
    op = Binarize(tokens=1, channels=4, in_bits=8, pe=1)
    with pytest.raises(ConfigError, match="Binarize: has no HLS template"):
        op.hls({"threshold": np.zeros(4, dtype=np.int64)})


def test_beat_too_wide() -> None:
    """What Vitis HLS takes at most is 4,096 bits (UG1399), a stream's struct counted as a whole."""
    op = BinaryMVAU(tokens=1, cols=4097, rows=1, simd=4097, pe=1)
    with pytest.raises(ConfigError, match="4097 bits; the HLS templates take up to 4096"):
        hls_unit(op, {"weights": np.ones((1, 4097), dtype=np.int64)})
    fits = BinaryMVAU(tokens=1, cols=4096, rows=1, simd=4096, pe=1)
    assert hls_unit(fits, {"weights": np.ones((1, 4096), dtype=np.int64)}).inputs[0].width == 4096
    pool = MultiPool(height=2, width=2, channels=150, pe=150, in_bits=8, coef_bits=8, bias_bits=14, out_shift=6,
                     out_bits=8, use_dsp=1)  # fmt: skip
    with pytest.raises(ConfigError, match="pe=150 inputs with their window sums, 29 bits each"):
        hls_unit(pool, pool.random_params(np.random.default_rng(1)))
    attention = BinaryAttention(queries=1, keys=4000, heads=1, head_dim=4, kp=1000, mp=1000, table_bits=5)
    with pytest.raises(ConfigError, match="kp=1000 entries of 5 bits side by side"):
        hls_unit(attention, attention.random_params(np.random.default_rng(1)))
