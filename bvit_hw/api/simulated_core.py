"""The core of a streaming accelerator as it is simulated: a build's own files, or what was folded a moment ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bvit_hw.api.builds import Build, as_build
from bvit_hw.api.hardware import Folded
from bvit_hw.api.pictures import checked_images
from bvit_hw.api.words import Say
from bvit_hw.errors import ConfigError, LoweringError
from bvit_hw.threads import usable_cores

if TYPE_CHECKING:
    from bvit_hw.contract import FrozenGraph
    from bvit_hw.flows.observed_parts import ObservedParts
    from bvit_hw.flows.observed_sim import ObservedSimulator, Trace
    from bvit_hw.graph.fifo_sizing import CoreRun
    from bvit_hw.graph.first_difference import Difference
    from bvit_hw.graph.hw_graph import HwGraph

#: images of a run where none are named
_FEW = 4


@dataclass(frozen=True, eq=False)
class SimulatedCore:
    """What is simulated: a stitched graph, the images, the network it has to agree with, and a build's own files."""

    graph: HwGraph
    images: np.ndarray
    network: FrozenGraph
    clock_mhz: float
    own: Path | None
    jobs: int
    say: Say

    @cached_property
    def parts(self) -> int:
        """In how many parts it is simulated when it is looked into."""
        from bvit_hw.flows.parts_sim import is_large
        from bvit_hw.graph.segments import segments

        return len(segments(self.graph)) if is_large(self.graph) else 1

    def run(self, frames: int, *, stalls: bool, trace: Trace | None = None) -> CoreRun:
        """The images, repeated to ``frames``; a build's own files, and waveforms of them."""
        from bvit_hw.flows.core_sim import HESITANT
        from bvit_hw.flows.parts_sim import core_simulator, is_large

        how = HESITANT if stalls else {}
        if trace is None and self.own is None:
            return core_simulator(self.graph, self.say, jobs=self.jobs, **how)(self.graph, self.images, frames=frames)
        if not is_large(self.graph):
            seen = self._observer(stalls).observe(self.graph, self.images, frames=frames, trace=trace)
            run, stuck = seen.run, seen.stuck
        elif trace is None:
            return self._parts(stalls)(self.graph, self.images, frames=frames)
        else:
            wanted = self._part(trace.operators)
            with self._parts(stalls).recorded(self.graph, self.images, frames) as recording:
                self.say("running the part anew, for its waveforms")
                recording.trace(wanted, trace)
                run, stuck = recording.run, recording.stuck
        if run is None:
            raise LoweringError(stuck)
        return run

    def compared(self, *, stalls: bool) -> tuple[int, Difference | None, str]:
        """How many streams were compared, the first difference, and where a core that got stuck waits."""
        from bvit_hw.flows.parts_sim import is_large
        from bvit_hw.graph.first_difference import first_difference, wanted_tensors

        frozen = self.frozen_tensors()
        named = [{name: value[number] for name, value in frozen.items()} for number in range(len(self.images))]
        if not is_large(self.graph):
            seen = self._observer(stalls).observe(self.graph, self.images, frames=len(self.images), record=True)
            wanted = [wanted_tensors(self.graph, *pair) for pair in zip(self.images, named, strict=True)]
            return len(seen.beats), first_difference(self.graph, seen.beats, wanted, self.network.tensors), seen.stuck
        streams, carried = 0, [np.asarray(image) for image in self.images]
        with self._parts(stalls).recorded(self.graph, self.images, len(self.images)) as recording:
            for number in range(len(recording.parts)):
                self.say(f"part {number + 1} of {len(recording.parts)}: running it anew, every beat written down")
                graph = recording.whole(number)
                wanted = [wanted_tensors(graph, *pair) for pair in zip(carried, named, strict=True)]
                beats = recording.beats(number)
                # What crosses from part to part counts once.
                streams += len(beats) - (number > 0)
                found = first_difference(graph, beats, wanted, self.network.tensors)
                if found is not None:
                    return streams, found, recording.stuck
                carried = [values[graph.output] for values in wanted]
            return streams, None, recording.stuck

    def _parts(self, stalls: bool) -> ObservedParts:
        from bvit_hw.flows.core_sim import HESITANT
        from bvit_hw.flows.observed_parts import ObservedParts

        return ObservedParts(own=self.own, jobs=self.jobs, tell=self.say, **(HESITANT if stalls else {}))

    def _part(self, operators: Sequence[str]) -> int:
        """The part that all operators are in; ConfigError where there is none such."""
        from bvit_hw.graph.segments import segments

        places = {node.name: n for n, node in enumerate(self.graph.nodes)}
        ends, end = [], 0
        for part in segments(self.graph):
            end += len(part.graph.nodes)
            ends.append(end)
        found = {name: next(n for n, behind in enumerate(ends) if places[name] < behind) for name in operators}
        numbers = set(found.values())
        if len(numbers) == 1:
            return numbers.pop()
        said = ", ".join(f"{name} is in part {number}" for name, number in found.items())
        raise ConfigError(
            f"--trace: the core has {len(self.graph.nodes):,} units and is simulated in {len(ends)} parts; a waveform "
            f"is of one of them: name operators of one part by --operator{f'; {said}' if said else ''}"
        )

    def _observer(self, stalls: bool) -> ObservedSimulator:
        from bvit_hw.flows.core_sim import HESITANT
        from bvit_hw.flows.observed_sim import ObservedSimulator

        return ObservedSimulator(own=self.own, jobs=self.jobs, **(HESITANT if stalls else {}))

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


def simulated_core(
    accelerator: Folded | Build | str | Path, images: np.ndarray | str | Path | None, jobs: int | None, say: Say
) -> SimulatedCore:
    """The core of what a build left, or of a folded accelerator, whose FIFOs are sized now."""
    count = jobs or min(usable_cores(), 4)
    if isinstance(accelerator, Folded):
        return _folded(accelerator, images, count, say)
    build = as_build(accelerator)
    return _built(build, images, count, say)


def _built(build: Build, images: np.ndarray | str | Path | None, jobs: int, say: Say) -> SimulatedCore:
    from bvit_hw.graph.file import load_graph
    from bvit_hw.pipeline.artefacts import GRAPH_FILE

    own = build.folder / "generate"
    if not (own / GRAPH_FILE).is_file():
        raise ConfigError(f"{build.folder}: the build did not come as far as the step generate; there is no RTL")
    chosen = build.images() if images is None else checked_images(images, build.frozen, build.frozen_file)
    clock = 0.0 if build.report is None else build.report.clock_mhz
    return SimulatedCore(load_graph(own / GRAPH_FILE), chosen, build.frozen, clock, own, jobs, say)


def _folded(folded: Folded, images: np.ndarray | str | Path | None, jobs: int, say: Say) -> SimulatedCore:
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
    glued = add_glue(folded.graph, image=sizing[0], clock_mhz=folded.board.clock_mhz)
    border = border_of(folded.graph, folded.board.limits.bram18)
    sized = size_fifos(
        glued,
        core_simulator(glued, say, jobs=jobs),
        sizing,
        rooms=rooms_of_core(folded.board, border),
        clock_mhz=folded.board.clock_mhz,
        frames=sizing_frames(folded.graph),
    )
    return SimulatedCore(sized.graph, chosen, network.graph, folded.board.clock_mhz, None, jobs, say)
