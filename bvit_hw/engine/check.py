"""A compiled network carried out by the golden machine: what comes out must be what the contract says."""

from __future__ import annotations

import numpy as np

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.reference import Reference
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import Machine
from bvit_hw.errors import LoweringError


def check_programme(graph: FrozenGraph, compiled: Compiled, config: EngineConfig, seed: int = 1) -> None:
    """Raise LoweringError where the logits of a picture of noise are not those of the network."""
    image = np.random.default_rng(seed).integers(0, 256, compiled.picture, dtype=np.uint8)
    programme = compiled.programme
    machine = Machine(config, programme.body, compiled.frame(image), programme.output_bytes)
    for command in programme.commands:
        machine.run(command)
    given, wanted = compiled.logits(machine.output), Reference(graph).logits_int(image[None])[0]
    if not np.array_equal(given, wanted):
        wrong = int(np.argmax(given != wanted))
        raise LoweringError(
            f"engine: the compiled programme gives {given[wrong]} for class {wrong} of a picture of noise, the frozen "
            f"network {wanted[wrong]}: a fault of the compiler; please report it with the network's file"
        )
