"""What BinaryAttention takes of an FPGA, circuit by circuit of its RTL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bvit_hw.ops.base import CostTerms, Resources, clog2
from bvit_hw.ops.circuits import count_luts, equal_luts, tree_bits, tree_registers
from bvit_hw.ops.popcount import popcount_size
from bvit_hw.targets.memories import Join

if TYPE_CHECKING:
    from bvit_hw.ops.binary_attention import BinaryAttention

#: bvit_ram.sv puts memories up to this depth into LUT RAM, deeper ones into block RAM
LUT_RAM_DEPTH = 64
#: delays of bvit_delay.sv up to this length are shift registers, longer ones memories
SHIFT_LENGTH = 33


def attention_terms(op: BinaryAttention) -> CostTerms:
    """Popcounts, tables and sums a lane; the one multiplier takes DSP blocks as its operands outgrow one."""
    memories, kp, mp, pe = op.target.memories, op.kp, op.mp, op.pe
    shapes = op.memory_shapes()
    in_luts = [shape for shape in shapes.values() if shape[0] <= LUT_RAM_DEPTH]
    deep = {name: shape for name, shape in shapes.items() if shape[0] > LUT_RAM_DEPTH}
    blocks = Resources()
    for name, (depth, n, bits) in deep.items():
        if op.ultra and name != "entries":
            blocks += memories.ultra_lanes(n, bits, depth)
        else:
            blocks += Resources(bram18=memories.enabled_halves(n, bits, depth))
    size = popcount_size(op.head_dim) if op.shares_parities else None
    lane_luts = size.lane_luts(op.target.weights("Popcount", "lut")) if size else 0.0
    lanes = (kp if kp > 1 else 0) + (mp if mp > 1 else 0)
    out_bits, entry_bits = op.outputs[0].bits, kp * op.table_bits
    sum_bits = op.table_bits + clog2(op.keys)
    luts: dict[str, float] = {
        "one": 1,  # control: hardly more for longer counters
        "lane": lanes,
        "memory": sum(n * memories.lut_ram_cost(bits, depth, Join.BITS) for depth, n, bits in in_luts),
        "score": 0 if size else kp * equal_luts(op.head_dim),
        "shared_score": kp * lane_luts,
        "parity": size.shared_parities + op.head_dim // 3 if size else 0,
        # a table, a comparator and, unless in a memory, a delay for each bit of an entry
        "entry": entry_bits * (3 if op.delay_cycles <= SHIFT_LENGTH else 2),
        "sum": tree_bits(kp, op.table_bits) + (sum_bits if op.key_groups > 1 else 0),
        "value": pe * count_luts(mp) + count_luts(kp),
        "acc": pe * out_bits,
        "choice": mp * -(-(op.value_groups - 1) // 3),
        "split": pe * -(-(op.simd // pe - 1) // 3) if op.simd > pe else 0,
    }
    triples, ones = op.head_dim // 3, op.head_dim // 3 + op.head_dim % 3
    columns = 3 * -(-ones // 6) + clog2(ones + 1) + 3 * -(-triples // 6) + clog2(triples + 1)
    lane_registers = size.lane_registers if size else ones + triples + columns + clog2(op.head_dim + 1)
    registers: dict[str, float] = {
        "one": 1,
        "counter": _counter_bits(op),
        "lane": lanes,
        # A row waits in a register of its own where a score phase is long.
        "query": (5 if op.key_groups > 4 else 4) * op.head_dim - 2 * op.simd + max(pe - op.simd, 0),
        "read": sum(n * bits for _, n, bits in in_luts),
        "score": kp * lane_registers,
        "parity": size.shared_parities if size else 0,
        "entry": entry_bits + tree_registers(kp, op.table_bits) + sum_bits + op.table_bits,
        "row": 2 * op.keys + op.key_groups * kp + 3 * kp + 3 * -(-kp // 6) + clog2(kp + 1),
        "value": pe * (mp + 3 * -(-mp // 6) + clog2(mp + 1)) + mp,
        "acc": pe * (out_bits - 1) + 6 * out_bits,
    }
    # Operands without a sign have a bit less.
    data, coef = op.target.dsp.data - 1, op.target.dsp.coef - 1
    share_bits = op.table_shift + 1
    dsp = min(-(-sum_bits // a) * -(-share_bits // b) for a, b in ((data, coef), (coef, data)))
    return CostTerms(
        circuit="BinaryAttention", lut=luts, ff=registers, exact=blocks + Resources(dsp=dsp)
    )


def _counter_bits(op: BinaryAttention) -> int:
    return (
        2 * clog2(op.head_dim // op.simd)
        + clog2(max(op.pe // op.simd, op.simd // op.pe))
        + 4 * clog2(op.heads)
        + 3 * clog2(op.key_groups)
        + 2 * clog2(op.value_groups)
        + 2 * clog2(op.head_dim // op.pe)
        + clog2(op.queries)
    )
