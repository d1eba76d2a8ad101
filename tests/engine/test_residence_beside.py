"""LOADs that need not wait may come before the command that is being carried out, and all is as before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bvit_hw.engine.commands import Command, Kind, Memory
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import Machine
from tests.engine.test_compiler import network


def moved_forward(commands: Sequence[Command]) -> tuple[list[Command], int]:
    """LOADs in front of the command that they may be carried out beside; how many these are."""
    found: list[Command] = []
    count, at, waits = 0, None, False
    for command in commands:
        beside = (
            command.kind == Kind.LOAD and not command.wait and command.memory != Memory.BITS
            and at is not None and not waits and found[at].kind not in (Kind.KEYS, Kind.VALUES)
        )  # fmt: skip
        if beside and at is not None:
            found.insert(at, command)
            at, count = at + 1, count + 1
            continue
        if command.kind in (Kind.LOAD, Kind.STORE):
            # They come one after another: what follows one that waits is late as well.
            waits = True
        else:
            at, waits = len(found), False
        found.append(command)
    return found, count


@pytest.mark.parametrize("name", ["tiny-digits", "three-stages", "class-token"])
@pytest.mark.parametrize("config", [EngineConfig(), EngineConfig(tokens=4, rows=16, params=64, weights=128, taps=64)],
                         ids=["pynq-z2", "shallow"])  # fmt: skip
def test_loads_may_run_beside_the_command_in_front(name: str, config: EngineConfig) -> None:
    graph, image = network(name)
    compiled = compile_network(graph, config, fused=True)
    programme = compiled.programme
    reordered, count = moved_forward(programme.commands)
    assert count > len(programme.commands) // 20
    # The class token's network has so little to load that none has to wait.
    assert any(command.wait for command in programme.commands) or config.params > 64 or name == "class-token"
    outputs = []
    for commands in (programme.commands, reordered):
        machine = Machine(config, programme.body, compiled.frame(image), programme.output_bytes)
        for command in commands:
            machine.run(command)
        outputs.append(machine.output)
    assert np.array_equal(*outputs)
