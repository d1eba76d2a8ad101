"""Simulation: images through an accelerator's RTL, waveforms of it, and where it differs from the frozen network.

What is simulated is the accelerator's core, cycle by cycle: its operators and FIFOs, without the frame guard and the
registers around them. Of a build it is the files in its folder `generate`, as they lie there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.builds import Build, as_build
from bvit_hw.api.hardware import Folded
from bvit_hw.api.pictures import checked_images
from bvit_hw.api.words import Say, log_it
from bvit_hw.errors import ConfigError, LoweringError
from bvit_hw.threads import usable_cores

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.contract import FrozenGraph
    from bvit_hw.flows.core_sim import CoreSimulator
    from bvit_hw.flows.observed_sim import ObservedSimulator
    from bvit_hw.graph.first_difference import Difference
    from bvit_hw.graph.hw_graph import HwGraph

#: images of a run where none are named
_FEW = 4
#: chances, of 256, with which source and sink take part in a cycle of a run with stalls
_HESITANT: dict[str, Any] = {"source_chance": 150, "sink_chance": 60, "seed": 7}
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

    ``streams`` were compared for ``frames`` images. ``difference`` is the first one in the order of the operators
    (None: all are equal); ``stuck`` says where a core that got stuck waits (empty: it ended).
    """

    streams: int
    frames: int
    difference: Difference | None
    stuck: str = ""

    @property
    def equal(self) -> bool:
        """Whether all values came, and were the frozen network's."""
        return self.difference is None and not self.stuck

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw simulate --compare --json` prints of it."""
        found = None if self.difference is None else vars(self.difference)
        return {"streams": self.streams, "frames": self.frames, "stuck": self.stuck, "difference": found}

    def lines(self) -> list[str]:
        """What it shows, in words."""
        found = self.difference
        lines = [self.stuck] if self.stuck else []
        if found is None:
            count = f"{self.frames} {'image' if self.frames == 1 else 'images'}"
            as_far = ", as far as the core came" if self.stuck else ""
            return [*lines, f"RTL and frozen network are equal on {self.streams:,} streams for {count}{as_far}"]
        where = f"token {found.token}"
        if found.row is not None:
            where += f" (row {found.row}, column {found.column})"
        wanted = "no value there" if found.wanted is None else f"{found.wanted}"
        sender = f"of {found.operator} ({found.kind})" if found.operator else "(the core's input)"
        return [
            *lines,
            f"first difference: tensor {found.tensor} {sender}",
            f"  image {found.frame}, {where}, channel {found.channel}: RTL {found.found}, frozen network {wanted}",
            f"  sent in cycle {found.cycle:,}, beat {found.beat} of the image, lane {found.lane}; {found.count:,} of "
            f"{found.total:,} values of that tensor differ for that image",
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
    (None: to the end), and of the named ``operators`` (none: of the whole core). Cycle n is at 10 n ns in it.

    Raises LoweringError where the core gets stuck, naming its streams, and for waveforms of one that is too large to be
    compiled as a whole; ConfigError for images that do not fit, for a single engine, and for an operator that there is
    not; ToolError when Verilator or the compiler fails.
    """
    core = _core(accelerator, images, jobs, say)
    count = frames or len(core.images)
    if trace is None and core.own is None:
        run = core.simulator(stalls)(core.graph, core.images, frames=count)
    else:
        from bvit_hw.flows.observed_sim import Trace
        from bvit_hw.flows.parts_sim import is_large

        wanted = None
        if trace is not None:
            names = core.named(operators)
            wanted = Trace(path=Path(trace), first=cycles[0], end=cycles[1], operators=names)
        if wanted is None and is_large(core.graph):
            run = core.simulator(stalls)(core.graph, core.images, frames=count)
        else:
            seen = core.observer(stalls).observe(core.graph, core.images, frames=count, trace=wanted)
            if seen.run is None:
                raise LoweringError(seen.stuck)
            run = seen.run
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
    gets stuck is compared as far as it came. Arguments and errors are those of :func:`simulate`.
    """
    from bvit_hw.graph.first_difference import first_difference, wanted_tensors

    core = _core(accelerator, images, jobs, say)
    seen = core.observer(stalls).observe(core.graph, core.images, frames=len(core.images), record=True)
    frozen = core.frozen_tensors()
    wanted = [
        wanted_tensors(core.graph, image, {name: value[number] for name, value in frozen.items()})
        for number, image in enumerate(core.images)
    ]
    found = first_difference(core.graph, seen.beats, wanted, core.network.tensors)
    return Comparison(len(seen.beats), len(core.images), found, seen.stuck)


@dataclass(frozen=True, eq=False)
class _Core:
    """What is simulated: a stitched graph, the images, the network it has to agree with, and a build's own files."""

    graph: HwGraph
    images: np.ndarray
    network: FrozenGraph
    clock_mhz: float
    own: Path | None
    jobs: int
    say: Say

    def simulator(self, stalls: bool) -> CoreSimulator:
        from bvit_hw.flows.parts_sim import core_simulator

        return core_simulator(self.graph, self.say, jobs=self.jobs, **(_HESITANT if stalls else {}))

    def observer(self, stalls: bool) -> ObservedSimulator:
        from bvit_hw.flows.observed_sim import ObservedSimulator

        plain = ObservedSimulator(own=self.own, jobs=self.jobs)
        return replace(plain, **_HESITANT) if stalls else plain

    def named(self, operators: Sequence[str]) -> tuple[str, ...]:
        """The operators as the graph calls them; ConfigError for one that there is not."""
        names = [node.name for node in self.graph.nodes]
        for operator in operators:
            if operator not in names:
                near = [name for name in names if operator.lower() in name.lower()] or names
                raise ConfigError(
                    f"--operator {operator}: no operator is called so; allowed: {', '.join(near[:12])}"
                    + (f" and {len(near) - 12} more" if len(near) > 12 else "")
                )
        return tuple(operators)

    def frozen_logits(self) -> np.ndarray:
        """Of the frozen network for the images: N x classes, int64."""
        import numpy as np
        import torch

        from bvit_hw.execute.frozen import FrozenBinaryViT

        found = FrozenBinaryViT(self.network)(torch.from_numpy(self.images)).numpy()
        return np.asarray(found, dtype=np.int64)

    def frozen_tensors(self) -> dict[str, np.ndarray]:
        """Of the frozen network for the images: by name, N x height x width x channels."""
        import torch

        from bvit_hw.execute.frozen import FrozenBinaryViT

        found = FrozenBinaryViT(self.network).trace(torch.from_numpy(self.images))
        return {name: value.numpy() for name, value in found.items()}


def _core(
    accelerator: Folded | Build | str | Path, images: np.ndarray | str | Path | None, jobs: int | None, say: Say
) -> _Core:
    count = jobs or min(usable_cores(), 4)
    if isinstance(accelerator, Folded):
        return _folded(accelerator, images, count, say)
    build = as_build(accelerator)
    return _built(build, images, count, say)


def _built(build: Build, images: np.ndarray | str | Path | None, jobs: int, say: Say) -> _Core:
    from bvit_hw.graph.file import load_graph
    from bvit_hw.pipeline.artefacts import GRAPH_FILE, PROGRAMME_FILE

    own = build.folder / "generate"
    if not (own / GRAPH_FILE).is_file():
        if (build.folder / "compile" / PROGRAMME_FILE).is_file():
            raise ConfigError(
                f"{build.folder}: is a single engine, whose core is no stream of operators; bvit-hw run simulates it"
            )
        raise ConfigError(f"{build.folder}: the build did not come as far as the step generate; there is no RTL")
    chosen = build.images() if images is None else checked_images(images, build.frozen, build.frozen_file)
    clock = 0.0 if build.report is None else build.report.clock_mhz
    return _Core(load_graph(own / GRAPH_FILE), chosen, build.frozen, clock, own, jobs, say)


def _folded(folded: Folded, images: np.ndarray | str | Path | None, jobs: int, say: Say) -> _Core:
    from bvit_hw.flows.parts_sim import core_simulator
    from bvit_hw.freeze import random_images
    from bvit_hw.graph.border import border_of
    from bvit_hw.graph.fifo_sizing import size_fifos, sizing_frames
    from bvit_hw.graph.stitch_plan import add_glue
    from bvit_hw.network_file import config_of
    from bvit_hw.pipeline.steps.generate import SIZING_IMAGES, rooms_of_core

    network = folded.network
    if images is None:
        chosen = random_images(config_of(network.graph.config, network.name), _FEW)
    else:
        chosen = checked_images(images, network.graph, network.source)
    sizing = chosen[:SIZING_IMAGES]
    glued = add_glue(folded.graph, image=sizing[0])
    border = border_of(folded.graph, folded.board.limits.bram18)
    sized = size_fifos(
        glued,
        core_simulator(glued, say, jobs=jobs),
        sizing,
        rooms=rooms_of_core(folded.board, border),
        frames=sizing_frames(folded.graph),
    )
    return _Core(sized.graph, chosen, network.graph, folded.board.clock_mhz, None, jobs, say)
