"""Sizes of circuits that several operators consist of, for their cost terms: what follows from the RTL alone."""

from __future__ import annotations

from bvit_hw.ops.base import CostTerms, HwOp, clog2


def loop_bits(*counts: int) -> int:
    """Bits of the loop counters that run to these counts."""
    return sum(clog2(count) for count in counts)


def counter_bits(beats: int, rounds: int) -> int:
    """Bits of bvit_beat_counter.sv, ``rounds`` 1 for the beats alone."""
    frame = clog2(beats * rounds) if rounds > 1 else 0
    return frame + (0 if rounds > 1 and beats == 1 << clog2(beats) else clog2(beats))


def booth_luts(x_bits: int, coef_bits: int) -> int:
    """LUTs of bvit_booth_mul.sv: a row of adders for each two bits of the coefficient."""
    return -(-coef_bits // 2) * (x_bits + 3)


def booth_registers(x_bits: int, coef_bits: int) -> int:
    """Registers in the middle of its rows, in two cycles: the operands of the later ones, the earlier ones' sums."""
    rows = -(-coef_bits // 2)
    early = -(-rows // 2)
    operands = x_bits + 2 * (rows - early) + 1 if rows > early else 0
    return operands + 2 * (early - 1) + x_bits + 2


def tree_bits(words: int, bits: int) -> int:
    """Bits of all adders of a tree that adds ``words`` words of ``bits`` bits."""
    total = 0
    while words > 1:
        bits += 1
        total += words // 2 * bits
        words -= words // 2
    return total


def tree_registers(words: int, bits: int) -> int:
    """Registers of such a tree with one behind each adder."""
    total = 0
    while words > 1:
        bits += 1
        words -= words // 2
        total += words * bits
    return total


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


def buffered_terms(op: HwOp, *, words: int, width: int, loops: int, block: bool) -> CostTerms:
    """Terms of an operator that reads a buffer of ``words`` words of ``width`` bits by loops of ``loops`` bits.

    Constant, address bits, bits of the loop counters; for FFs also the output register, which block RAM has itself.
    """
    address = clog2(words)
    return CostTerms(
        circuit=op.op_type,
        lut={"one": 1, "address": address, "loop": loops},
        ff={"one": 1, "counter": address + loops, "out": 0 if block else width},
        exact=op.target.memories.buffer(width, words, block=block),
    )
