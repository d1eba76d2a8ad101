"""The generic cocotb bench: plays frames through bench_top under traffic patterns and compares every output beat.

The simulator imports this module; harness.py writes ``bench.json`` (see :class:`harness.Bench`) and the beats into the
folder that the simulation runs in. Beats are moved by bench_source.sv and bench_sink.sv, so that Python sleeps while
the clock runs; this module sets the pattern, watches for hangs and judges what came out.
"""

from __future__ import annotations

import json
import logging
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

PERIOD = 2  # ns
#: about as many cycles are judged under the pattern "reset"
_RESET_CYCLES = 20_000
_PATTERNS = tuple(json.loads(os.environ.get("BVIT_BENCH_PATTERNS", '["full"]')))
_log = logging.getLogger("cocotb.bench")


@dataclass(frozen=True)
class Traffic:
    """Probabilities in 1/256 a cycle that a source or a sink begins and ends a pause."""

    source_stop: int = 0
    source_go: int = 256
    sink_stop: int = 0
    sink_go: int = 256
    sink_wait: int = 0


def traffic(pattern: str, rng: random.Random) -> Traffic:
    """The traffic of one run: rates differ from seed to seed, from single missing beats to long pauses."""
    stop, go = rng.choice([(60, 120), (128, 128), (200, 100), (20, 6), (40, 250)])
    starved = {"source_stop": stop, "source_go": go}
    stop, go = rng.choice([(60, 120), (128, 128), (200, 100), (20, 6), (40, 250)])
    stalled = {"sink_stop": stop, "sink_go": go, "sink_wait": int(pattern == "stalled")}
    match pattern:
        case "full":
            return Traffic()
        case "starved":
            return Traffic(**starved)
        case "stalled":
            return Traffic(**stalled)
        case _:
            return Traffic(**starved, **stalled)


class Run:
    """One simulation's inputs and expectations, and the ways to play them."""

    def __init__(self, dut: Any, pattern: str) -> None:
        self.dut = dut
        self.pattern = pattern
        config = json.loads(Path("bench.json").read_text())
        self.expected: list[list[str]] = [Path(f"exp{i}.hex").read_text().split() for i in range(config["outputs"])]
        self.out_beats: list[int] = config["out_beats"]
        self.in_total: list[int] = config["in_total"]
        self.frames: int = config["frames"]
        self.cycles: int = config["cycles"]
        self.rng = random.Random(f"{config['seed']}-{pattern}")
        self.inputs = [getattr(dut, f"in{i}_count") for i in range(config["inputs"])]
        self.outputs = [getattr(dut, f"out{i}_count") for i in range(config["outputs"])]

    async def sleep(self, cycles: int) -> None:
        """Let the clock run, then stand at a falling edge."""
        await Timer(PERIOD * max(cycles, 1), unit="ns")

    async def reset(self, chosen: Traffic, cycles: int | None = None) -> None:
        """Hold reset for ``cycles`` (None: one to six) and set the traffic for what comes after it."""
        self.dut.rst.value = 1
        for name, value in vars(chosen).items():
            getattr(self.dut, name).value = value
        self.dut.seed.value = self.rng.getrandbits(32)
        await self.sleep(cycles or self.rng.randint(1, 6))
        self.dut.rst.value = 0

    def counts(self) -> tuple[list[int], list[int]]:
        """Beats taken so far, by input and by output."""
        return [int(s.value) for s in self.inputs], [int(s.value) for s in self.outputs]

    def slowness(self, chosen: Traffic) -> float:
        """How many times longer than at full rate this traffic may take."""
        factor = 1.0
        for stop, go in ((chosen.source_stop, chosen.source_go), (chosen.sink_stop, chosen.sink_go)):
            factor *= 1 + stop / max(go, 1)
        return factor * (3 if chosen.sink_wait else 1)

    async def play(self, chosen: Traffic) -> None:
        """Run until every expected beat is out, then long enough to see a surplus one; fails on a hang."""
        goal = [len(e) for e in self.expected]
        slow = self.slowness(chosen)
        patience = int((4 * self.cycles + 1000) * slow)
        step = max(32, min(patience // 8, self.cycles * self.frames // 20))
        quiet, last = 0, self.counts()
        while True:
            await self.sleep(step)
            now = self.counts()
            if all(n >= g for n, g in zip(now[1], goal, strict=True)):
                break
            quiet = 0 if now != last else quiet + step
            last = now
            assert quiet < patience, (
                f"{self.pattern}: hangs: no beat moved for {quiet} cycles at cycle {int(self.dut.cycle.value)}; "
                f"inputs took {now[0]} of {self.in_total} beats, outputs gave {now[1]} of {goal}"
            )
        await self.sleep(min(2 * self.cycles, 20000) + 100)
        taken, given = self.counts()
        assert given == goal, f"{self.pattern}: surplus output: {given} beats where {goal} are due"
        assert taken == self.in_total, f"{self.pattern}: inputs took {taken} of {self.in_total} beats"

    def compare(self) -> list[list[int]]:
        """Every beat against the golden one; returns the cycles in which the beats of each output were taken."""
        stamps = []
        for index, expected in enumerate(self.expected):
            lines = [line.split() for line in Path(f"out{index}.hex").read_text().splitlines()]
            assert len(lines) == len(expected), f"{len(lines)} beats recorded, {len(expected)} due"
            wrong = [n for n, (line, want) in enumerate(zip(lines, expected, strict=True)) if line[0] != want]
            if wrong:
                n = wrong[0]
                frame, beat = divmod(n, self.out_beats[index])
                raise AssertionError(
                    f"{self.pattern}: output {index}: {len(wrong)} of {len(expected)} beats differ; the first is beat "
                    f"{beat} of frame {frame} (cycle {lines[n][1]}): got {lines[n][0]}, expected {expected[n]}"
                )
            stamps.append([int(line[1]) for line in lines])
        return stamps


def note_occupancy(dut: Any, pattern: str) -> None:
    """Add a FIFO's largest number of beats under ``pattern`` to occupancy.json, when the device is a bvit_fifo."""
    device = getattr(dut, "u_dut", None)
    if device is None or not hasattr(device, "max_count_q"):
        return
    path = Path("occupancy.json")
    seen = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**seen, pattern: int(device.max_count_q.value)}))


@cocotb.test()
@cocotb.parametrize(pattern=_PATTERNS)
async def frames(dut: Any, pattern: str) -> None:
    """All frames back to back under one traffic pattern; "reset" first breaks off in mid-stream, a few times over."""
    run = Run(dut, pattern)
    chosen = traffic(pattern, run.rng)
    _log.info("pattern %s: %s", pattern, chosen)
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns", impl="gpi").start())
    await FallingEdge(dut.clk)
    # A register that reset forgets may hold by chance what it should: one try does not find it.
    tries = max(1, min(6, _RESET_CYCLES // (run.cycles * run.frames))) if pattern == "reset" else 1
    for _ in range(tries):
        if pattern == "reset":
            await break_off(run)
        # What comes after the last reset is judged. It breaks off full pipelines and lasts one cycle: a longer one
        # would drain the stages that lack a reset, and hide that.
        await run.reset(chosen, cycles=1)
        await run.play(chosen)
        note_occupancy(dut, pattern)
        firsts = [int(getattr(dut, f"in{i}_first").value) for i in range(len(run.inputs))]
        # Reset closes the files of the sinks, so that they can be read.
        dut.rst.value = 1
        await run.sleep(3)
        stamps = run.compare()
    if pattern == "full":
        Path("full.json").write_text(json.dumps({"first_in": min(firsts), "stamps": stamps}))


async def break_off(run: Run) -> None:
    """Three runs of any length up to the whole, each ended by the next one's reset, the last one still going on."""
    for kind in (run.rng.choice(["full", "both"]), "both", "full"):
        await run.reset(traffic(kind, run.rng))
        await run.sleep(run.rng.randint(1, max(run.cycles * run.frames, 2)))
        _log.info("reset after %s input and %s output beats", *run.counts())
