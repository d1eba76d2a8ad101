"""The stitched accelerator core: one SystemVerilog module that only instantiates units of rtl/, and their memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.codegen.names import identifiers
from bvit_hw.disk import write_aside
from bvit_hw.errors import LoweringError
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import Memory, Stream, packed
from bvit_hw.templates import templates

TEMPLATES = templates("bvit_hw.codegen")


@dataclass(frozen=True, kw_only=True)
class Stitched:
    """The generated core: its module's name and text, the library files it needs in compile order, its memories.

    ``cell_models`` are files of the library that only simulation and lint read, before all others.
    ``memories`` are by file name; the text names them without a folder. ``depths`` maps a FIFO's name to the
    module's parameter for its depth. ``input`` and ``output`` are the streams at its border. ``streams`` and ``units``
    are the identifiers in the text of tensors and of operators, by their names.
    """

    module: str
    text: str
    library: tuple[str, ...]
    cell_models: tuple[str, ...]
    memories: Mapping[str, Memory]
    depths: Mapping[str, str]
    input: Stream
    output: Stream
    cycles: int
    streams: Mapping[str, str]
    units: Mapping[str, str]

    def write(self, folder: Path, memory_folder: Path) -> Path:
        """Write the module into ``folder`` and the memories into ``memory_folder``; returns the module's path."""
        folder.mkdir(parents=True, exist_ok=True)
        write_memories(self.memories, memory_folder)
        path = folder / f"{self.module}.sv"
        write_aside(path, self.text)
        return path


def write_memories(memories: Mapping[str, Memory], folder: Path) -> None:
    """Write every memory under its name into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, memory in memories.items():
        memory.write(folder / name)


def library_files(graph: HwGraph) -> tuple[str, ...]:
    """Files of rtl/ that the graph's operators need, each once, every file after those that it needs."""
    return tuple(dict.fromkeys(name for node in graph.nodes for name in node.op.sources))


def cell_models(graph: HwGraph) -> tuple[str, ...]:
    """Files of rtl/ that model the vendor's cells which :func:`library_files` instantiate, each once."""
    return tuple(dict.fromkeys(name for node in graph.nodes for name in node.op.cell_models))


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(int(value))


def _signals(streams: Sequence[str], *, data: bool) -> dict[str, str]:
    """What goes to a port's signals, by their names: tdata, tvalid, tready. Without ``data`` tdata is left open."""
    found = {name: packed([f"{stream}_{name}" for stream in streams]) for name in ("tdata", "tvalid", "tready")}
    return found if data else found | {"tdata": ""}


def stitch(graph: HwGraph, *, timing_only: bool = False) -> Stitched:
    """The core of a graph with all its glue; raises LoweringError where a stream has not one end each side.

    With ``timing_only`` every beat between operators is 0: a core for a simulation that asks when beats move, which no
    operator lets depend on what is in them. Verilator drops what computes them, most of the core.
    """
    graph.check(stitched=True)
    edges = graph.edges()
    tensors = [edge.tensor for edge in edges]
    stream_ids = identifiers(tensors, "s_")
    unit_ids = identifiers([node.name for node in graph.nodes], "u_")
    streams = [{"name": e.tensor, "id": stream_ids[e.tensor], "width": e.source_stream.width} for e in edges]
    instances: list[dict[str, object]] = []
    fifos: list[dict[str, object]] = []
    memories: dict[str, Memory] = {}
    for node in graph.nodes:
        rtl = node.op.rtl(node.params)
        identifier = unit_ids[node.name]
        parameters: list[tuple[str, str]] = [(name, _literal(value)) for name, value in rtl.parameters.items()]
        for name, memory in rtl.memories.items():
            file = f"{identifier.removeprefix('u_')}_{name.lower().removesuffix('_file')}.mem"
            if file in memories:
                raise LoweringError(f"{node.name}: memory file {file} belongs to another operator already")
            memories[file] = memory
            parameters.append((name, _literal(file)))
        if node.op.fifo_depth:
            parameter = f"DEPTH_{identifier.removeprefix('u_')}"
            depth = int(rtl.parameters["DEPTH"])
            parameters = [(name, parameter if name == "DEPTH" else value) for name, value in parameters]
            entry = {"name": node.name, "id": identifier, "parameter": parameter, "depth": depth}
            fifos.append({**entry, "input": stream_ids[node.inputs[0]]})
        ports = rtl.ports([stream_ids[t] for t in node.inputs], [stream_ids[t] for t in node.outputs])
        instances.append(
            {
                "module": rtl.module,
                "id": identifier,
                "parameters": parameters,
                "ports": [
                    (prefix, _signals(streams, data=not timing_only or prefix in rtl.inputs))
                    for prefix, streams in ports.items()
                ],
                "unused": rtl.unused_inputs,
            }
        )
    if not fifos:
        raise LoweringError(f"graph {graph.name}: has no FIFOs; insert_fifos must run before code generation")
    module = f"{graph.name}_core"
    text = TEMPLATES.get_template("core.sv.j2").render(
        core=module,
        version=__version__,
        instances=instances,
        fifos=fifos,
        streams=streams,
        cycles=graph.cycles,
        input=edges[0].sink_stream,
        output=_output_stream(graph),
        input_id=stream_ids[graph.input],
        output_id=stream_ids[graph.output],
        timing_only=timing_only,
    )
    return Stitched(
        module=module,
        text=text,
        library=library_files(graph),
        cell_models=cell_models(graph),
        memories=memories,
        depths={str(fifo["name"]): str(fifo["parameter"]) for fifo in fifos},
        input=edges[0].sink_stream,
        output=_output_stream(graph),
        cycles=graph.cycles,
        streams=stream_ids,
        units=unit_ids,
    )


def _output_stream(graph: HwGraph) -> Stream:
    node, port = graph.producers()[graph.output]
    return node.op.outputs[port]
