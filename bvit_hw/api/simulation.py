"""Simulation: images through an accelerator's RTL, waveforms of it, and where it differs from the frozen network.

What is simulated is the accelerator's core, cycle by cycle: its operators and FIFOs, without the frame guard and the
registers around them. Of a build it is the files in its folder `generate`, as they lie there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.builds import Build, as_build
from bvit_hw.api.engine_simulation import EngineBuild, compare_engine
from bvit_hw.api.hardware import Folded
from bvit_hw.api.simulated_core import simulated_core
from bvit_hw.api.words import Say, log_it, require
from bvit_hw.errors import ConfigError
from bvit_hw.threads import usable_cores

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.graph.first_difference import Difference

#: cycles that a window around a difference begins before it, and goes on behind it
BEFORE, BEHIND = 200, 100


@dataclass(frozen=True, eq=False)
class Simulation:
    """A run of an accelerator's core, in clock cycles; made by :func:`simulate`.

    ``logits`` are N x classes, int64, as the RTL gave them, ``wanted`` the frozen network's. ``starts`` are the cycles
    in which each frame's first pixels were taken, ``ends`` those of its last logit. ``cycles_model`` is what the model
    says of a frame in steady state, ``cycles_per_frame`` what was counted (None: fewer than two frames).
    """

    logits: np.ndarray
    wanted: np.ndarray
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    cycles_model: int
    cycles_per_frame: float | None
    clock_mhz: float
    trace: Path | None = None

    @property
    def latency_cycles(self) -> int:
        """From the first frame's first pixels to its last logit, through an empty core."""
        return self.ends[0] - self.starts[0]

    @cached_property
    def equal_to_frozen(self) -> bool:
        """Whether every logit is the frozen network's."""
        import numpy as np

        return bool(np.array_equal(self.logits, self.wanted))

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw simulate --json` prints of it."""
        return {
            "frames": len(self.ends),
            "cycles_model": self.cycles_model,
            "cycles_per_frame": self.cycles_per_frame,
            "latency_cycles": self.latency_cycles,
            "clock_mhz": self.clock_mhz,
            "starts": list(self.starts),
            "ends": list(self.ends),
            "logits": self.logits.tolist(),
            "equal_to_frozen": self.equal_to_frozen,
            "trace": None if self.trace is None else str(self.trace),
        }

    def lines(self) -> list[str]:
        """What it shows, in words."""
        counted = "" if self.cycles_per_frame is None else f", {self.cycles_per_frame:,.1f} counted"
        equal = "all equal to the frozen network's" if self.equal_to_frozen else "NOT those of the frozen network"
        lines = [
            f"{len(self.ends)} frames; cycles a frame: {self.cycles_model:,} by the model{counted}; the first one took "
            f"{self.latency_cycles:,}",
            f"logits {equal}",
        ]
        return lines if self.trace is None else [*lines, f"waveforms: {self.trace}"]


@dataclass(frozen=True)
class Comparison:
    """Every value on every stream of an accelerator's core beside the frozen network's; made by :func:`compare`.

    ``streams`` were compared for ``frames`` images, of a single engine ``tensors`` in its memories (else None).
    ``difference`` is the first one in the order of the operators, of an engine in that of its commands (None: all are
    equal); ``stuck`` says where a core that got stuck waits (empty: it ended). The core was simulated in ``parts``.
    """

    streams: int
    frames: int
    difference: Difference | None
    stuck: str = ""
    tensors: int | None = None
    parts: int = 1

    @property
    def equal(self) -> bool:
        """Whether all values came, and were the frozen network's."""
        return self.difference is None and not self.stuck

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw simulate --compare --json` prints of it."""
        found = None if self.difference is None else vars(self.difference)
        return {
            "streams": self.streams,
            "tensors": self.tensors,
            "frames": self.frames,
            "stuck": self.stuck,
            "difference": found,
        }

    def lines(self) -> list[str]:
        """What it shows, in words."""
        found = self.difference
        lines = [self.stuck] if self.stuck else []
        if found is None:
            count = f"{self.frames} {'image' if self.frames == 1 else 'images'}"
            as_far = ", as far as the core came" if self.stuck else ""
            what = f"on {self.streams:,} streams" if self.tensors is None else f"in {self.tensors:,} tensors"
            return [*lines, f"RTL and frozen network are equal {what} for {count}{as_far}"]
        where = f"token {found.token}"
        if found.row is not None:
            where += f" (row {found.row}, column {found.column})"
        wanted = "no value there" if found.wanted is None else f"{found.wanted}"
        sender = f"of {found.operator} ({found.kind})" if found.operator else "(the core's input)"
        when = f"sent in cycle {found.cycle:,}, beat {found.beat} of the image, lane {found.lane}"
        if found.command is not None:
            when = f"in the engine's memory behind command {found.command:,}, which ended in cycle {found.cycle:,}"
        return [
            *lines,
            f"first difference: tensor {found.tensor} {sender}",
            f"  image {found.frame}, {where}, channel {found.channel}: RTL {found.found}, frozen network {wanted}",
            f"  {when}; {found.count:,} of {found.total:,} values of that tensor differ for that image",
        ]

    @property
    def window(self) -> tuple[int, int] | None:
        """Cycles around the difference that are worth a look: the first, and the one behind the last."""
        if self.difference is None:
            return None
        return max(0, self.difference.cycle - BEFORE), self.difference.cycle + BEHIND


def simulate(
    accelerator: Folded | Build | str | Path,
    images: np.ndarray | str | Path | None = None,
    *,
    frames: int | None = None,
    stalls: bool = False,
    trace: str | Path | None = None,
    cycles: tuple[int, int | None] = (0, None),
    operators: Sequence[str] = (),
    jobs: int | None = None,
    say: Say = log_it,
) -> Simulation:
    """Send ``images`` through the RTL of ``accelerator``: a build, its folder, or what :func:`bvit_hw.api.fold` gave.

    ``images`` are uint8, N x H x W x C, or pictures in a folder or file; by default the build's own. They are repeated
    to ``frames`` frames, back to back; with ``stalls`` source and sink hesitate at random, the same way in every run.
    FIFOs of a folded accelerator are sized first, which takes two simulations more.

    ``trace`` is a file of waveforms to write (.fst or .vcd): of ``cycles``, the first and the one behind the last
    (None: to the end), and of the named ``operators`` (none: of the whole core). Cycle n is at 10 n ns in it. A core of
    1,000 units or more is simulated in parts, and a waveform is of one of them: name operators of one part.

    Of a single engine's build, pictures go from DRAM to DRAM, one after another; with ``stalls`` DRAM is slow and
    hesitates. Cycles count from when the simulated device was made. A waveform is of the whole engine; ``operators``
    are nodes of the network then, of whose commands in the first frame it has the cycles.

    Raises LoweringError where the core gets stuck, naming its streams; ConfigError for images that do not fit, for an
    operator that there is not, and for operators of several parts; ToolError when Verilator or the compiler fails.
    """
    if trace is None and (operators or cycles != (0, None)):
        raise ConfigError("cycles and operators are those of a waveform: name its file by trace")
    if isinstance(engine := _engine(accelerator, jobs, say), EngineBuild):
        return _simulated_engine(engine, images, frames, stalls, trace, cycles, operators)
    core = simulated_core(accelerator, images, jobs, say)
    count = frames or len(core.images)
    if trace is None:
        run = core.run(count, stalls=stalls)
    else:
        from bvit_hw.flows.observed_sim import Trace

        names = core.named(operators)
        run = core.run(
            count, stalls=stalls, trace=Trace(path=Path(trace), first=cycles[0], end=cycles[1], operators=names)
        )
    import numpy as np

    logits = core.frozen_logits()
    return Simulation(
        logits=run.logits,
        wanted=logits[np.arange(count) % len(logits)],
        starts=run.starts,
        ends=run.ends,
        cycles_model=core.graph.cycles,
        cycles_per_frame=run.cycles_per_frame if count > 1 else None,
        clock_mhz=core.clock_mhz,
        trace=None if trace is None else Path(trace),
    )


def compare(
    accelerator: Folded | Build | str | Path,
    images: np.ndarray | str | Path | None = None,
    *,
    stalls: bool = False,
    jobs: int | None = None,
    say: Say = log_it,
) -> Comparison:
    """Find where the RTL of ``accelerator`` first differs from the frozen network: tensor, position, clock cycle.

    Every beat of every stream of the core is written down in simulation and compared with the frozen network's tensor
    of that name; streams that it does not name (forks, FIFOs, converters) with what follows from those. A core that
    gets stuck is compared as far as it came. Of a core in parts nothing is looked at behind the part that the first
    difference is in. Of a single engine's build, every tensor that lies in its memories is compared, behind the command
    that made it. Arguments and errors are those of :func:`simulate`.
    """
    if isinstance(engine := _engine(accelerator, jobs, say), EngineBuild):
        tensors, frames, difference, stuck = compare_engine(engine, engine.images(images), stalls=stalls)
        return Comparison(0, frames, difference, stuck, tensors)
    core = simulated_core(accelerator, images, jobs, say)
    streams, difference, stuck = core.compared(stalls=stalls)
    return Comparison(streams, len(core.images), difference, stuck, parts=core.parts)


def _engine(accelerator: Folded | Build | str | Path, jobs: int | None, say: Say) -> EngineBuild | None:
    """The build, where it is one of a single engine."""
    require(accelerator, (Folded, Build, str, Path), "an accelerator is a build, its folder, or what api.fold gives")
    if isinstance(accelerator, Folded):
        return None
    return EngineBuild.of(as_build(accelerator), jobs or min(usable_cores(), 4), say)


def _simulated_engine(
    engine: EngineBuild,
    images: np.ndarray | str | Path | None,
    frames: int | None,
    stalls: bool,
    trace: str | Path | None,
    cycles: tuple[int, int | None],
    operators: Sequence[str],
) -> Simulation:
    import numpy as np
    import torch

    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.flows.observed_sim import Trace

    chosen = engine.images(images)
    count = frames or len(chosen)
    turns = np.arange(count) % len(chosen)
    wanted = None if trace is None else Trace(path=Path(trace), first=cycles[0], end=cycles[1])
    run = engine.run(chosen[turns], stalls=stalls, trace=wanted, operators=operators)
    logits = FrozenBinaryViT(engine.build.frozen)(torch.from_numpy(chosen)).numpy()
    spent = [end - start for start, end in zip(run.starts, run.ends, strict=True)]
    return Simulation(
        logits=run.logits,
        wanted=np.asarray(logits, dtype=np.int64)[turns],
        starts=run.starts,
        ends=run.ends,
        cycles_model=engine.info.cycles_per_frame,
        cycles_per_frame=float(np.mean(spent)) if count > 1 else None,
        clock_mhz=engine.info.clock_mhz,
        trace=None if trace is None else Path(trace),
    )
