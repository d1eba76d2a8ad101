"""The engine's commands: fields, their places in the sixteen words of 64 bits, and back (docs/engine_design.md).

All kinds have the same fields at the same places. What a kind does not use is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

#: words of a command
WORDS = 16
#: shifts to the right that the vector unit has, in front of the PReLU and behind it
MID_SHIFTS = (0, 4, 8, 12)
OUT_SHIFTS = (0, 8, 12, 16)
#: a tap without a coefficient
PLAIN = 15
#: a tap's source that is the matrix unit; below: the operand's view
MATRIX = 4


class Kind(IntEnum):
    """What a command does."""

    END = 0
    LOAD = 1
    STORE = 2
    COMPUTE = 3
    ATTEND = 4
    KEYS = 5
    VALUES = 6


class Memory(IntEnum):
    """The on-chip memories."""

    BITS = 0
    VALUES = 1
    WEIGHTS = 2
    PARAMS = 3
    STEPS = 4
    TAPS = 5


class Space(IntEnum):
    """Where an address in DRAM counts from."""

    PROGRAMME = 0
    INPUT = 1
    OUTPUT = 2


class BitMode(IntEnum):
    """What a result leaves in the memory of bits."""

    NONE = 0
    THRESHOLD = 1
    PLANE = 2


@dataclass(frozen=True)
class View:
    """An address for each turn of three loops: base + i0 * s0 + i1 * s1 + i2 * s2, modulo 2^16."""

    base: int = 0
    s0: int = 0
    s1: int = 0
    s2: int = 0

    @property
    def word(self) -> int:
        """The four numbers, base in the low bits."""
        return sum((n & 0xFFFF) << 16 * i for i, n in enumerate((self.base, self.s0, self.s1, self.s2)))


@dataclass(frozen=True)
class Step:
    """A cycle of the matrix unit: offsets of the word of bits and of the word of weights.

    Octets outside ``start`` .. ``start + count - 1`` of the bits count as 0, or with ``ones`` all 64 bits are 1;
    ``double`` doubles what was added up so far.
    """

    bits: int
    weights: int
    start: int = 0
    count: int = 8
    ones: bool = False
    double: bool = False

    @property
    def word(self) -> int:
        """64 bits."""
        mask = ((1 << self.count) - 1) << self.start
        return self.bits & 0xFFFF | self.weights << 16 | mask << 32 | self.ones << 40 | self.double << 41


@dataclass(frozen=True)
class Tap:
    """What is added to a result: a byte of memory, or the matrix unit's sum, times a coefficient, shifted left.

    ``lane``: from so many lanes further on, 0 beyond the last. Of an operand of several ``bytes`` the engine takes each
    as a tap, and of a sum the half: :meth:`split`. It shifts the coefficient, or 1, within 18 bits; with ``high`` a
    byte that it multiplies is eight bits higher.
    """

    source: int
    offset: int = 0
    bytes: int = 1
    signed: bool = True
    lane: int = 0
    shift: int = 0
    coef: int = PLAIN
    high: bool = False

    def split(self) -> list[Tap]:
        """The engine's taps: of half a sum; or of each byte, the lowest first, of which the highest has the sign."""
        last = self.bytes - 1
        parts = []
        for i in range(self.bytes):
            shift = self.shift + 8 * i + (self.source == MATRIX)
            high = shift >= 8 and self.source != MATRIX
            parts.append(replace(
                self, offset=self.offset + i, bytes=1, signed=self.signed and i == last, shift=shift - 8 * high,
                high=high,
            ))  # fmt: skip
        return parts

    @property
    def word(self) -> int:
        """64 bits, of a tap that :meth:`split` gave."""
        assert self.bytes == 1
        low = self.offset & 0xFFFF | self.source << 16 | self.signed << 23 | (self.lane & 0xFF) << 24
        return low | self.shift << 32 | self.coef << 40 | self.high << 54


#: word and lowest bit of each field, and its width
PLACES: dict[str, tuple[int, int, int]] = {
    "kind": (0, 0, 8), "groups": (0, 8, 8), "n0": (0, 16, 16), "n1": (0, 32, 16), "n2": (0, 48, 16),
    "step_base": (1, 0, 16), "step_count": (1, 16, 16), "tap_base": (1, 32, 16), "tap_count": (1, 48, 16),
    "weights": (2, 0, 64), "bits_in": (3, 0, 64), "values_out": (4, 0, 64), "bits_out": (5, 0, 64),
    "param_base": (6, 0, 16), "param_stride": (6, 16, 16), "record": (6, 32, 16), "out_group": (6, 48, 16),
    "mid_shift": (7, 0, 8), "slope_shift": (7, 8, 8), "out_shift": (7, 16, 8), "out_bits": (7, 24, 8),
    "out_bytes": (7, 32, 8), "bit_mode": (7, 40, 8), "wait": (7, 48, 8), "prelu": (7, 56, 8),
    "operand0": (8, 0, 64), "operand1": (9, 0, 64), "operand2": (10, 0, 64), "operand3": (11, 0, 64),
    "group0": (12, 0, 16), "group1": (12, 16, 16), "group2": (12, 32, 16), "group3": (12, 48, 16),
    "lanes": (13, 0, 8), "start": (13, 8, 8), "count": (13, 16, 8), "memory": (13, 24, 8), "space": (13, 32, 8),
    "slices": (13, 40, 8), "words": (13, 48, 16), "address": (14, 0, 32),
    "out_fold": (14, 32, 8), "fold_base": (14, 40, 16),
}  # fmt: skip


def up_to(shifts: tuple[int, ...], shift: int) -> int:
    """The least of ``shifts`` that is not below ``shift``, or the largest."""
    return next((one for one in shifts if one >= shift), shifts[-1])


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command; docs/engine_design.md says what each kind makes of the fields.

    ``wait``: of a LOAD, that it must not begin before the command in front of it that is neither LOAD nor STORE has
    ended; of one to values, before all is written. Those to bits wait all the same.
    """

    kind: Kind
    groups: int = 0
    n0: int = 1
    n1: int = 1
    n2: int = 1
    step_base: int = 0
    step_count: int = 0
    tap_base: int = 0
    tap_count: int = 0
    weights: View = View()
    bits_in: View = View()
    values_out: View = View()
    bits_out: View = View()
    param_base: int = 0
    param_stride: int = 0
    record: int = 0
    out_group: int = 0
    mid_shift: int = 0
    slope_shift: int = 0
    out_shift: int = 0
    out_bits: int = 0
    out_bytes: int = 0
    out_fold: int = 0
    fold_base: int = 0
    bit_mode: BitMode = BitMode.NONE
    wait: bool = False
    prelu: bool = False
    operand0: View = View()
    operand1: View = View()
    operand2: View = View()
    operand3: View = View()
    group0: int = 0
    group1: int = 0
    group2: int = 0
    group3: int = 0
    lanes: int = 0
    start: int = 0
    count: int = 0
    memory: Memory = Memory.BITS
    space: Space = Space.PROGRAMME
    slices: int = 0
    words: int = 0
    address: int = 0

    @property
    def operands(self) -> tuple[View, View, View, View]:
        """The views that taps name."""
        return self.operand0, self.operand1, self.operand2, self.operand3

    @property
    def operand_groups(self) -> tuple[int, int, int, int]:
        """How far apart an operand's groups of channels lie."""
        return self.group0, self.group1, self.group2, self.group3

    def encode(self) -> np.ndarray:
        """Sixteen words; ValueError for a number that its field does not hold."""
        words = [0] * WORDS
        for name, (word, low, width) in PLACES.items():
            value = getattr(self, name)
            number = value.word if isinstance(value, View) else int(value)
            if not 0 <= number < 1 << width:
                raise ValueError(f"command {self.kind.name}: {name}={number} does not fit {width} bits")
            words[word] |= number << low
        return np.array(words, dtype="<u8")


def decode(words: np.ndarray) -> Command:
    """The command that sixteen words hold."""
    values: dict[str, Any] = {}
    empty = Command(kind=Kind.END)
    for name, (word, low, width) in PLACES.items():
        number = int(words[word]) >> low & (1 << width) - 1
        if name == "kind":
            values[name] = Kind(number)
        elif isinstance(getattr(empty, name), View):
            values[name] = View(*(number >> 16 * i & 0xFFFF for i in range(4)))
        else:
            values[name] = type(getattr(empty, name))(number)
    return Command(**values)


def decode_step(word: int) -> Step:
    """The step that a word holds."""
    mask = word >> 32 & 0xFF
    start = (mask & -mask).bit_length() - 1 if mask else 0
    return Step(word & 0xFFFF, word >> 16 & 0xFFFF, start, mask.bit_count(), bool(word >> 40 & 1), bool(word >> 41 & 1))


def decode_tap(word: int) -> Tap:
    """The tap that a word holds."""
    lane = word >> 24 & 0xFF
    return Tap(
        source=word >> 16 & 15, offset=word & 0xFFFF, signed=bool(word >> 23 & 1),
        lane=lane - 256 if lane > 127 else lane, shift=word >> 32 & 0xFF, coef=word >> 40 & 15,
        high=bool(word >> 54 & 1),
    )  # fmt: skip
