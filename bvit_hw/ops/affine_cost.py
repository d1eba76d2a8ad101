"""Cost of ChannelAffine, Binarize and IntMVAU on 7-series FPGAs.

An operator is counted in terms, the bits of its adders, tables, multiplexers and so on, which follow from the structure
of its RTL; the weights of the terms are fitted to Yosys ``synth_xilinx -family xc7`` counts by
benchmarks/affine_cost.py, which prints these tables anew and says how far off they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bvit_hw.ops.base import Resources, clog2
from bvit_hw.ops.coef_memory import block_count, block_pays, table_luts

if TYPE_CHECKING:
    from bvit_hw.ops.binarize import Binarize
    from bvit_hw.ops.channel_affine import ChannelAffine
    from bvit_hw.ops.int_mvau import IntMVAU

Terms = dict[str, float]

#: LUTs and registers for one of each term, by operator, resource and term
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "ChannelAffine.lut": {
        "one": 7.29, "input": 1.52, "address": 0.93, "table": 0.95, "adder": 0.99, "booth": 0.87,
        "saturate": 0.64,
    },
    "ChannelAffine.ff": {
        "stage": 0.9, "out": 1.75, "bias": 0.98, "plain": 1.1, "bias2": 0.93, "waiting": 0.2, "base": 0.23,
        "sum": 2.33, "product": 0.37, "prelu": 1.05, "prelu_dsp": 0.5,
    },
    "Binarize.lut": {"one": 10.91, "table": 0.7, "compare": 0.87},
    "Binarize.ff": {"one": 3.85, "counter": 0.94, "lane": 0.89},
    "IntMVAU.lut": {
        "one": 48.4, "table": 1.64, "buffer": 1.09, "acc": 0.84, "booth": 0.94, "tree": 0.59, "wait": 0.34,
    },
    # IntMVAU in its serial form: the structure's own numbers, but "entry", "sum" and "total", which are set by the
    # shipped network's stem at 512 and 1,024 cycles (docs/area.md)
    "SerialMVAU.lut": {"one": 40.0, "entry": 0.62, "plane": 1.0, "column": 4.0, "out": 3.0},
    "SerialMVAU.ff": {"one": 60.0, "input": 1.0, "tap": 1.0, "sum": 0.9, "total": 0.75},
    "IntMVAU.ff": {"one": 45.28, "out": 2.35, "weight": 0.55, "wait": 0.0, "product": 0.64, "tree": 1.83},
}  # fmt: skip


def _booth_luts(x_bits: int, coef_bits: int) -> int:
    """LUTs of bvit_booth_mul.sv: a row of adders for each two bits of the coefficient."""
    return -(-coef_bits // 2) * (x_bits + 3)


def _table_terms(shapes: Mapping[str, tuple[int, int]]) -> float:
    return sum(table_luts(*shape) for shape in shapes.values() if not block_pays(*shape))


def _blocks(shapes: Mapping[str, tuple[int, int]]) -> int:
    return sum(block_count(*shape) for shape in shapes.values() if block_pays(*shape))


def _counter_bits(beats: int, rounds: int) -> int:
    """Bits of bvit_beat_counter.sv, ``rounds`` 1 for the beats alone."""
    frame = clog2(beats * rounds) if rounds > 1 else 0
    return frame + (0 if rounds > 1 and beats == 1 << clog2(beats) else clog2(beats))


def affine_terms(op: ChannelAffine) -> tuple[Terms, Terms]:
    """LUT terms and register terms of a ChannelAffine."""
    shapes = op.memory_shapes()
    multiplied = [(b, s) for b, m, s in zip(op.in_bits, op.multiply, op.shift, strict=True) if m]
    plain = [(b, s) for b, m, s in zip(op.in_bits, op.multiply, op.shift, strict=True) if not m]
    adder = sum(op.sum_bits - shift for _, shift in plain)
    booth = 0
    if not op.use_dsp:
        adder += sum(op.sum_bits - shift for _, shift in multiplied) + (op.result_bits if op.prelu else 0)
        booth = sum(_booth_luts(bits, op.coef_bits) for bits, _ in multiplied)
        booth += _booth_luts(op.mid_bits, op.factor_bits) if op.prelu else 0
    saturates = op.result_bits - op.out_shift > op.out_bits
    addresses = clog2(op.beats) + clog2(op.beats * op.bias2_tokens) if op.prelu else 0
    counter = _counter_bits(op.beats, op.tokens if max(op.bias_tokens, op.bias2_tokens) > 1 else 1)
    luts = {
        "one": 1.0,
        "input": float(len(op.in_bits)),
        "address": float(addresses),
        "table": _table_terms(shapes),
        "adder": float(op.pe * adder),
        "booth": float(op.pe * booth),
        "saturate": float(op.pe * (op.out_bits + 2)) if saturates else 0.0,
    }
    fabric = 0 if op.use_dsp else 1
    waiting = sum(rank * (bits + op.coef_bits) for rank, (bits, _) in enumerate(multiplied))
    registers = {
        "stage": float(2 + len(multiplied) + 3 * op.prelu + counter + addresses),
        "out": float(op.pe * op.out_bits),
        "bias": 0.0 if block_pays(*shapes["BIAS"]) else float(op.pe * op.bias_bits),
        "plain": float(op.pe * sum(bits for bits, _ in plain)),
        "bias2": 0.0 if not op.prelu or block_pays(*shapes["BIAS2"]) else float(op.pe * op.bias2_bits),
        "waiting": float(op.pe * waiting),
        "base": float(fabric * op.pe * op.sum_bits),
        "sum": float(fabric * op.pe * len(multiplied) * op.sum_bits),
        "product": float(
            fabric * op.pe * sum(min(bits + op.coef_bits, op.sum_bits - shift) for bits, shift in multiplied)
        ),
        "prelu": float(fabric * op.pe * op.prelu * (op.mid_bits + op.factor_bits + 2 * op.result_bits)),
        "prelu_dsp": float((1 - fabric) * op.pe * op.prelu * (op.mid_bits + op.factor_bits)),
    }
    return luts, registers


def binarize_terms(op: Binarize) -> tuple[Terms, Terms]:
    """LUT terms and register terms of a Binarize."""
    shapes = {"threshold": op.memory_shape}
    counter = float(_counter_bits(op.beats, 1))
    luts = {"one": 1.0, "table": _table_terms(shapes), "compare": float(op.pe * op.in_bits)}
    threshold = 0 if block_pays(*op.memory_shape) else op.in_bits + 1
    registers = {"one": 1.0, "counter": counter, "lane": float(op.pe * (1 + op.in_bits + threshold))}
    return luts, registers


def int_mvau_terms(op: IntMVAU) -> tuple[Terms, Terms]:
    """LUT terms and register terms of an IntMVAU; its control is about the same in all."""
    shapes = {"weight": op.weight_shape}
    product = op.x_bits + op.weight_bits
    lanes = op.x_bits + op.pe * op.weight_bits
    # operands of lane s wait s cycles: short waits are registers, from the third on shift registers in LUTs
    srl = sum(lanes * -(-(s - 1) // 16) for s in range(3, op.simd)) if op.use_dsp else 0
    tree = 0
    width, count = product, op.simd
    while count > 1:
        width += 1
        tree += width * (count // 2)
        count -= count // 2
    luts = {
        "one": 1.0,
        "table": _table_terms(shapes),
        "buffer": 0.0 if op.buffer_block else float(op.buffer_luts),
        "acc": float(op.pe * op.acc_bits),
        "booth": 0.0 if op.use_dsp else float(op.pe * op.simd * _booth_luts(op.x_bits, op.weight_bits)),
        "tree": 0.0 if op.use_dsp else float(op.pe * tree),
        "wait": float(srl),
    }
    fabric = 0 if op.use_dsp else 1
    registers = {
        "one": 1.0,
        "out": float(op.pe * op.acc_bits),
        "weight": 0.0 if block_pays(*op.weight_shape) else float(op.pe * op.simd * op.weight_bits),
        "wait": float(0 if fabric else lanes * sum(min(s, 2) for s in range(op.simd))),
        "product": float(fabric * op.pe * op.simd * product),
        "tree": float(fabric * op.pe * tree),
    }
    return luts, registers


def serial_mvau_terms(op: IntMVAU) -> tuple[Terms, Terms]:
    """LUT terms and register terms of an IntMVAU in its serial form (bvit_serial_mvau.sv)."""
    rows = op.pe * op.in_bits
    # Entries are about as wide as sums over a stage's columns can be; weights as large as that allows are rare.
    entry = min(op.weight_bits + clog2(op.cols_a_stage), op.plane_bits - clog2(op.stages) + 2)
    luts = {
        "one": 1.0,
        "entry": float(rows * (op.plane_bits + (op.stages - 1) * entry)),
        "plane": float(rows * (op.plane_bits + 1)),
        "column": float(op.cols),
        "out": float(op.pe * op.acc_bits),
    }
    registers = {
        "one": 1.0,
        "input": float(2 * op.cols * op.in_bits),
        "tap": float(op.cols * (op.in_bits + 2)),
        "sum": float(rows * op.stages * op.plane_bits),
        "total": float(rows * (2 * (op.plane_bits + op.in_bits))),
    }
    return luts, registers


def _weigh(kind: str, terms: Terms) -> float:
    weights = WEIGHTS[kind]
    return sum(weights[name] * value for name, value in terms.items())


def affine_resources(op: ChannelAffine) -> Resources:
    """Predicted cost of a ChannelAffine."""
    luts, registers = affine_terms(op)
    return Resources(
        lut=_weigh("ChannelAffine.lut", luts),
        ff=_weigh("ChannelAffine.ff", registers),
        bram18=_blocks(op.memory_shapes()),
        dsp=op.pe * (sum(op.multiply) + op.prelu) if op.use_dsp else 0,
    )


def binarize_resources(op: Binarize) -> Resources:
    """Predicted cost of a Binarize."""
    luts, registers = binarize_terms(op)
    return Resources(
        lut=_weigh("Binarize.lut", luts),
        ff=_weigh("Binarize.ff", registers),
        bram18=_blocks({"threshold": op.memory_shape}),
    )


def int_mvau_resources(op: IntMVAU) -> Resources:
    """Predicted cost of an IntMVAU."""
    if op.serial:
        luts, registers = serial_mvau_terms(op)
        return Resources(lut=_weigh("SerialMVAU.lut", luts), ff=_weigh("SerialMVAU.ff", registers))
    luts, registers = int_mvau_terms(op)
    return Resources(
        lut=_weigh("IntMVAU.lut", luts),
        ff=_weigh("IntMVAU.ff", registers),
        bram18=_blocks({"weight": op.weight_shape}) + (block_count(*op.buffer_shape) if op.buffer_block else 0),
        dsp=op.pe * op.simd if op.use_dsp else 0,
    )
