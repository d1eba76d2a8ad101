"""A build of a single engine, simulated and looked into: the engine's side of `simulate` and `compare`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.builds import Build
from bvit_hw.api.pictures import checked_images
from bvit_hw.api.words import Say
from bvit_hw.errors import ConfigError, LoweringError

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.engine.compiled import Compiled
    from bvit_hw.engine.config import EngineConfig
    from bvit_hw.flows.observed_engine import EngineRun, ObservedEngine
    from bvit_hw.flows.observed_sim import Trace
    from bvit_hw.graph.first_difference import Difference
    from bvit_hw.ops.base import IntArray
    from bvit_hw.runtime.model_info import ModelInfo

_INFO_TABLE = ("identity", "version", "address_bits")


@dataclass(frozen=True, eq=False)
class EngineBuild:
    """A finished build of a single engine, as it is simulated."""

    build: Build
    jobs: int
    say: Say

    @staticmethod
    def of(build: Build, jobs: int, say: Say) -> EngineBuild | None:
        """The build, where it is one of a single engine; ConfigError where it has no package yet."""
        from bvit_hw.pipeline.artefacts import PROGRAMME_FILE

        if not (build.folder / "compile" / PROGRAMME_FILE).is_file():
            return None
        if not (build.folder / "package" / "model.json").is_file():
            raise ConfigError(
                f"{build.folder}: the build of a single engine did not come as far as the step package; run it to there"
            )
        return EngineBuild(build, jobs, say)

    @property
    def programme(self) -> Path:
        """Its file."""
        from bvit_hw.pipeline.artefacts import PROGRAMME_FILE

        return self.build.folder / "compile" / PROGRAMME_FILE

    @cached_property
    def info(self) -> ModelInfo:
        """What the package says of engine and network."""
        from bvit_hw.runtime.errors import PackageError
        from bvit_hw.runtime.model_info import ModelInfo

        try:
            return ModelInfo.read(self.build.folder / "package" / "model.json")
        except PackageError as error:
            raise ConfigError(f"{error}; run bvit-hw build again") from error

    @cached_property
    def config(self) -> EngineConfig:
        """The engine."""
        from bvit_hw.engine.config import EngineConfig

        found = {k: int(v) for k, v in (self.info.engine or {}).items() if k not in _INFO_TABLE}
        return EngineConfig(**found)

    @cached_property
    def compiled(self) -> Compiled:
        """The network compiled again, to know which tile lies where when; ConfigError where that is another programme.

        It takes half a minute for a network of 224 x 224.
        """
        from bvit_hw.engine.compiler import compile_network
        from bvit_hw.engine.programme import load_programme

        self.say("compiling the network, to know which tensor lies where when")
        found = compile_network(self.build.frozen, self.config, fused=True)
        if found.programme.body != load_programme(self.programme, self.config).body:
            raise ConfigError(
                f"{self.programme}: is not what this version compiles of the build's network; run bvit-hw build again"
            )
        return found

    def images(self, images: np.ndarray | str | Path | None) -> np.ndarray:
        """Those that are named, or the package's test images."""
        if images is None:
            return self.build.images()
        return checked_images(images, self.build.frozen, self.build.frozen_file)

    def simulator(self, stalls: bool) -> ObservedEngine:
        """The simulation of the build's own RTL."""
        from bvit_hw.engine.cycles import HESITANT_DRAM
        from bvit_hw.flows.observed_engine import ObservedEngine
        from bvit_hw.pipeline.engine_steps.package import VLNV
        from bvit_hw.pipeline.steps.generate import TOP

        rtl = self.build.folder / "generate" / "rtl"
        found = re.search(r"\.USE_PRIMITIVES\((\d+)\)", (rtl / f"{TOP}.v").read_text())
        if found is None:
            raise ConfigError(f"{rtl / TOP}.v: has no parameter USE_PRIMITIVES; run bvit-hw build again")
        device: dict[str, Any] = {
            "top": TOP, "vlnv": VLNV, "clock_mhz": self.info.clock_mhz, "primitives": int(found[1]),
        }  # fmt: skip
        return ObservedEngine(
            config=self.config,
            programme=self.programme,
            model=self.build.folder / "package" / "model.json",
            device=device,
            own=rtl,
            hesitates=HESITANT_DRAM if stalls else None,
            jobs=self.jobs,
        )

    def run(
        self, images: np.ndarray, *, stalls: bool, trace: Trace | None, operators: Sequence[str]
    ) -> EngineRun:
        """Frames one after another; a waveform of operators is of the cycles of their commands in the first frame."""
        simulator, commands = self.simulator(stalls), self._commands()
        if trace is not None and operators:
            spans = [self._span(name) for name in operators]
            self.say("simulating the first frame, to know in which cycles those commands run")
            before = simulator.observe(images[:1], commands=commands)
            first, end = _cycles_of(spans, before)
            within = trace.first, trace.end or end
            trace = replace(trace, first=max(first, within[0]), end=min(end, within[1]), operators=())
        found = simulator.observe(images, commands=commands, trace=trace)
        if found.stuck:
            raise LoweringError(f"simulation: the engine got stuck: {found.stuck}")
        return found

    def _commands(self) -> int:
        from bvit_hw.engine.programme import load_programme

        return len(load_programme(self.programme, self.config).commands)

    def _span(self, name: str) -> tuple[int, int]:
        """The first command of a node's, and the one behind its last; ConfigError for one that there is not."""
        at, found, names = 0, [], []
        for end, node in self._nodes():
            names.append(node)
            if node == name:
                found += [at, end]
            at = end
        if not found:
            near = [node for node in dict.fromkeys(names) if name.lower() in node.lower()] or list(dict.fromkeys(names))
            raise ConfigError(f"--operator {name}: no node is called so; allowed: {', '.join(near[:12])}")
        return min(found), max(found)

    def _nodes(self) -> list[tuple[int, str]]:
        from bvit_hw.engine.programme import load_programme

        nodes: Any = load_programme(self.programme, self.config).facts["nodes"]
        return [(int(end), str(name)) for end, name in nodes]


def _cycles_of(spans: Sequence[tuple[int, int]], run: EngineRun) -> tuple[int, int]:
    """Of commands, from the first span's on to the last one's: the first cycle, and the one behind the last."""
    first, end = min(a for a, _ in spans), max(b for _, b in spans)
    ended = run.commands[0]
    before = [cycle for command, cycle in ended.items() if command < first]
    within = [cycle for command, cycle in ended.items() if command < end]
    return max(before, default=run.starts[0]), max(within) + 1


def compare_engine(
    engine: EngineBuild, images: np.ndarray, *, stalls: bool
) -> tuple[int, int, Difference | None, str]:
    """Every tile that lies in the engine's memories beside the frozen network's tensor of that name.

    How many tensors were compared, for how many frames; the first difference in the order of the commands, then of the
    frames; why the engine got stuck ("": it did not).
    """
    import torch

    from bvit_hw.execute.frozen import FrozenBinaryViT

    compiled, network = engine.compiled, engine.build.frozen
    places = compiled.places
    traced = FrozenBinaryViT(network).trace(torch.from_numpy(images))
    known = {name: value.numpy() for name, value in traced.items()}
    found: list[tuple[int, Difference]] = []

    def look(frame: int, tiles: list[IntArray | None]) -> None:
        told = _first_wrong(compiled, network.nodes, {name: x[frame] for name, x in known.items()}, tiles, frame)
        if told is not None:
            found.append(told)

    run = engine.simulator(stalls).observe(
        images, commands=len(compiled.programme.commands), places=places, each=look
    )
    best = min(found, key=lambda pair: (pair[0], pair[1].frame), default=None)
    difference = None
    if best is not None:
        difference = replace(best[1], cycle=run.commands[best[1].frame].get(places[best[0]].behind - 1, 0))
    else:
        # What was written out of the memories.
        import numpy as np

        wanted = np.asarray(FrozenBinaryViT(network)(torch.from_numpy(images)).numpy())[: len(run.logits)]
        if not np.array_equal(run.logits, wanted):
            difference = _wrong_logit(network.output, run, wanted)
    return len({made.name for made in places}), len(images), difference, run.stuck


def _first_wrong(
    compiled: Compiled,
    nodes: Sequence[Any],
    known: dict[str, np.ndarray],
    tiles: Sequence[IntArray | None],
    frame: int,
) -> tuple[int, Difference] | None:
    """The number of the first place whose tile differs in a frame, and how."""
    import numpy as np

    from bvit_hw.graph.first_difference import Difference

    first: tuple[int, Difference] | None = None
    wrong_values: dict[str, int] = {}
    kinds = {node.output: node.op for node in nodes}
    for number in sorted(range(len(compiled.places)), key=lambda n: compiled.places[n].behind):
        made, tile = compiled.places[number], tiles[number]
        if tile is None or (first is not None and made.name != first[1].tensor):
            continue
        x = known[made.name]
        _, columns, channels = x.shape
        start = made.first * columns
        right = x.reshape(-1, channels)[start : start + len(tile)].astype(np.int64)
        wrong = np.argwhere(tile != right)
        if not len(wrong):
            continue
        wrong_values[made.name] = wrong_values.get(made.name, 0) + len(wrong)
        if first is None:
            token, channel = (int(n) for n in wrong[0])
            place = start + token
            difference = Difference(
                tensor=made.name, operator=made.name, kind=kinds.get(made.name, "input"), frame=frame, token=place,
                row=place // columns, column=place % columns, channel=channel, found=int(tile[token, channel]),
                wanted=int(right[token, channel]), cycle=0, beat=0, lane=0, count=0, total=x.size,
                command=made.behind - 1,
            )  # fmt: skip
            first = number, difference
    if first is None:
        return None
    return first[0], replace(first[1], count=wrong_values[first[1].tensor])


def _wrong_logit(tensor: str, run: EngineRun, wanted: np.ndarray) -> Difference:
    """All tensors in the memories are right, and yet the logits in DRAM are not: the last STORE's fault."""
    import numpy as np

    from bvit_hw.graph.first_difference import Difference

    frame, channel = (int(n) for n in np.argwhere(run.logits != wanted)[0])
    last = max(run.commands[frame])
    return Difference(
        tensor=tensor, operator="output", kind="Store", frame=frame, token=0, row=0, column=0, channel=channel,
        found=int(run.logits[frame, channel]), wanted=int(wanted[frame, channel]), cycle=run.commands[frame][last],
        beat=0, lane=0, count=int(np.sum(run.logits[frame] != wanted[frame])), total=wanted.shape[1], command=last,
    )  # fmt: skip
