"""Collects a programme: commands, and the data that they load; cuts a command where a memory's depth wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import WORDS, Command, Kind, Memory, Space, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET, OCTETS, EngineConfig
from bvit_hw.engine.layout import Bits, Layout, Room, Values
from bvit_hw.engine.programme import Programme
from bvit_hw.errors import LimitError

#: groups of channels that a command may have
GROUPS = 255
#: views that a command may have
VIEWS = 4
#: words of bits that addresses of octets reach
BITS_REACH = (1 << 16) // OCTETS


class Emitter:
    """Commands in their order and the data behind them; rooms in the memories of bits and of values.

    Parameters, weights, steps and taps of a command are loaded in front of it, to the first word of their memories.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.commands: list[Command] = []
        self.bits = Room("bits", min(config.bits, BITS_REACH))
        self.values = Room("values", config.values)
        self._data = bytearray()
        self._known: dict[bytes, int] = {}

    # places

    def new_values(self, layout: Layout, channels: int, bits: int, *, signed: bool = True) -> Values:
        """Room for a tensor of integers of ``bits``."""
        held = Values(0, layout, channels, -(-bits // 8), signed, self.config.channels)
        return replace(held, base=self.values.take(held.words))

    def new_bits(self, layout: Layout, channels: int) -> Bits:
        """Room for a tensor of bits; words hold whole groups."""
        words = -(-self.groups(channels) * self.config.channels // COLUMNS)
        return Bits(self.bits.take(layout.slots * words), layout, channels, words)

    def free(self, *held: Values | Bits) -> None:
        """Give their rooms back."""
        for one in held:
            (self.values if isinstance(one, Values) else self.bits).free(one.base)

    def groups(self, channels: int) -> int:
        """Groups that so many channels take."""
        return -(-channels // self.config.channels)

    def limit(self, name: str, given: int, allowed: int) -> None:
        """Raise LimitError where ``given`` is more than ``allowed``."""
        if given > allowed:
            raise LimitError(f"engine: {name}={given}; allowed: at most {allowed}")

    # data

    def load(self, memory: Memory, data: np.ndarray, base: int = 0, slices: int = 1) -> None:
        """Words of a memory, ``slices`` beats each, from the programme's data; the same data lie there once."""
        content = data.tobytes()
        words = len(content) // (8 * slices)
        if content not in self._known:
            self._known[content] = len(self._data)
            self._data += content
        self.commands.append(Command(
            kind=Kind.LOAD, memory=memory, weights=View(base), words=words, slices=slices,
            address=self._known[content],
        ))  # fmt: skip

    def load_params(self, records: np.ndarray) -> None:
        """Records of 32-bit numbers, channels last."""
        words = records.size // self.config.channels
        self.limit("params", words, self.config.params)
        self.load(Memory.PARAMS, records.astype(np.int64).astype("<u4"), slices=self.config.channels // 2)

    def load_weights(self, rows: np.ndarray) -> None:
        """Words x rows x 64 bits."""
        self.limit("weights", len(rows), self.config.weights)
        self.load(Memory.WEIGHTS, np.packbits(rows.astype(np.uint8), axis=2, bitorder="little"),
                  slices=self.config.rows)  # fmt: skip

    def load_steps(self, steps: Sequence[Step]) -> None:
        """From word 0 on."""
        self.limit("steps", len(steps), self.config.steps)
        self.load(Memory.STEPS, np.array([step.word for step in steps], dtype="<u8"))

    def load_taps(self, taps: Sequence[Tap]) -> int:
        """From word 0 on, byte by byte; returns how many these are."""
        single = [byte for tap in taps for byte in tap.split()]
        self.limit("taps", len(single), self.config.taps)
        self.load(Memory.TAPS, np.array([tap.word for tap in single], dtype="<u8"))
        return len(single)

    def load_values(self, held: Values, x: IntArray) -> None:
        """A tensor, tokens x channels, that is part of the programme."""
        self.load(Memory.VALUES, held_words(held, x), held.base, held.layout.lanes * held.group // 8)

    # computing

    def compute(self, command: Command, taps: Sequence[Tap], records: IntArray) -> None:
        """A command without products, for all groups of ``records`` (groups x words x channels), cut by groups."""
        size = records.shape[1]
        self.limit("params", size, self.config.params)
        most = min(GROUPS, self.config.params // size)
        count = self.load_taps(taps)
        for first in range(0, len(records), most):
            part = records[first : first + most]
            self.load_params(part)
            operands = [
                replace(view, base=view.base + first * group)
                for view, group in zip(command.operands, command.operand_groups, strict=True)
            ]
            self.commands.append(replace(
                command, kind=Kind.COMPUTE, groups=len(part), tap_count=count, record=size,
                values_out=replace(command.values_out, base=command.values_out.base + first * command.out_group),
                bits_out=replace(command.bits_out, base=command.bits_out.base + first * self.config.channels // OCTET),
                operand0=operands[0], operand1=operands[1], operand2=operands[2], operand3=operands[3],
            ))  # fmt: skip

    def finish(self, input_bytes: int, output_bytes: int) -> Programme:
        """The programme; addresses count from its first byte. LimitError for a number that its field does not hold."""
        commands = [*self.commands, Command(kind=Kind.END)]
        behind = 8 * WORDS * len(commands)
        moved = tuple(
            replace(c, address=c.address + behind) if c.kind == Kind.LOAD and c.space == Space.PROGRAMME else c
            for c in commands
        )
        for command in moved:
            try:
                command.encode()
            except ValueError as error:
                raise LimitError(f"engine: {error}") from error
        return Programme(moved, bytes(self._data), input_bytes, output_bytes)


def held_words(held: Values, x: IntArray) -> np.ndarray:
    """The words of a tensor, tokens x channels, as they lie in memory: words x lanes x channels of a group."""
    lane, slot = held.layout.places()
    whole = np.zeros((held.layout.slots, held.layout.lanes, held.groups * held.group), dtype=np.int64)
    whole[slot, lane, : held.channels] = x
    cut = whole.reshape(held.layout.slots, held.layout.lanes, held.groups, held.group).transpose(0, 2, 1, 3)
    planes = np.stack([(cut >> 8 * plane) & 255 for plane in range(held.bytes)], axis=2)
    return planes.reshape(held.words, held.layout.lanes, held.group).astype(np.uint8)


def records(group: int, bias: IntArray, *others: IntArray | int) -> IntArray:
    """Records of channels' numbers: bias, bias2, slope, threshold, coefficients; groups x words x channels."""
    given: list[IntArray | int] = [*others, 0, 0, 0]
    (bias2, slope, threshold), coefs = given[:3], given[3 : len(others)]
    groups = -(-len(bias) // group)

    def padded(x: IntArray | int) -> IntArray:
        result = np.zeros(groups * group, dtype=np.int64)
        result[: len(bias)] = x
        return result.reshape(groups, group)

    named: list[tuple[str, IntArray | int, int]] = [("coefficient", x, 16) for x in coefs]
    named += [("bias", bias, 32), ("bias2", bias2, 32), ("slope", slope, 16), ("threshold", threshold, 16)]
    for name, x, width in named:
        peak = 1 << width - 1
        if np.min(x) < -peak or np.max(x) >= peak:
            raise LimitError(f"engine: {name}={np.min(x)}..{np.max(x)}; allowed: {-peak}..{peak - 1}")
    words = [padded(bias), padded(bias2), (padded(threshold) << 16) | padded(slope) & 0xFFFF]
    pairs = [*coefs, 0][: len(coefs) + len(coefs) % 2]
    words += [padded(pairs[i]) & 0xFFFF | padded(pairs[i + 1]) << 16 for i in range(0, len(pairs), 2)]
    return np.stack(words, axis=1)


def strides(held: Values, rows: int = 1, columns: int = 1) -> tuple[int, int]:
    """How far apart rows and slots of a row lie, of every ``rows``-th and ``columns``-th one."""
    step = held.groups * held.bytes
    return rows * held.layout.strip * step, columns * step


def bit_strides(held: Bits, rows: int = 1, columns: int = 1) -> tuple[int, int]:
    """As :func:`strides`, in words."""
    return rows * held.layout.strip * held.words, columns * held.words


def octet_view(held: Bits, s0: int = 0, at: int = 0) -> View:
    """Where bits are written: all slots in two inner loops, from octet ``at`` on."""
    s1, s2 = bit_strides(held)
    return View(held.base * OCTETS + at, s0, s1 * OCTETS, s2 * OCTETS)
