"""The step `timing`: how long the longest paths are, by estimate, beside what the clock leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bvit_hw.flows.sta import UnitTiming
from bvit_hw.flows.stitched_timing import Between, Link, StitchedTiming
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions

#: what the step `synthesize` leaves: timing of each unit, and whose it is where shapes were timed once
UNITS_FILE = "units.json"


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Estimate the longest path inside each operator, and between operators, with the border and all FIFOs.

    ``endangers`` are operators with a path that the clock leaves too little time, by the estimate.
    """
    found = json.loads((context.earlier["synthesize"] / UNITS_FILE).read_text())
    timings = {name: UnitTiming.read(data) for name, data in found["units"].items()}
    units = {name: timings[other] for name, other in found["timed_as"].items()}
    stitched = StitchedTiming(units, links_of(build.stitched))
    return estimate(
        context, build.options, units, between=stitched.paths(), ready_chain=stitched.ready_chain(),
        control_sets=sum(timing.control_sets for timing in units.values()),
    )  # fmt: skip


def links_of(graph: HwGraph) -> list[Link]:
    """The streams of a stitched graph, those of its border too."""
    return [
        Link(
            source=edge.source.name if edge.source else "border.guard", source_port=edge.source_port,
            sink=edge.sink.name if edge.sink else "border.logits", sink_port=edge.sink_port,
        )
        for edge in graph.edges()
    ]  # fmt: skip


def estimate(
    context: StepContext,
    options: BuildOptions,
    units: Mapping[str, UnitTiming],
    *,
    between: Sequence[Between],
    ready_chain: Sequence[str] = (),
    control_sets: int,
) -> Mapping[str, Any]:
    """The step's results, of ``units`` by name, and its file paths.json with the longest paths of all kinds.

    ``between`` has the longest path first.
    """
    clock_ns = 1e3 / options.clock_mhz
    inside = {name: timing.inside for name, timing in units.items() if timing.inside is not None}
    slow = {name: path.ns for name, path in inside.items() if path.ns > clock_ns}
    for path in between:
        if path.ns > clock_ns:
            slow[path.units[-1]] = max(path.ns, slow.get(path.units[-1], 0.0))
    slowest = max(inside, key=lambda name: inside[name].ns)
    enabled = max(units, key=lambda name: units[name].enable_fan_out)
    delays = options.board.target.delays
    assert delays is not None
    as_json = [{"ns": p.ns, "levels": p.levels, "units": list(p.units), "signal": p.signal} for p in between]
    rows = {name: {"ns": path.ns, "levels": path.levels, "begin": path.begin, "end": path.end}
            for name, path in inside.items()}  # fmt: skip
    write_json(context.folder / "paths.json", {"inside": rows, "between": as_json})
    return {
        "clock_ns": round(clock_ns, 3),
        "slowest": {"operator": slowest, **rows[slowest]},
        "between": as_json[0] if as_json else None,
        "endangers": dict(sorted(slow.items(), key=lambda item: -item[1])),
        "ready_chain": list(ready_chain),
        "enable": {"operator": enabled, "net": units[enabled].enable, "fan_out": units[enabled].enable_fan_out},
        "control_sets": control_sets,
        "control_sets_available": int(options.board.available.lut // delays.luts_per_control_set),
        "wire_ns": delays.wire,
        "wire_doubling_ns": delays.wire_doubling,
        "source": delays.source,
    }


def has_delays(options: BuildOptions) -> bool:
    """Whether the board's target knows delays."""
    return options.board.target.delays is not None


STEP = BuildStep(
    name="timing",
    title="timing: estimate before placement",
    run=run,
    after=("generate", "synthesize", "freeze", "lower", "fold", "checkpoint"),
    inputs=lambda options: {"clock_mhz": options.clock_mhz, "board": options.board.model_dump(mode="json")},
    code=("flows/stitched_timing.py",),
    wanted=has_delays,
    goes_with="synthesize",
)
