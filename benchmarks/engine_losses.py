"""Where a network's cycles go on a board's engine, by the model of cycles; nothing is simulated.

    python benchmarks/engine_losses.py [--preset small-224] [--board pynq-z2]

Of the cycles in which the units work: what a turn is as long as. Of the others: what the units wait for. The second
table has bounds beside them, layer by layer.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field

from engine_bounds import Bound, Plan, bound
from machine import processor

from bvit_hw.boards import load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.commands import MATRIX, Command, Kind, Memory, decode_tap
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import MEMORIES, EngineConfig
from bvit_hw.engine.cycles import RULES, Clock, cycles_of
from bvit_hw.freeze.random_frozen import random_frozen


@dataclass
class Losses:
    """Cycles of a part by what they are spent on."""

    steps: int = 0
    taps: int = 0
    writing: int = 0
    attend: int = 0
    moving: int = 0
    filling: int = 0
    #: the units are idle: for a LOAD's data, by memory, and for commands
    waiting: Counter[str] = field(default_factory=Counter)
    #: beats of LOADs by memory, and of commands
    beats: Counter[str] = field(default_factory=Counter)

    @property
    def idle(self) -> int:
        """In which the units wait."""
        return sum(self.waiting.values())

    @property
    def all(self) -> int:
        """Together."""
        return self.steps + self.taps + self.writing + self.attend + self.moving + self.filling + self.idle


def losses(config: EngineConfig, compiled: Compiled) -> dict[str, Losses]:
    """Of each part of the network, in the order in which they begin."""
    found: dict[str, Losses] = {}
    clock, done, last = Clock(config, RULES), 0, ""
    ends = [*compiled.tasks, (len(compiled.programme.commands), "output")]
    for behind, name in ends:
        part = found.setdefault(name.split(".")[0], Losses())
        for command in compiled.programme.commands[done:behind]:
            units = clock.units
            clock.run([command])
            part.beats["commands"] += cycles_of(config, RULES, command).fetching
            if command.kind in (Kind.LOAD, Kind.STORE, Kind.END):
                last = command.memory.name.lower()
                if command.kind == Kind.LOAD:
                    part.beats[last] += command.words * command.slices // config.slices
                if command.kind == Kind.END:
                    part.waiting["end"] += clock.now - units
                continue
            spent = cycles_of(config, RULES, command)
            begin = clock.units - spent.computing - spent.filling
            if begin > units:
                part.waiting[last if begin == clock.loads else "commands"] += begin - units
            part.filling += spent.filling
            _computing(part, command, spent.computing)
        done = max(done, behind)
    return found


def _computing(part: Losses, c: Command, cycles: int) -> None:
    if c.kind == Kind.ATTEND:
        part.attend += cycles
    elif c.kind != Kind.COMPUTE:
        part.moving += cycles
    elif c.step_count >= c.groups * max(c.tap_count, c.out_bytes, 1):
        part.steps += cycles
    elif c.tap_count >= c.out_bytes:
        part.taps += cycles
    else:
        part.writing += cycles


def tap_kinds(compiled: Compiled) -> Counter[str]:
    """Cycles of commands that their taps bound, by how many taps a group has, and how many of them are sums."""
    found: Counter[str] = Counter()
    taps: dict[int, int] = {}
    body = compiled.programme.body
    for c in compiled.programme.commands:
        if c.kind == Kind.LOAD and c.memory == Memory.TAPS:
            data = body[c.address : c.address + 8 * c.words * c.slices]
            for i in range(c.words):
                taps[c.weights.base + i] = int.from_bytes(data[8 * i * c.slices : 8 * i * c.slices + 8], "little")
        if c.kind == Kind.COMPUTE and c.step_count < c.groups * max(c.tap_count, c.out_bytes, 1):
            given = [decode_tap(taps[c.tap_base + i]) for i in range(c.tap_count)]
            sums = sum(tap.source == MATRIX for tap in given)
            name = f"{c.tap_count} taps, {sums} of them sums, {c.out_bytes} bytes"
            found[name] += c.n0 * c.n1 * c.n2 * c.groups * max(c.tap_count, c.out_bytes, 1)
    return found


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small-224")
    parser.add_argument("--board", default="pynq-z2")
    for name in ("tokens", "rows", "channels", "port", *MEMORIES):
        parser.add_argument(f"--{name}", type=int)
    given = parser.parse_args()
    board = load_board(given.board)
    there = engine_of(board) if board.engine is not None else EngineConfig()
    config = EngineConfig(**{
        name: getattr(there, name) if getattr(given, name) is None else getattr(given, name)
        for name in ("tokens", "rows", "channels", "port", *MEMORIES)
    })  # fmt: skip
    graph, start = random_frozen(given.preset), time.process_time()
    compiled = compile_network(graph, config, fused=True)
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}; {given.preset}, {config}; compiled in "
          f"{time.process_time() - start:.0f} s of a core\n")  # fmt: skip
    clock = board.engine_clock_mhz
    plan = Plan(given.board, config.tokens, config.rows, config.channels, 1, config.port, clock)
    bounds, found = bound(Bound(graph, plan)), losses(config, compiled)
    print("| part | bound | steps | taps | writing | attend | keys, values | filling | waiting | takes | beats |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    total = Losses()
    for part, x in found.items():
        row = (bounds[part][2] if part in bounds else 0, x.steps, x.taps, x.writing, x.attend, x.moving, x.filling,
               x.idle, x.all, sum(x.beats.values()))  # fmt: skip
        print(f"| {part} |", " | ".join(f"{n:,}" for n in row), "|")
        for name in ("steps", "taps", "writing", "attend", "moving", "filling"):
            setattr(total, name, getattr(total, name) + getattr(x, name))
        total.waiting += x.waiting
        total.beats += x.beats
    x = total
    row = (sum(row[2] for row in bounds.values()), x.steps, x.taps, x.writing, x.attend, x.moving, x.filling, x.idle,
           x.all, sum(x.beats.values()))  # fmt: skip
    print("| all |", " | ".join(f"{n:,}" for n in row), "|")
    print(f"\n{clock * 1e6 / x.all:,.1f} frames/s at {clock:g} MHz")
    print("waiting for:", ", ".join(f"{name} {n:,}" for name, n in total.waiting.most_common()))
    print("beats of DRAM:", ", ".join(f"{name} {n:,}" for name, n in total.beats.most_common()))
    print("bound by taps:")
    for name, n in tap_kinds(compiled).most_common(12):
        print(f"  {name}: {n:,}")


if __name__ == "__main__":
    main()
