"""Commands that are drawn for the engine's benches, within what the hardware promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bvit_hw.engine.commands import MATRIX, MID_SHIFTS, OUT_SHIFTS, PLAIN, BitMode, Command, Kind, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET, OCTETS
from bvit_hw.engine.machine import TABLE, Machine, table_words


def _turns(rng: np.random.Generator, most: int) -> tuple[int, int, int]:
    while True:
        n = tuple(int(x) for x in rng.integers(1, 5, 3))
        if np.prod(n) <= most:
            return n[0], n[1], n[2]


def _packed(n: tuple[int, int, int], base: int, unit: int) -> View:
    """Places of ``unit`` for each turn, side by side."""
    return View(base, n[1] * n[2] * unit, n[2] * unit, unit)


def _steps(machine: Machine, rng: np.random.Generator) -> None:
    """All steps of the memory, in the lower half of bits."""
    for i in range(machine.config.steps):
        start = int(rng.integers(0, OCTETS))
        step = Step(
            int(rng.integers(0, 8)), int(rng.integers(0, machine.config.weights)), start,
            int(rng.integers(0, OCTETS - start + 1)), bool(rng.integers(0, 6) == 0), bool(rng.integers(0, 3) == 0),
        )  # fmt: skip
        machine.steps[i] = step.word


def compute(machine: Machine, rng: np.random.Generator, count: int) -> list[Command]:
    """Operands lie in one half of their memory, results in the other; the next command reads these, and so on."""
    config = machine.config
    size = config.channels // OCTET
    _steps(machine, rng)
    for i in range(config.taps):
        source = int(rng.choice([0, 1, 2, 3, MATRIX]))
        lane = int(rng.integers(-config.tokens, config.tokens + 1)) if rng.integers(0, 2) else 0
        machine.taps[i] = Tap(
            source, int(rng.integers(0, 30)), 1, bool(rng.integers(0, 2)), lane, int(rng.integers(0, 18)),
            int(rng.choice([0, 1, 2, 3, PLAIN, PLAIN])), bool(rng.integers(0, 4) == 0),
        ).word  # fmt: skip
    # Thresholds that small results meet exactly, in half of the words.
    low = rng.integers(-2, 3, machine.params.shape).astype(np.int32).view(np.uint32) << np.uint32(16)
    near = rng.integers(0, 2, machine.params.shape).astype(bool)
    machine.params[near] = low[near] | machine.params[near] & np.uint32(0xFFFF)
    commands = []
    while len(commands) < count:
        with_steps = bool(rng.integers(0, 3))
        groups = int(rng.integers(1, (config.groups if with_steps else 5) + 1))
        n = _turns(rng, 24)
        fold = int(rng.integers(0, config.channels.bit_length())) if rng.integers(0, 3) == 0 else 0
        out_bytes, mode = int(rng.integers(0, 3 if fold else 5)), BitMode(int(rng.integers(0, 3)))
        upper, upper_octets = config.values // 2, config.bits * OCTETS // 2
        words = int(np.prod(n)) * groups * max(out_bytes, 1)
        octets = int(np.prod(n)) * groups * size
        if words > upper or octets > upper_octets:
            continue
        if fold:
            base = int(rng.integers(0, 9))
            values_out, fold_base = _packed(n, base, groups), upper
            words = ((base + int(np.prod(n)) * groups) >> fold) * max(out_bytes, 1) + 4
            if words > upper:
                continue
        else:
            base = upper + int(rng.integers(0, upper - words + 1))
            values_out, fold_base = _packed(n, base, groups * max(out_bytes, 1)), 0
        at = upper_octets + int(rng.integers(0, (upper_octets - octets) // size + 1)) * size
        turned = len(commands) % 2 == 1
        if turned:
            values_out = replace(values_out, base=values_out.base - (0 if fold else upper))
            fold_base, at = 0, at - upper_octets
        read = upper if turned else 0
        operands = [View(read + int(rng.integers(0, 40)), *(int(x) for x in rng.integers(0, 20, 3))) for _ in range(4)]
        apart = [int(x) for x in rng.integers(0, 9, 4)]
        commands.append(Command(
            kind=Kind.COMPUTE, groups=groups, n0=n[0], n1=n[1], n2=n[2],
            step_base=int(rng.integers(0, config.steps // 2)),
            step_count=int(rng.integers(1, 9)) if with_steps else 0,
            tap_base=int(rng.integers(0, config.taps // 2)), tap_count=int(rng.integers(1, 9)),
            weights=View(*(int(x) for x in rng.integers(0, 1 << 16, 4))),
            bits_in=View(turned * config.bits // 2 + int(rng.integers(0, 5)), *(int(x) for x in rng.integers(0, 3, 3))),
            values_out=values_out, bits_out=_packed(n, at, groups * size),
            param_base=int(rng.integers(0, 10)), param_stride=int(rng.integers(0, 12)),
            record=int(rng.integers(0, 8)), out_group=1 if fold else out_bytes,
            mid_shift=int(rng.choice(MID_SHIFTS)), slope_shift=int(rng.integers(0, 16)),
            out_shift=int(rng.choice(OUT_SHIFTS)), out_bits=int(rng.integers(1, 33)), out_bytes=out_bytes,
            out_fold=fold, fold_base=fold_base, bit_mode=mode, prelu=bool(rng.integers(0, 2)),
            operand0=operands[0], operand1=operands[1], operand2=operands[2], operand3=operands[3],
            group0=apart[0], group1=apart[1], group2=apart[2], group3=apart[3],
            lanes=int(rng.integers(1, config.tokens + 1)),
        ))  # fmt: skip
    return commands


def attention(machine: Machine, rng: np.random.Generator, count: int) -> list[Command]:
    """KEYS, ATTEND with any table and mask, VALUES; queries, keys and values in the lower half of the bits."""
    config = machine.config
    rows = config.rows // OCTET
    behind = table_words(config.channels)
    _steps(machine, rng)
    # Queries that are like a key in all columns, or in none.
    kinds = rng.integers(0, 8, config.bits)
    machine.bits[kinds < 2] = 0
    machine.bits[kinds == 2] = 1
    commands = []
    for _ in range(count):
        # Half of the queries meet the keys that lie there just now, and in all columns.
        own = bool(rng.integers(0, 2))
        start = 0 if own else int(rng.integers(0, OCTETS))
        part = {"start": start, "count": OCTETS if own else int(rng.integers(1, OCTETS - start + 1))}
        half = config.bits // 2
        most = min(half, config.key_slots * 3)
        n0 = int(rng.integers(1, most + 1))
        stride = int(rng.integers(1, half // n0 + 1))
        bits_in = View(int(rng.integers(0, half - (n0 - 1) * stride)), stride)
        words = -(-n0 // config.key_slots)
        base = int(rng.integers(0, config.weights - 8 * words - 6))
        commands.append(Command(kind=Kind.KEYS, n0=n0, bits_in=bits_in, weights=View(base), **part))
        q = _turns(rng, 12)
        # Twice the words of keys there are, if they find room: any rows are keys.
        n2 = words * COLUMNS // config.rows
        octets = q[0] * q[1] * n2 * rows
        if octets <= half * OCTETS:
            record = int(rng.integers(0, 20))
            table = rng.integers(0, 1 << 16, TABLE)
            if rng.integers(0, 2):
                table = np.sort(table)
            flat = machine.params[record : record + behind].reshape(-1)
            flat[:TABLE] = table
            machine.params[record : record + behind] = flat.reshape(behind, -1)
            keys = words * COLUMNS
            machine.params[record + behind, 0] = int(rng.integers(0, (3 << 16) // keys))
            step = int(rng.integers(0, config.steps))
            if own:
                machine.steps[step] = Step(int(rng.integers(0, 8)), 0).word
            commands.append(Command(
                kind=Kind.ATTEND, n0=q[0], n1=q[1], n2=n2, step_base=step, step_count=1,
                weights=View(base if own else int(rng.integers(0, 1 << 16)), 0, 0, 1),
                bits_in=View(int(rng.integers(0, 5)), 1, 2),
                bits_out=View(half * OCTETS, q[1] * n2 * rows, n2 * rows, rows), param_base=record,
            ))  # fmt: skip
        commands.append(Command(kind=Kind.VALUES, n0=n0, bits_in=bits_in, weights=View(base + 7), **part))
    return commands
