"""How many cycles an engine takes for commands: a model of its units, one command behind the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from bvit_hw.engine.commands import WORDS, Command, Kind
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import TABLE


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What an engine does in a cycle, and what a command takes besides; the numbers are those of rtl/engine.

    ``taps`` of a group and ``beats`` of DRAM a cycle. ``latency``: cycles from an address to DRAM's first beat.
    ``compute``, ``attend``, ``moving`` (KEYS and VALUES): to fill and drain the units. ``fetch``, ``load``, ``store``:
    besides the latency, for each access. ``window``: beats that may be under way, and ``turn``, from the end of those
    to the next addresses, besides the latency. With ``prefetch`` commands are there in time; with ``beside`` loading
    takes no time of its own as far as there is computing. The engine has neither yet.
    """

    taps: int = 1
    beats: int = 1
    latency: int = 50
    compute: int = 55
    attend: int = 66
    moving: int = 45
    fetch: int = 4
    load: int = 7
    store: int = 12
    window: int = 64
    turn: int = 19
    prefetch: bool = False
    beside: bool = False

    def access(self, beats: int, more: int) -> int:
        """Cycles to move ``beats``, with ``more`` besides the latency."""
        windows = max(0, ceil(beats / self.window) - 1)
        waiting = max(0, self.latency + self.turn - self.window // self.beats)
        return ceil(beats / self.beats) + self.latency + more + windows * waiting


@dataclass(frozen=True)
class Cycles:
    """Cycles of commands by what they are spent on."""

    computing: int = 0
    filling: int = 0
    loading: int = 0
    fetching: int = 0

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(
            self.computing + other.computing, self.filling + other.filling, self.loading + other.loading,
            self.fetching + other.fetching,
        )  # fmt: skip

    def total(self, rules: Rules) -> int:
        """One behind the other, or loading and fetching beside the computing."""
        units, memory = self.computing + self.filling, self.loading + self.fetching
        return max(units, memory) if rules.beside else units + memory


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
    fetching = ceil(WORDS / rules.beats) if rules.prefetch else rules.access(WORDS, rules.fetch)
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


def cycles(config: EngineConfig, rules: Rules, commands: Iterable[Command]) -> Cycles:
    """Of all of them."""
    total = Cycles()
    for command in commands:
        total += cycles_of(config, rules, command)
    return total


