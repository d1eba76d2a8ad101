"""How many cycles an engine takes for commands: a model of its units, and of what lies beside what."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from bvit_hw.engine.commands import WORDS, Command, Kind, Memory
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import TABLE


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an engine does in a cycle, and what a command takes besides; the numbers are those of rtl/engine.

    ``taps`` of a group a cycle. ``latency``: cycles from an address to DRAM's first beat. ``compute``, ``attend``,
    ``moving`` (KEYS and VALUES): to fill and drain the units, until the next command for them may begin. ``settle``:
    how much later all results of a COMPUTE are written, and what waits for that may begin. ``address``: from a request
    until DRAM has its address; ``fetch``: from a command's last beat until it may be decoded; ``issue``: from then
    until it begins; ``load``: from a LOAD's last beat until what needs it may begin; ``store``: of a STORE besides the
    latency. ``ahead`` commands are fetched beforehand. ``window``: beats that may be under way, and ``turn``, from the
    end of a burst to the next address, besides the latency. ``gap``: in which no beat comes, behind a request's last.
    ``hesitates``: in so many of 16 cycles DRAM gives and takes no beat.
    """

    taps: int = 1
    latency: int = 50
    compute: int = 28
    attend: int = 49
    moving: int = 27
    settle: int = 11
    address: int = 3
    fetch: int = 4
    issue: int = 3
    load: int = 2
    store: int = 14
    ahead: int = 4
    window: int = 128
    turn: int = 6
    gap: int = 1
    hesitates: int = 0

    def moved(self, beats: int) -> int:
        """Cycles that DRAM's port is busy with so many ``beats``, once the first is there."""
        window = self._slowed(self.window)
        return self._slowed(beats) + max(0, ceil(beats / self.window) - 1) * max(0, self.latency + self.turn - window)

    def _slowed(self, beats: int) -> int:
        return -(-beats * 16 // (16 - self.hesitates))


#: by which programmes are made where nothing else is said
RULES = Rules()
#: DRAM in a run with stalls: its latency in cycles, and in how many of 16 cycles its channels hesitate
HESITANT_DRAM = (100, 4)
#: the rules of such a run, and those of a DRAM of half the bandwidth
HESITANT = Rules(latency=HESITANT_DRAM[0], hesitates=HESITANT_DRAM[1])
HALF_BANDWIDTH = Rules(hesitates=8)


@dataclass(frozen=True)
class Cycles:
    """Cycles of commands by what they are spent on. What lies beside something else is counted as well."""

    computing: int = 0
    filling: int = 0
    loading: int = 0
    fetching: int = 0

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(
            self.computing + other.computing, self.filling + other.filling, self.loading + other.loading,
            self.fetching + other.fetching,
        )  # fmt: skip


def _turns(config: EngineConfig, rules: Rules, c: Command) -> int:
    """Cycles in which the units take steps, taps, rows or slots."""
    match c.kind:
        case Kind.COMPUTE:
            # A turn is as long as its steps, or as its taps, or as the bytes that are written.
            slots = max(ceil(c.tap_count / rules.taps), c.out_bytes, 1)
            return c.n0 * c.n1 * c.n2 * max(c.step_count, c.groups * slots)
        case Kind.ATTEND:
            # Scores run twice; between the runs the sum goes to the limit.
            gap = 4 + (config.channels - 1).bit_length()
            return TABLE + c.n0 * c.n1 * (2 * c.n2 * max(c.step_count, config.groups) + gap)
        case Kind.KEYS:
            return c.n0 * config.tokens
        case Kind.VALUES:
            return c.count * -(-c.n0 // config.key_slots) * config.key_slots
        case _:
            return 0


def cycles_of(config: EngineConfig, rules: Rules, command: Command) -> Cycles:
    """Of one command: of the port to DRAM what its beats take, of the units what they work."""
    fetching = rules.moved(WORDS // config.slices)
    match command.kind:
        case Kind.LOAD | Kind.STORE:
            return Cycles(0, 0, rules.moved(command.words * command.slices // config.slices), fetching)
        case Kind.COMPUTE:
            filling = rules.compute
        case Kind.ATTEND:
            filling = rules.attend
        case Kind.END:
            filling = 0
        case _:
            filling = rules.moving
    return Cycles(_turns(config, rules, command), filling, 0, fetching)


class Clock:
    """What the time is while commands are carried out in their order."""

    def __init__(self, config: EngineConfig, rules: Rules) -> None:
        self.config, self.rules = config, rules
        #: when the next command may be taken, when the units are free, and when all LOADs so far have ended
        self.front, self.units, self.loads = 0, 0, 0
        #: when all is written that the units have made
        self._settled = 0
        #: when DRAM has given all that it was asked for, and when each command that was asked for is there
        self._port = 0
        self._fetched = deque(self._asked(0, rules.moved(WORDS // config.slices)) for _ in range(rules.ahead))
        self._moving = False
        #: in what part of its cycles the units write values, until `_settled`
        self._writing = 0.0
        #: of the commands so far
        self.spent = Cycles()

    @property
    def now(self) -> int:
        """When all commands so far have ended."""
        return max(self.front, self.units, self.loads)

    def run(self, commands: Iterable[Command]) -> int:
        """How much later it is behind these commands."""
        before = self.now
        for command in commands:
            found = cycles_of(self.config, self.rules, command)
            self.spent += found
            taken = self._taken()
            self._fetched.popleft()
            self._fetched.append(self._asked(taken, found.fetching))
            begin = taken + self.rules.issue
            if _settles(command):
                begin = max(begin, self._settled)
            elif not self._beside(command):
                begin = max(begin, self.units)
            if command.kind == Kind.LOAD and found.loading:
                to_values = command.memory == Memory.VALUES
                self.loads = self._asked(begin, found.loading, held=to_values) + self.rules.load
                self.front = begin + 1
                continue
            begin = max(begin, self.loads)
            if command.kind == Kind.STORE:
                begin += found.loading + self.rules.latency + self.rules.store
            if command.kind in (Kind.LOAD, Kind.STORE, Kind.END):
                self.front = begin + (command.kind != Kind.END)
                continue
            self.units = begin + found.computing + found.filling
            self._settled = self.units + (self.rules.settle if command.kind == Kind.COMPUTE else 0)
            self._writing = written_part(command)
            self.front = begin + 1
            self._moving = command.kind in (Kind.KEYS, Kind.VALUES)
        return self.now - before

    def has_time(self, load: Command) -> bool:
        """Whether a LOAD would end before the units do."""
        if self._moving:
            return False
        asked = self._taken() + self.rules.issue + self.rules.address + self.rules.latency
        there = max(asked, self._port + WORDS // self.config.slices)
        there += self.rules.moved(load.words * load.slices // self.config.slices)
        return there + self.rules.load <= self.units

    def _taken(self) -> int:
        """When the next command has been taken from those that were fetched."""
        return max(self.front + WORDS // self.config.slices, self._fetched[0] + self.rules.fetch)

    def _asked(self, at: int, cycles: int, *, held: bool = False) -> int:
        """When the beats of a request that is made at ``at``, and moves in so many ``cycles``, are there.

        ``held``: none comes where the units write values.
        """
        first = max(at + self.rules.address + self.rules.latency, self._port)
        if held and first < self._settled and self._writing:
            # What comes beside the units takes longer; the rest comes behind them.
            beside = min(cycles, int((self._settled - first) * (1 - self._writing)))
            apart = self._settled - first if beside < cycles else ceil(beside / (1 - self._writing))
            cycles = apart + cycles - beside
        last = first + cycles
        self._port = last + self.rules.gap
        return last

    def _beside(self, command: Command) -> bool:
        """Whether it may begin while the units work."""
        return command.kind == Kind.LOAD and not command.wait and not self._moving


def _settles(command: Command) -> bool:
    """Whether it begins when all is written that the units have made."""
    waits = command.memory == Memory.BITS or (command.memory == Memory.VALUES and command.wait)
    return command.kind == Kind.STORE or (command.kind == Kind.LOAD and waits)


def written_part(c: Command) -> float:
    """In what part of its cycles a command for the units writes values."""
    if c.kind != Kind.COMPUTE:
        return 0.0
    written = c.groups * c.out_bytes
    return written / max(c.step_count, c.groups * max(c.tap_count, 1), written, 1)


def frame_cycles(config: EngineConfig, rules: Rules, commands: Iterable[Command]) -> int:
    """From the start of a frame to its end."""
    return Clock(config, rules).run(commands)
