"""How many cycles an engine takes for commands: a model of its units, and of what lies beside what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from bvit_hw.engine.commands import WORDS, Command, Kind, Memory
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import TABLE


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an engine does in a cycle, and what a command takes besides; the numbers are those of rtl/engine.

    ``taps`` of a group and ``beats`` of DRAM a cycle. ``latency``: cycles from an address to DRAM's first beat.
    ``compute``, ``attend``, ``moving`` (KEYS and VALUES): to fill and drain the units. ``fetch``, ``load``, ``store``:
    besides the latency, for each access. ``issue``: from a command's last beat until it begins. ``window``: beats that
    may be under way, and ``turn``, from the end of those to the next addresses, besides the latency. With ``beside``
    the next commands are fetched, and LOADs done, while the units work.
    """

    taps: int = 1
    beats: int = 1
    latency: int = 50
    compute: int = 37
    attend: int = 48
    moving: int = 27
    fetch: int = 4
    load: int = 5
    store: int = 10
    issue: int = 2
    window: int = 64
    turn: int = 19
    beside: bool = True

    def access(self, beats: int, more: int) -> int:
        """Cycles to move ``beats``, with ``more`` besides the latency."""
        windows = max(0, ceil(beats / self.window) - 1)
        waiting = max(0, self.latency + self.turn - self.window // self.beats)
        return ceil(beats / self.beats) + self.latency + more + windows * waiting


#: by which programmes are made where nothing else is said
RULES = Rules()


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
    """Of one command."""
    fetching = rules.access(WORDS, rules.fetch) + rules.issue
    match command.kind:
        case Kind.LOAD:
            return Cycles(0, 0, rules.access(command.words * command.slices, rules.load), fetching)
        case Kind.STORE:
            return Cycles(0, 0, rules.access(command.words * command.slices, rules.store), fetching)
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
        #: when the next command may be fetched, and when the units are idle
        self.front, self.units = 0, 0
        self._moving = False
        #: of the commands so far
        self.spent = Cycles()

    @property
    def now(self) -> int:
        """When all commands so far have ended."""
        return max(self.front, self.units)

    def run(self, commands: Iterable[Command]) -> int:
        """How much later it is behind these commands."""
        before = self.now
        for command in commands:
            found = cycles_of(self.config, self.rules, command)
            self.spent += found
            begin = self.front + found.fetching
            if not self._beside(command):
                begin = max(begin, self.units)
            if command.kind in (Kind.LOAD, Kind.STORE, Kind.END):
                self.front = begin + found.loading
                continue
            self.units = begin + found.computing + found.filling
            self.front = begin if self.rules.beside else self.units
            self._moving = command.kind in (Kind.KEYS, Kind.VALUES)
        return self.now - before

    def has_time(self, load: Command) -> bool:
        """Whether a LOAD would end before the units do."""
        found = cycles_of(self.config, self.rules, load)
        return self.rules.beside and not self._moving and self.front + found.fetching + found.loading <= self.units

    def _beside(self, command: Command) -> bool:
        """Whether it may begin while the units work."""
        if command.kind != Kind.LOAD or command.wait or self._moving:
            return False
        return command.memory not in (Memory.BITS, Memory.VALUES)


def frame_cycles(config: EngineConfig, rules: Rules, commands: Iterable[Command]) -> int:
    """From the start of a frame to its end."""
    return Clock(config, rules).run(commands)
