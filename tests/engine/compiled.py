"""A compiled network carried out by the golden machine, from the file of its programme, on memories full of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.reference import Reference
from bvit_hw.engine.commands import Command
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Bits
from bvit_hw.engine.machine import Machine
from bvit_hw.engine.programme import load_programme, save_programme

#: no integer of a tensor
NEVER = 1 << 40


@dataclass(frozen=True)
class Found:
    """What the machine gave beside what the contract gives: by tensor's name, tokens x channels."""

    given: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]
    logits: np.ndarray

    @property
    def wrong(self) -> list[str]:
        """Names of tensors that differ, in their order."""
        return [name for name, x in self.given.items() if not np.array_equal(x, self.wanted[name])]


def carry_out(
    graph: FrozenGraph, compiled: Compiled, config: EngineConfig, folder: Path, image: np.ndarray,
    kept: Callable[[int, Command], bool] = lambda index, command: True,
) -> Found:  # fmt: skip
    """Every tensor is read behind the command that finishes it; of the commands those ``kept`` are run."""
    save_programme(compiled.programme, config, folder / "network.prog")
    programme = load_programme(folder / "network.prog", config)
    machine = Machine(config, programme.body, compiled.frame(image), programme.output_bytes)
    rng = np.random.default_rng(1)
    for memory, top in ((machine.bits, 2), (machine.values, 256), (machine.weights, 2)):
        memory[:] = rng.integers(0, top, memory.shape)
    tensors = Reference(graph).tensors(image[None], list(graph.tensors))
    wanted = {name: x[0].reshape(-1, x.shape[-1]) for name, x in tensors.items()}
    given: dict[str, np.ndarray] = {}
    done = 0

    def run(commands: Iterable[tuple[int, Command]]) -> None:
        for index, command in commands:
            if kept(index, command):
                machine.run(command)

    numbered = list(enumerate(programme.commands))
    for made in compiled.places:
        run(numbered[done : made.behind])
        done = made.behind
        found = made.place.read(machine.bits if isinstance(made.place, Bits) else machine.values)
        # What is never made stays beyond all integers; what is made twice must be right both times.
        whole = given.setdefault(made.name, np.full(wanted[made.name].shape, NEVER))
        start = made.first * graph.tensors[made.name].width
        before = whole[start : start + len(found)]
        whole[start : start + len(found)] = np.where((before == NEVER) | (before == found), found, NEVER)
    run(numbered[done:])
    return Found(given, {name: wanted[name] for name in given}, compiled.logits(machine.output))
