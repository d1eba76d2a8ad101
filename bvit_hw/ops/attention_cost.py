"""Cost of BinaryAttention on 7-series FPGAs.

As in affine_cost.py: terms that follow from the structure of the RTL, weighted by constants that
benchmarks/attention_cost.py fits to Yosys ``synth_xilinx -family xc7`` counts, prints anew and judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bvit_hw.ops.base import Resources, clog2
from bvit_hw.ops.popcount import popcount_size, word_positions

if TYPE_CHECKING:
    from bvit_hw.ops.binary_attention import BinaryAttention

Terms = dict[str, float]

#: memories of bvit_attention_ram.sv up to this depth lie in LUT RAM, deeper ones in block RAM
LUT_RAM_DEPTH = 64
#: delays of bvit_attention_delay.sv up to this length are shift registers, longer ones memories
SHIFT_LENGTH = 33

#: LUTs and registers for one of each term
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "lut": {
        "one": 35.272,
        "lane": 3.043,
        "memory": 0.983,
        "score": 1.519,
        "shared_score": 1.142,
        "parity": 1.81,
        "entry": 1.054,
        "sum": 0.412,
        "value": 0.576,
        "acc": 0.676,
        "choice": 3.2,
        "split": 7.165,
    },
    "ff": {
        "one": 26.403,
        "counter": 0.215,
        "lane": 1.005,
        "query": 1.238,
        "read": 1.133,
        "score": 1.027,
        "parity": 0.364,
        "entry": 0.701,
        "row": 1.148,
        "value": 0.876,
        "acc": 0.405,
    },
}


def lut_ram_luts(depth: int, bits: int) -> int:
    """LUTs of a LUT RAM of one write enable: RAM32M holds 6 bits in 4 LUTs, RAM64M 3; a bit over takes 2."""
    bits_a_cell = 6 if depth <= 32 else 3
    return 4 * (bits // bits_a_cell) + min(4, 2 * (bits % bits_a_cell))


def block_rams(depth: int, lanes: int, lane_bits: int) -> int:
    """Halves of block RAM for a memory with a write enable for each lane: a lane takes whole bytes of 9 bits."""
    width = lanes * -(-lane_bits // 9) * 9 if lanes > 1 else lane_bits
    for most, bits in ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)):
        if depth <= most:
            return -(-width // bits)
    return -(-depth // 16384) * width


def count_luts(bits: int) -> int:
    """LUTs of bvit_attention_count.sv: three a six-input counter, then its columns and two adders."""
    if bits <= 1:
        return 0
    if bits <= 6:
        return 2 if bits <= 3 else 3
    groups = -(-bits // 6)
    columns = clog2(groups + 1)
    return sum(count_luts(min(6, bits - i)) for i in range(0, bits, 6)) + 3 * count_luts(groups) + 2 * (columns + 1)


def equal_luts(bits: int) -> int:
    """LUTs of bvit_attention_equal.sv: two for each three bits, then both columns' counts and an adder."""
    triples = bits // 3
    ones = triples + bits % 3
    return triples + ones + count_luts(ones) + count_luts(triples) + (clog2(bits + 1) if triples else 0)


def tree_bits(words: int, bits: int) -> int:
    """Bits of all adders of bvit_attention_sum.sv."""
    total = 0
    while words > 1:
        bits += 1
        total += words // 2 * bits
        words -= words // 2
    return total


def tree_registers(words: int, bits: int) -> int:
    """Registers of bvit_attention_sum.sv."""
    total = 0
    while words > 1:
        bits += 1
        words -= words // 2
        total += words * bits
    return total


def shares_parities(op: BinaryAttention) -> bool:
    """Whether the scores are counted by bvit_popcount_shared (SHARED in bvit_binary_attention.sv)."""
    return op.kp > 1 and op.head_dim >= 16


def key_word_bits(op: BinaryAttention) -> int:
    """Bits in which a key is stored."""
    return word_positions(op.head_dim, "shared_parity") if shares_parities(op) else op.head_dim


def delay_cycles(op: BinaryAttention) -> int:
    """How long a table entry waits for its row's threshold."""
    return op.keys // op.kp + clog2(op.kp) + 3


def memory_shapes(op: BinaryAttention) -> dict[str, tuple[int, int, int]]:
    """Depth, lanes and bits a lane of the memories: keys, values, and table entries that wait (where not in SRLs)."""
    heads = clog2(op.heads)
    shapes = {
        "keys": (2 << clog2(op.keys // op.kp) + heads, op.kp, key_word_bits(op)),
        "values": (2 << clog2(op.keys // op.mp) + heads + clog2(op.head_dim // op.pe), op.mp, op.pe),
    }
    if delay_cycles(op) > SHIFT_LENGTH:
        shapes["entries"] = (delay_cycles(op), 1, op.kp * op.table_bits)
    return shapes


def attention_terms(op: BinaryAttention) -> tuple[Terms, Terms]:
    """LUT terms and register terms."""
    k_groups, v_groups, chunks = op.keys // op.kp, op.keys // op.mp, op.head_dim // op.pe
    counters = (
        2 * clog2(op.head_dim // op.simd)
        + clog2(max(op.pe // op.simd, op.simd // op.pe))
        + 4 * clog2(op.heads)
        + 3 * clog2(k_groups)
        + 2 * clog2(v_groups)
        + 2 * clog2(chunks)
        + clog2(op.queries)
    )
    out_bits = op.outputs[0].bits
    sum_bits = op.table_bits + clog2(op.keys)
    entry_bits = op.kp * op.table_bits
    shifted = delay_cycles(op) <= SHIFT_LENGTH
    shapes = memory_shapes(op)
    in_luts = {name: shape for name, shape in shapes.items() if shape[0] <= LUT_RAM_DEPTH}
    shared = shares_parities(op)
    size = popcount_size(op.head_dim) if shared else None
    luts = {
        "one": 1.0,  # control: hardly more for longer counters
        "lane": float((op.kp if op.kp > 1 else 0) + (op.mp if op.mp > 1 else 0)),
        "memory": float(sum(lanes * lut_ram_luts(depth, bits) for depth, lanes, bits in in_luts.values())),
        "score": 0.0 if size else float(op.kp * equal_luts(op.head_dim)),
        "shared_score": float(op.kp * size.lane_luts) if size else 0.0,
        "parity": float(size.shared_parities + op.head_dim // 3) if size else 0.0,
        # a table, a comparator and, unless in a memory, a delay for each bit of an entry
        "entry": float(entry_bits * (3 if shifted else 2)),
        "sum": float(tree_bits(op.kp, op.table_bits) + (sum_bits if k_groups > 1 else 0)),
        "value": float(op.pe * count_luts(op.mp) + count_luts(op.kp)),
        "acc": float(op.pe * out_bits),
        "choice": float(op.mp * -(-(v_groups - 1) // 3)),
        "split": float(op.pe * -(-(op.simd // op.pe - 1) // 3)) if op.simd > op.pe else 0.0,
    }
    triples, ones = op.head_dim // 3, op.head_dim // 3 + op.head_dim % 3
    columns = 3 * -(-ones // 6) + clog2(ones + 1) + 3 * -(-triples // 6) + clog2(triples + 1)
    lane_registers = size.lane_registers if size else ones + triples + columns + clog2(op.head_dim + 1)
    registers = {
        "one": 1.0,
        "counter": float(counters),
        "lane": float((op.kp if op.kp > 1 else 0) + (op.mp if op.mp > 1 else 0)),
        "query": float(4 * op.head_dim - 2 * op.simd + max(op.pe - op.simd, 0)),
        "read": float(sum(lanes * bits for depth, lanes, bits in in_luts.values())),
        "score": float(op.kp * lane_registers),
        "parity": float(size.shared_parities) if size else 0.0,
        "entry": float(entry_bits + tree_registers(op.kp, op.table_bits) + sum_bits + op.table_bits),
        "row": float(2 * op.keys + 3 * op.kp + 3 * -(-op.kp // 6) + clog2(op.kp + 1)),
        "value": float(op.pe * (op.mp + 3 * -(-op.mp // 6) + clog2(op.mp + 1)) + op.mp),
        "acc": float(op.pe * (out_bits - 1) + 6 * out_bits),
    }
    return luts, registers


def attention_resources(op: BinaryAttention) -> Resources:
    """Predicted cost; the one multiplier takes two DSP blocks where an operand outgrows 24 x 17 bits."""
    luts, registers = attention_terms(op)
    in_blocks = [shape for shape in memory_shapes(op).values() if shape[0] > LUT_RAM_DEPTH]
    sum_bits, share_bits = op.table_bits + clog2(op.keys), op.table_shift + 1
    return Resources(
        lut=sum(WEIGHTS["lut"][name] * value for name, value in luts.items()),
        ff=sum(WEIGHTS["ff"][name] * value for name, value in registers.items()),
        bram18=sum(block_rams(*shape) for shape in in_blocks),
        dsp=min(-(-sum_bits // a) * -(-share_bits // b) for a, b in ((24, 17), (17, 24))),
    )
