"""The generic cocotb bench: plays frames through bench_top under traffic patterns and compares every output beat.

The simulator imports this module; harness.py writes ``bench.json`` (see :class:`harness.Bench`) and the beats into the
folder that the simulation runs in. Beats are moved by bench_source.sv and bench_sink.sv, so that Python sleeps while
the clock runs; this module sets the pattern, watches for hangs and judges what came out.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

PERIOD = 2  # ns
#: about as many cycles are judged under the pattern "reset"
_RESET_CYCLES = 20_000
#: what a unit does when the reset comes that is judged: it runs, it is held up, it is starved, it does both by turns
_MOMENTS = ("held", "gone", "full", "both")
_PATTERNS = tuple(json.loads(os.environ.get("BVIT_BENCH_PATTERNS", '["full"]')))
_log = logging.getLogger("cocotb.bench")


@dataclass(frozen=True)
class Traffic:
    """Probabilities in 1/256 a cycle that a source or a sink begins and ends a pause; 0 and 256 are certain."""

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
        case "held":  # every sink stops for good, at once or at some moment of its own
            return Traffic(sink_stop=rng.choice([8, 64, 256]), sink_go=0)
        case "gone":  # and every source
            return Traffic(source_stop=rng.choice([8, 64, 256]), source_go=0)
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

    def steer(self, chosen: Traffic) -> None:
        """Set the traffic for what comes."""
        for name, value in vars(chosen).items():
            getattr(self.dut, name).value = value

    async def reset(self, chosen: Traffic, cycles: int | None = None) -> None:
        """Hold reset for ``cycles`` (None: one to six) and set the traffic for what comes after it."""
        self.dut.rst.value = 1
        self.steer(chosen)
        self.dut.seed.value = self.rng.getrandbits(32)
        await self.sleep(cycles or self.rng.randint(1, 6))
        self.dut.rst.value = 0

    async def settle(self) -> None:
        """Wait until no beat has moved for about a frame's time."""
        last: object = None
        while (now := self.counts()) != last:
            last = now
            await self.sleep(min(self.cycles, 2000) + 64)

    def counts(self) -> tuple[list[int], list[int]]:
        """Beats taken so far, by input and by output."""
        return [int(s.value) for s in self.inputs], [int(s.value) for s in self.outputs]

    def slowness(self, chosen: Traffic) -> float:
        """How many times longer than at full rate this traffic may take."""
        factor = 1.0
        for stop, go in ((chosen.source_stop, chosen.source_go), (chosen.sink_stop, chosen.sink_go)):
            factor *= 1 + stop / max(go, 1)
        return factor * (3 if chosen.sink_wait else 1)

    async def play(self, chosen: Traffic, frames: int) -> None:
        """Run until the beats of ``frames`` are out, of all frames then long enough to see a surplus one.

        Of all frames every input must be taken as well, also what adds to no output. Fails on a hang.
        """
        goal = [frames * beats for beats in self.out_beats]
        due = self.in_total if frames == self.frames else [0] * len(self.in_total)
        slow = self.slowness(chosen)
        patience = int((4 * self.cycles + 1000) * slow)
        step = max(32, min(patience // 8, self.cycles * frames // 20))
        # A unit may creep on for hours without ever being quiet.
        limit = int(8 * (self.cycles * (frames + 2) + 1000) * slow)
        quiet, last = 0, self.counts()
        for elapsed in range(0, limit + step, step):
            await self.sleep(step)
            now = self.counts()
            if all(n >= g for n, g in zip((*now[0], *now[1]), (*due, *goal), strict=True)):
                break
            quiet = 0 if now != last else quiet + step
            last = now
            assert quiet < patience, (
                f"{self.pattern}: hangs: no beat moved for {quiet} cycles at cycle {int(self.dut.cycle.value)}; "
                f"inputs took {now[0]} of {self.in_total} beats, outputs gave {now[1]} of {goal}"
            )
            assert elapsed < limit, f"{self.pattern}: not done after {elapsed} cycles: outputs gave {now[1]} of {goal}"
        if frames == self.frames:
            await self.sleep(min(2 * self.cycles, 20000) + 100)
            taken, given = self.counts()
            assert given == goal, f"{self.pattern}: surplus output: {given} beats where {goal} are due"
            assert taken == self.in_total, f"{self.pattern}: inputs took {taken} of {self.in_total} beats"

    def compare(self, frames: int, after: str) -> list[list[int]]:
        """The beats of the first ``frames`` against the golden ones; returns the cycles in which each was taken."""
        stamps = []
        for index, beats in enumerate(self.out_beats):
            lines = [line.split() for line in Path(f"out{index}.hex").read_text().splitlines()[: frames * beats]]
            expected = self.expected[index][: frames * beats]
            assert len(lines) == len(expected), f"{len(lines)} beats recorded, {len(expected)} due"
            wrong = [n for n, (line, want) in enumerate(zip(lines, expected, strict=True)) if line[0] != want]
            if wrong:
                n = wrong[0]
                frame, beat = divmod(n, beats)
                raise AssertionError(
                    f"{self.pattern}: output {index}: {len(wrong)} of {len(expected)} beats differ; the first is beat "
                    f"{beat} of frame {frame} (cycle {lines[n][1]}{after}): got {lines[n][0]}, expected {expected[n]}"
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
    if pattern == "reset":
        await resets(run)
        return
    await run.reset(chosen, cycles=1)
    await run.play(chosen, run.frames)
    note_occupancy(dut, pattern)
    firsts = [int(getattr(dut, f"in{i}_first").value) for i in range(len(run.inputs))]
    stamps = await judge(run, run.frames, "")
    if pattern == "full":
        Path("full.json").write_text(json.dumps({"first_in": min(firsts), "stamps": stamps}))


async def judge(run: Run, frames: int, after: str) -> list[list[int]]:
    """Compare what came out since the last reset; a reset closes the files of the sinks, so that they can be read."""
    run.dut.rst.value = 1
    await run.sleep(3)
    return run.compare(frames, after)


async def resets(run: Run) -> None:
    """Break off in many states, and after each judge what comes out: nothing that is left over may.

    A register that reset forgets may hold by chance what it should, so there are several tries of each kind. Of a
    large unit only the last try plays all frames.
    """
    await run.reset(Traffic(sink_stop=256, sink_go=0))
    await run.settle()
    Path("capacity.json").write_text(json.dumps(run.counts()[0]))
    note_occupancy(run.dut, "held")
    if hasattr(getattr(run.dut, "u_dut", None), "max_count_q"):
        await flows_again(run)
    tries = max(len(_MOMENTS), min(3 * len(_MOMENTS), _RESET_CYCLES // (run.cycles * run.frames)))
    for number in range(tries):
        moment = _MOMENTS[number % len(_MOMENTS)]
        if number:
            await break_off(run, moment)
        chosen = traffic(run.rng.choice(["full", "starved", "stalled", "both"]), run.rng)
        # One cycle has to do: a longer reset drains pipelines, and hides a later stage that lacks its own.
        await run.reset(chosen, cycles=1)
        whole = tries > len(_MOMENTS) or number == tries - 1
        frames = run.frames if whole else 1
        await run.play(chosen, frames)
        await judge(run, frames, f" after a reset that met it {moment}")


async def flows_again(run: Run) -> None:
    """A FIFO that stood, filled at once or bit by bit, gives what it holds and what follows without a bubble."""
    for filling in (Traffic(), Traffic(source_stop=256, source_go=16)):
        await run.reset(replace(filling, sink_stop=256, sink_go=0))
        await run.settle()
        run.steer(Traffic())
        await run.play(Traffic(), run.frames)
        (stamps,) = await judge(run, run.frames, " after a stand")
        gaps = [n for n, (before, after) in enumerate(itertools.pairwise(stamps)) if after != before + 1]
        assert not gaps, f"{run.pattern}: a bubble behind beat {gaps[0]} after a stand, {len(gaps)} in all"


async def break_off(run: Run, moment: str) -> None:
    """Traffic that a reset ends, then such that the next reset finds the unit in the state ``moment``."""
    span = min(run.cycles * run.frames, max(2 * run.cycles, 2000))
    await run.reset(traffic("both", run.rng))
    await run.sleep(run.rng.randint(1, span))
    await run.reset(traffic(run.rng.choice(["full", "both"]) if moment in ("held", "gone") else moment, run.rng))
    await run.sleep(run.rng.randint(1, span))
    if moment in ("held", "gone"):
        run.steer(traffic(moment, run.rng))
        if run.rng.random() < 0.5:
            await run.settle()
        await run.sleep(run.rng.randint(1, 16))
    _log.info("%s: reset after %s input and %s output beats", moment, *run.counts())
