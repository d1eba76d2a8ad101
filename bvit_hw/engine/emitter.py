"""Collects a programme: drafts of commands and what they need; cuts a command where a memory's depth wants it."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import WORDS, BitMode, Command, Kind, Memory, Space, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET, OCTETS, EngineConfig
from bvit_hw.engine.cycles import RULES
from bvit_hw.engine.early import early
from bvit_hw.engine.layout import Bits, Layout, Values
from bvit_hw.engine.machine import Machine
from bvit_hw.engine.programme import Programme
from bvit_hw.engine.residence import Content, Contents, Draft, Placed, placed
from bvit_hw.engine.rooms import Room
from bvit_hw.errors import LimitError

#: groups of channels that a command may have
GROUPS = 255
#: views that a command may have
VIEWS = 4
#: words of bits that addresses of octets reach
BITS_REACH = (1 << 16) // OCTETS


def room_depths(config: EngineConfig) -> dict[str, int]:
    """The memories in which tensors lie, and how many words each has for them."""
    return {"bits": min(config.bits, BITS_REACH), "values": config.values}


class Emitter:
    """Drafts of commands in their order; rooms in the memories of bits and of values; contents of the others.

    With ``dry`` only the rooms count: whether a network fits. ``rooms`` are others than those that give out first fit,
    by the memory's name.
    """

    def __init__(
        self, config: EngineConfig, contents: Contents, *, dry: bool = False, rooms: Mapping[str, Room] | None = None
    ) -> None:
        self.config, self.contents, self.dry = config, contents, dry
        self.drafts: list[Draft] = []
        #: keys and values that are copied to weights
        self.copied: dict[Hashable, Content] = {}
        found = {name: Room(name, depth) for name, depth in room_depths(config).items()} | dict(rooms or {})
        self.bits, self.values = found["bits"], found["values"]
        #: where the last LOADs to values went: the next ones are better elsewhere, beside what reads those
        self._loaded = deque[range](maxlen=2)

    # places

    def new_values(self, layout: Layout, channels: int, bits: int, *, signed: bool = True) -> Values:
        """Room for a tensor of integers of ``bits``."""
        held = Values(0, layout, channels, -(-bits // 8), signed, self.config.channels)
        return replace(held, base=self.values.take(held.words))

    def new_loaded(self, layout: Layout, channels: int, bits: int, *, signed: bool = True) -> Values:
        """The same for a tensor that is loaded: apart from those that were loaded last, where there is room."""
        held = Values(0, layout, channels, -(-bits // 8), signed, self.config.channels)
        held = replace(held, base=self.values.take_highest(held.words, self._loaded))
        self._loaded.append(range(held.base, held.base + held.words))
        return held

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

    # contents

    def params(self, records: np.ndarray) -> Content:
        """Records of 32-bit numbers, channels last."""
        self.limit("params", records.size // self.config.channels, self.config.params)
        return self.contents.of(
            Memory.PARAMS, records.astype(np.int64).astype("<u4"), self.config.channels // 2
        )  # fmt: skip

    def weights(self, rows: np.ndarray) -> Content:
        """Words x rows x 64 bits."""
        self.limit("weights", len(rows), self.config.weights)
        packed = np.packbits(rows.astype(np.uint8), axis=2, bitorder="little")
        return self.contents.of(Memory.WEIGHTS, packed, self.config.rows)

    def steps(self, steps: Sequence[Step]) -> Content:
        """In their order."""
        self.limit("steps", len(steps), self.config.steps)
        return self._words(Memory.STEPS, [step.word for step in steps])

    def taps(self, taps: Sequence[Tap]) -> Content:
        """In their order, byte by byte."""
        single = [byte for tap in taps for byte in tap.split()]
        self.limit("taps", len(single), self.config.taps)
        return self._words(Memory.TAPS, [tap.word for tap in single])

    def _words(self, memory: Memory, words: Sequence[int]) -> Content:
        """Words of 64 bits, each in a beat of its own."""
        beats = np.zeros((len(words), self.config.slices), dtype="<u8")
        beats[:, 0] = words
        return self.contents.of(memory, beats, self.config.slices)

    # commands

    def add(self, command: Command, *contents: Content) -> None:
        """A command and what it needs."""
        self.drafts.append(Draft(command, contents))

    def load_values(self, held: Values, x: IntArray) -> None:
        """A tensor, tokens x channels, that is part of the programme."""
        if self.dry:
            return
        command = Command(
            kind=Kind.LOAD, memory=Memory.VALUES, weights=View(held.base), words=held.words,
            slices=held.layout.lanes * held.group // 8,
        )  # fmt: skip
        self.drafts.append(Draft(command, data=held_words(held, x).tobytes()))

    def compute(self, command: Command, taps: Sequence[Tap], records: IntArray) -> None:
        """A command without products, for all groups of ``records`` (groups x words x channels), cut by groups."""
        if self.dry:
            return
        size = records.shape[1]
        self.limit("params", size, self.config.params)
        # At most half the memory, so that the next part is loaded meanwhile.
        most = min(GROUPS, max(1, self.config.params // 2 // size))
        content = self.taps(taps)
        for first in range(0, len(records), most):
            part = records[first : first + most]
            operands = [
                replace(view, base=view.base + first * group)
                for view, group in zip(command.operands, command.operand_groups, strict=True)
            ]
            self.add(replace(
                command, kind=Kind.COMPUTE, groups=len(part), tap_count=content.words, record=size,
                values_out=replace(command.values_out, base=command.values_out.base + first * command.out_group),
                bits_out=replace(command.bits_out, base=command.bits_out.base + first * self.config.channels // OCTET),
                operand0=operands[0], operand1=operands[1], operand2=operands[2], operand3=operands[3],
            ), content, self.params(part))  # fmt: skip

    def finish(self, input_bytes: int, output_bytes: int) -> tuple[Programme, Placed]:
        """The programme; addresses count from its first byte. LimitError for a number that its field does not hold."""
        drafts, order = early(self.drafts, self.config, RULES)
        found = placed(drafts, self.config)
        # Behind how many commands each draft and all that came before it are done, as they were given.
        ends = np.zeros(len(order), dtype=np.int64)
        ends[order] = found.behind
        found = replace(found, behind=[int(n) for n in np.maximum.accumulate(ends)])
        commands = [*found.commands, Command(kind=Kind.END)]
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
        return Programme(moved, found.data, input_bytes, output_bytes), found


@dataclass(frozen=True)
class Rect:
    """Lines ``line`` .. and slots of a line ``slot`` .. of a result, which a command makes."""

    line: int
    lines: int
    slot: int
    slots: int

    @staticmethod
    def of(layout: Layout) -> Rect:
        """All of a tensor."""
        return Rect(0, layout.lines, 0, layout.slots // layout.lines)

    def values(self, x: Values, s0: int = 0) -> View:
        """Where they lie."""
        step = x.groups * x.bytes
        return View(x.base + self.line * x.line + self.slot * step, s0, x.line, step)

    def bits(self, x: Bits, s0: int = 0) -> View:
        """Where they are read."""
        return View(x.base + self.line * x.line + self.slot * x.words, s0, x.line, x.words)

    def octets(self, x: Bits, s0: int = 0, at: int = 0) -> View:
        """Where they are written, from octet ``at`` of a slot on."""
        word = self.bits(x)
        return View(word.base * OCTETS + at, s0, word.s1 * OCTETS, word.s2 * OCTETS)


@dataclass(frozen=True)
class Results:
    """What a command leaves: values, bits behind a threshold, sums of 2^fold neighbouring channels."""

    layout: Layout
    values: Values | None = None
    bits: Bits | None = None
    threshold: IntArray | int = 0
    pool: Values | None = None
    fold: int = 0

    def named(self, command: Command, rect: Rect, group: int, turn: int = 0, first: int = 0) -> Command:
        """The command with its results from group ``first`` on: ``group`` channels each, ``turn`` for an outer turn."""
        command = replace(command, n1=rect.lines, n2=rect.slots, lanes=self.layout.lanes)
        if self.values is not None:
            size = self.values.bytes
            view = rect.values(self.values, turn * size)
            view = replace(view, base=view.base + first * size)
            command = replace(command, values_out=view, out_group=size, out_bytes=size)
        if self.pool is not None:
            # Pieces of words are counted from the pool's first word on.
            pieces = replace(self.pool, base=0, bytes=1, channels=self.pool.groups * self.pool.group << self.fold)
            view = rect.values(pieces, turn)
            command = replace(
                command, values_out=replace(view, base=view.base + first), out_group=1, out_bytes=self.pool.bytes,
                out_fold=self.fold, fold_base=self.pool.base,
            )  # fmt: skip
        if self.bits is not None:
            view = rect.octets(self.bits, turn * group // OCTET, first * group // OCTET)
            # Bits are of a result that is compared, and cut to what is.
            out_bits = command.out_bits if self.values is not None else min(command.out_bits, Machine.COMPARE_BITS)
            command = replace(command, bits_out=view, bit_mode=BitMode.THRESHOLD, out_bits=out_bits)
        return command


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
