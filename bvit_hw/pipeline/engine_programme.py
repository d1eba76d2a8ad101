"""A network as a programme that a driver can load: what the file says of it, and where a frame's cycles go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.header import model_hash
from bvit_hw.data.record import DataRecord
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES, Clock, Cycles, frame_cycles
from bvit_hw.engine.programme import Programme


def network_programme(
    graph: FrozenGraph, compiled: Compiled, config: EngineConfig, *, name: str, record: DataRecord
) -> Programme:
    """The programme with all facts that the driver reads; ``name`` is what people call the network."""
    facts = {
        "network": name,
        "model_hash": model_hash(graph),
        "class_names": record.class_names,
        "logits_exponent": graph.tensors[graph.output].exponent,
        "preprocessing": record.preprocessing.as_json(),
        "cycles": frame_cycles(config, RULES, compiled.programme.commands),
        "nodes": stretches(compiled.tasks),
        **compiled.facts,
    }
    known = {key: value for key, value in facts.items() if value is not None}
    return replace(compiled.programme, facts=known)


def stretches(tasks: Sequence[tuple[int, str]]) -> list[list[object]]:
    """Behind how many commands each node's tasks end, neighbours of the same node together."""
    found: list[list[object]] = []
    for end, name in tasks:
        if found and found[-1][1] == name:
            found[-1][0] = end
        else:
            found.append([end, name])
    return found


@dataclass(frozen=True)
class PartCycles:
    """A part of the network by the model of cycles: ``takes`` of a frame, and what would go into what by itself."""

    name: str
    takes: int
    spent: Cycles


def part_cycles(compiled: Compiled, config: EngineConfig) -> list[PartCycles]:
    """By stem, blocks and head, as they begin."""
    clock, at, takes, spent = Clock(config, RULES), 0, Counter[str](), dict[str, Cycles]()
    commands = compiled.programme.commands
    for end, name in [*compiled.tasks, (len(commands), "output")]:
        part, before = name.split(".")[0], clock.spent
        takes[part] += clock.run(commands[at:end])
        spent[part] = spent.get(part, Cycles()) + _less(clock.spent, before)
        at = max(at, end)
    return [PartCycles(part, takes[part], spent[part]) for part in spent]


def _less(a: Cycles, b: Cycles) -> Cycles:
    return Cycles(
        a.computing - b.computing, a.filling - b.filling, a.loading - b.loading, a.fetching - b.fetching
    )
