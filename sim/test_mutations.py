"""Every module of rtl/ has faults that a bench must catch: of units without a bench of their own, those that the tool
of test_mutate.py does not make are here."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from harness import SIM, assert_caught, mutant, random_frame
from mutation import docs
from mutation import runner as tool

from bvit_hw.contract.attention_rule import score_table
from bvit_hw.ops.base import HwOp, Params
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.upsample import Upsample
from bvit_hw.ops.width_converter import WidthConverter
from bvit_hw.rtl_library import library

Material = tuple[HwOp, Params]


def mvau(cols: int, simd: int, rows: int = 4, pe: int = 2, primitives: int = 0) -> Material:
    op = BinaryMVAU(tokens=4, cols=cols, rows=rows, simd=simd, pe=pe, primitives=primitives)
    return op, {"weights": np.random.default_rng(1).choice(np.array([-1, 1]), (rows, cols))}


def shared() -> Material:
    """Every part of the shared-parity popcount: two stages of counters, both chains, two words a pass."""
    return mvau(cols=162, simd=81)


def single() -> Material:
    """Every beat is the last of its row: one left over after a reset gives a beat too many."""
    return mvau(cols=81, simd=81)


def plain_single() -> Material:
    return mvau(cols=6, simd=6)


def cells() -> Material:
    """The same of Xilinx cells."""
    return mvau(cols=162, simd=81, primitives=1)


def plain() -> Material:
    return mvau(cols=12, simd=3, rows=6)


def attention(kp: int) -> Material:
    """Several keys at once share the query's parities, one at a time is compared by itself."""
    op = BinaryAttention(queries=6, keys=4, heads=2, head_dim=32, simd=8, kp=kp, mp=2, pe=8)
    return op, {"table": score_table(op.head_dim), "threshold": np.int64(2**15)}


def keys_together() -> Material:
    return attention(kp=2)


def keys_apart() -> Material:
    return attention(kp=1)


def affine() -> Material:
    """Wide results, so that an error in the lowest bit is seen."""
    op = ChannelAffine(
        tokens=6, channels=12, in_bits=(8,), multiply=(1,), shift=(0,), coef_bits=8, bias_bits=12, bias_tokens=1,
        prelu=1, mid_shift=2, slope_bits=8, slope_shift=6, bias2_bits=16, bias2_tokens=1, out_shift=0, out_bits=24,
        pe=2, use_dsp=1,
    )  # fmt: skip
    return op, op.random_params(np.random.default_rng(1))


def serial() -> Material:
    op = IntMVAU(tokens=4, cols=12, rows=32, in_bits=8, acc_bits=20, simd=3, pe=2, use_dsp=0, serial=1)
    return op, op.random_params(np.random.default_rng(1))


def repeat() -> Material:
    return ChannelRepeat(tokens=9, channels=8, repeat=3, bits=8, signed=1, pe=2), {}


def affine_by_token() -> Material:
    """A bias of each token, and beats that are no power of two: the counters of a token and of a frame part."""
    fields = dict(in_bits=(8,), multiply=(1,), shift=(0,), coef_bits=8, bias_bits=12, bias_tokens=6)
    op = ChannelAffine(tokens=6, channels=12, **fields, out_shift=0, out_bits=16, pe=2, use_dsp=1)
    return op, op.random_params(np.random.default_rng(1))


def through() -> Material:
    """All rows at once: nothing is stored, a beat goes straight through."""
    return mvau(cols=12, simd=3, rows=2)


def six_beats_times_six() -> Material:
    """Six beats, six times: the address of a weight is no two fields of bits."""
    op = IntMVAU(tokens=4, cols=12, rows=12, in_bits=8, acc_bits=20, simd=2, pe=2, use_dsp=0)
    return op, op.random_params(np.random.default_rng(1))


def six_beats_repeated() -> Material:
    return ChannelRepeat(tokens=9, channels=12, repeat=3, bits=8, signed=1, pe=2), {}


def six_beats_up() -> Material:
    return Upsample(height=4, width=6, channels=12, factor=2, bits=8, signed=1, pe=2), {}


def six_beats_pooled() -> Material:
    return SpatialPool(height=4, width=6, channels=12, window_h=2, window_w=3, in_bits=8, pe=2), {}


def gathered() -> Material:
    return PatchGather(height=9, width=6, channels=6, window_h=3, window_w=2, bits=4, signed=0, pe=1), {}


def hundred() -> Material:
    return Fifo(tokens=80, channels=16, bits=7, signed=True, pe=4, depth=100), {}


def pools() -> Material:
    op = MultiPool(
        height=5, width=6, channels=16, in_bits=8, coef_bits=8, bias_bits=16, out_shift=8, out_bits=8, pe=2, use_dsp=1
    )
    return op, op.random_params(np.random.default_rng(1))


def fifo() -> Material:
    return Fifo(tokens=20, channels=16, bits=7, signed=True, pe=4, depth=8), {}


def duplicate() -> Material:
    return Duplicate(tokens=25, channels=6, bits=5, signed=True, copies=3, pe=3), {}


def converter() -> Material:
    return WidthConverter(tokens=12, channels=20, bits=3, signed=False, lanes_in=2, lanes_out=10), {}


MUTATIONS: list[tuple[str, str, str, Callable[[], Material]]] = [
    ("bvit_binary_mvau.sv", "done && (!out_valid_q || m_axis_tready)", "done", shared),
    ("bvit_binary_mvau.sv", "if (rst) out_valid_q <= 1'b0;\n    else if", "if", single),
    ("bvit_binary_mvau.sv", "if (en) addr_q <= addr", "addr_q <= addr", shared),
    ("bvit_replay.sv", "used_d != COUNT_BITS'(WORDS)", "1'b1", shared),
    ("bvit_replay.sv", "          fresh_q <= '0;\n", "", shared),
    ("bvit_replay.sv", "          there_q <= 1'b0;\n", "", shared),
    ("bvit_replay.sv", "if (rst) valid <= 1'b0;\n    else if", "if", single),
    ("bvit_replay.sv", "if (en) x <= s_axis_tdata", "x <= s_axis_tdata", through),
    ("bvit_loop_counter.sv", "if (rst) index_q <= '0;\n      else if", "if", shared),
    (
        "bvit_rom.sv",
        "if (en) data_q <= mem[addr];\n  end else begin : gen_tables",
        "data_q <= mem[addr];\n  end else begin : gen_tables",
        shared,
    ),
    ("bvit_popcount_pkg.sv", "(parities < n / 8) ? parities : n / 8", "parities", shared),
    ("bvit_popcount_parity.sv", " ^ levels[FROM+2*G+:G]", "", shared),
    ("bvit_popcount_majority.sv", "(a & b) | (a & c) | (b & c)", "(a & b) | (a & c)", shared),
    ("bvit_popcount_compress.sv", "low_carry ^ high_carry ^ carry", "low_carry ^ high_carry", shared),
    ("bvit_popcount_chain.sv", "{low_carry & high_carry, last}", "{1'b0, last}", shared),
    ("bvit_popcount_shared.sv", "assign row[0] = heap[j];", "assign row[0] = 1'b0;", shared),
    ("bvit_popcount_shared.sv", "if (rst) tags_q <= '0;\n    else if", "if", single),
    ("bvit_popcount_accumulate.sv", "(restart ? START : ", "(restart ? '0 : ", shared),
    ("bvit_popcount_accumulate.sv", "if (rst) tags_q <= '0;\n        else if", "if", single),
    ("bvit_popcount_accumulate.sv", "if (rst) done_q <= 1'b0;\n    else if", "if", single),
    ("bvit_popcount_plain.sv", "bits_q ~^ weights", "bits_q ^ weights", plain),
    ("bvit_popcount_plain.sv", "if (rst) tags_q <= '0;\n    else if", "if", plain_single),
    ("bvit_xilinx_chain.sv", "generated[2*c] = bits[c*6]", "generated[2*c] = bits[c*6+1]", cells),
    ("bvit_xilinx_carry.sv", ".CI    (enter),\n        .CYINIT", ".CI    (1'b0),\n        .CYINIT", cells),
    ("bvit_xilinx_ternary.sv", "majority[0] = 1'b0", "majority[0] = 1'b1", cells),
    ("bvit_attention_encode.sv", "levels[N+i-2*GROUPS]", "key[i]", keys_together),
    ("bvit_attention_score.sv", "row_a[lane*BITS+:BITS] +", "row_a[lane*BITS+:BITS] -", keys_together),
    ("bvit_attention_score.sv", "if (rst) tags_q <= '0;\n      else if", "if", keys_together),
    ("bvit_adder_tree.sv", " + {SIGNED & right[W-2], right}", "", keys_together),
    ("bvit_adder_tree.sv", "+ {SIGNED & right[W-2], right}", "+ {right[W-2], right}", keys_together),
    ("bvit_delay.sv", "line_q[STEPS-1]", "line_q[STEPS-2]", keys_together),
    ("bvit_ram.sv", "if (we[lane]) mem[waddr] <= wdata;", "if (|we) mem[waddr] <= wdata;", keys_together),
    (
        "bvit_ram.sv",
        "if (re) rdata[lane*LANE_BITS+:LANE_BITS] <= mem",
        "rdata[lane*LANE_BITS+:LANE_BITS] <= mem",
        keys_together,
    ),
    ("bvit_attention_equal.sv", "(p[0] & p[2])", "1'b0", keys_apart),
    ("bvit_attention_popcount.sv", "{count4, 2'b00}", "{count4, 1'b0}", keys_apart),
    ("bvit_attention_count.sv", "$countones(bits)", "|bits", keys_apart),
    ("bvit_attention_sixes.sv", "padded[6*i+:6]", "padded[6*i+:5]", keys_apart),
    ("bvit_affine_mul.sv", "if (en) p_q <= x * c", "p_q <= x * c", affine),
    ("bvit_rom.sv", "if (en) data_q <= mem[addr];\n  end\nendmodule", "data_q <= mem[addr];\n  end\nendmodule", affine),
    ("bvit_serial_mvau.sv", "{high_q[0], low_q} >> 1", "low_q", serial),
    ("bvit_serial_table.sv", "mem[~addr]", "mem[addr]", serial),
    ("bvit_ram.sv", "if (we[lane]) mem[waddr] <= wdata;\n          if", "mem[waddr] <= wdata;\n          if", repeat),
    ("bvit_pool_mac.sv", "P_BITS'(m_q) + z", "P_BITS'(m_q)", pools),
    # What holds for a power of two only.
    ("bvit_beat_counter.sv", "FRAME && (1 << BEAT_BITS) == BEATS", "FRAME", affine_by_token),
    ("bvit_beat_counter.sv", "frame_q == FRAME_BITS'(ROUNDS * BEATS - 1)", "1'b0", affine_by_token),
    ("bvit_replay.sv", "place_q - PLACE_BITS'(BEATS - 1)", "place_q & ~PLACE_BITS'(BEATS - 1)", six_beats_up),
    ("bvit_replay.sv", "(1 << RUN_BITS) == RUN", "1'b1", six_beats_up),
    ("bvit_replay.sv", "((1 << PLACE_BITS) == GROUP) begin", "(1'b1) begin", six_beats_times_six),
    ("bvit_replay.sv", "OUTER > 1 && (1 << PLACE_BITS) == GROUP", "OUTER > 1", six_beats_repeated),
    ("bvit_spatial_pool.sv", "addr_q - ADDR_BITS'(BEATS - 1)", "addr_q & ~ADDR_BITS'(BEATS - 1)", six_beats_pooled),
    ("bvit_patch_gather.sv", "(waddr_q == ADDR_BITS'(WORDS - 1)) ? '0 : ", "", gathered),
    ("bvit_loop_counter.sv", "last ? '0 : ", "", six_beats_up),
    ("bvit_loop_counter.sv", "^ (&index_q[i-1:0])", "^ (|index_q[i-1:0])", six_beats_times_six),
    ("bvit_fifo.sv", "Wraps = Size != 1 << AddrW", "Wraps = 1'b0", hundred),
    # Full one beat early: as fast as ever, but it holds less than it should.
    ("bvit_replay.sv", "s_axis_tready = !full", "s_axis_tready = used_q < COUNT_BITS'(WORDS - 1)", repeat),
    ("bvit_replay.sv", "used_d != COUNT_BITS'(WORDS)", "used_d < COUNT_BITS'(WORDS - 1)", shared),
    ("bvit_patch_gather.sv", "span_q != COUNT_BITS'(WORDS)", "span_q < COUNT_BITS'(WORDS - 1)", gathered),
    ("bvit_fifo.sv", "last_q && push && !pop", "last_q && push && pop", fifo),
    ("bvit_duplicate.sv", "s_axis_tready = &has", "s_axis_tready = |has", duplicate),
    ("bvit_width_converter.sv", "PartW'(Parts - 1)", "PartW'(Parts - 2)", converter),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "material"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, material: Callable[[], Material], tmp_path: Path) -> None:
    op, params = material()
    rng = np.random.default_rng(2)
    assert_caught(op, params, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))


def registered(bench: Path) -> list[tuple[str, str | None]]:
    """(file of rtl/, text to be replaced if it is written beside it) of the mutations that a bench's source names.

    Those are rows ``(file, old, new, ...)``, and calls ``mutant(folder, file, ...)``.
    """
    tree = ast.parse(bench.read_text())
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def text(node: ast.expr) -> str | None:
        value = constants.get(node.id) if isinstance(node, ast.Name) else node
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) >= 3 and all(text(e) is not None for e in node.elts[:3]):
            found.append((text(node.elts[0]), text(node.elts[1])))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mutant":
            found.append((text(node.args[1]), text(node.args[2])))
    return [(file, old) for file, old in found if file is not None and file.endswith(".sv")]


def test_every_module_has_a_mutation() -> None:
    """Written here or beside its bench, or made by the tool and all tried. What one replaces is still there."""
    mutations = [m for bench in sorted(SIM.glob("test_*.py")) for m in registered(bench)]
    tried = {f"{name}.sv" for name, (made, tried, *_) in docs.rows().items() if made == tried}
    without = {f"{name}.sv" for name in tool.modules()} - {file for file, _ in mutations} - tried
    assert not without, f"modules without a mutation that a bench must catch: {', '.join(sorted(without))}"
    for file, old in mutations:
        assert old is None or old in library()[file].read_text(), f"{file}: there is no {old!r} to mutate"
