"""The later steps of a build: from a folded graph to a package and, where Vivado is, a bitstream."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bvit_hw.boards import Board
from bvit_hw.codegen.accelerator import OUTPUT_BITS, Accelerator, accelerator
from bvit_hw.codegen.stitch import Stitched, stitch
from bvit_hw.errors import LoweringError
from bvit_hw.finn.lower import load_hw_graph
from bvit_hw.flows import vivado
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.flows.device_model import build_device
from bvit_hw.flows.plain import vendor_copy
from bvit_hw.flows.vendor import flow_of
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import SynthJob, job_of, synthesize
from bvit_hw.graph.border import Border, border_of
from bvit_hw.graph.fifo_sizing import TOLERANCE, check_logits, size_fifos
from bvit_hw.graph.folding import fold
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_block_ram, with_depths
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.vendor_cells import with_vendor_cells
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.board_package import write_board_files
from bvit_hw.pipeline.engine import StepContext, StepNotRun
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.steps import accuracy_of, frozen_of, images_of, write_json
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.registers import VERSION_VALUE
from bvit_hw.sums import seal

TOP = "bvit_accelerator"
#: images that go into the package for the self-test on the board
PACKAGED_IMAGES = 32
SIZING_FRAMES = 16
#: share of the LUT budget that folding leaves alone: FIFO depths are found after it, and cost models err a little
FOLDING_MARGIN = 0.04
#: AXI4-Lite signals of the registers and their widths
_AXI_LITE_IN = {
    "awaddr": 12, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1,
    "araddr": 12, "arprot": 3, "arvalid": 1, "rready": 1,
}  # fmt: skip
_AXI_LITE_OUT = {
    "awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1,
}  # fmt: skip


def _lowered(context: StepContext) -> HwGraph:
    return load_hw_graph(context.earlier["lower"] / "hardware.onnx")


def folded_graph(context: StepContext, board: Board) -> HwGraph:
    """The graph of operators, folded as the step ``fold`` found, without glue."""
    graph = with_vendor_cells(_lowered(context), board)
    folding = json.loads((context.earlier["fold"] / "folding.json").read_text())
    return graph.with_ops({node.name: node.op.fold(**folding[node.name]) for node in graph.nodes})


def stitched_graph(context: StepContext, board: Board) -> HwGraph:
    """The graph with all its glue and the FIFO depths that the step ``generate`` found."""
    depths = json.loads((context.earlier["generate"] / "fifo_depths.json").read_text())
    folded = folded_graph(context, board)
    return with_block_ram(with_depths(add_glue(folded), depths), _core_bram18(folded, board))


def _core_bram18(graph: HwGraph, board: Board) -> float:
    """Halves of block RAM that the budget leaves beside the accelerator's border."""
    return board.limits.bram18 - border_of(graph, board.limits.bram18).resources.bram18


def run_fold(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Solve the folding for the board's budget, or for the frame rate asked for."""
    budget = options.board.budget
    reduced = budget.model_copy(update={"lut": budget.lut * (1 - FOLDING_MARGIN)})
    board = options.board.model_copy(update={"budget": reduced})
    lowered = _lowered(context)
    result = fold(with_vendor_cells(lowered, board), board, target_fps=options.target_fps)
    plain = {n.name: n.op.attributes() for n in lowered.nodes}
    folding = {
        n.name: {f: int(v) for f, v in n.op.attributes().items() if f in n.op.folding_fields or v != plain[n.name][f]}
        for n in result.graph.nodes
    }
    write_json(context.folder / "folding.json", folding)
    return {
        "cycles": result.cycles,
        "frames_per_second": options.clock_mhz * 1e6 / result.cycles,
        "limited_by": result.limited_by,
        "resources": asdict(result.resources),
        "budget": asdict(result.limits),
    }


def _top(context: StepContext, core: Stitched, border: Border) -> Accelerator:
    config = context.results["checkpoint"]["config"]
    frozen = context.results["freeze"]
    size = int(config["image_size"])
    return accelerator(
        core,
        name=TOP,
        model_hash=str(frozen["model_hash"]),
        image=(size, size, int(config["in_channels"])),
        border=border,
        logits_exponent=int(frozen["logits_exponent"]),
    )


def run_generate(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Size the FIFOs by simulating the real RTL, then write the accelerator: SystemVerilog, memories, file list."""
    images = images_of(context, options).images
    folded = folded_graph(context, options.board)
    simulate = CoreSimulator(jobs=options.jobs)
    context.progress(0, 3)
    sized = size_fifos(
        add_glue(folded), simulate, images[:4], bram18=_core_bram18(folded, options.board), frames=SIZING_FRAMES
    )
    context.progress(2, 3)
    write_json(context.folder / "fifo_depths.json", dict(sized.depths))
    core = stitch(sized.graph)
    top = _top(context, core, border_of(folded, options.board.limits.bram18))
    rtl = context.folder / "rtl"
    core.write(rtl, context.folder / "mem")
    top.write(rtl)
    models = context.folder / "sim"  # apart from what a vendor's tool is given
    models.mkdir()
    for names, target in ((top.library, rtl), (top.cell_models, models)):
        for source in source_paths(names):
            shutil.copyfile(source, target / source.name)
    files = [*top.library, f"{core.module}.sv", f"{top.module}.v"]
    synthesis = [f"rtl/{name}" for name in files]
    simulation = [*(f"sim/{name}" for name in top.cell_models), *synthesis]
    for listing, paths in (("files.f", synthesis), ("sim_files.f", simulation)):
        (context.folder / listing).write_text("".join(f"{path}\n" for path in paths))
    lint([context.folder / path for path in simulation], top.module)
    fifos = [node.op for node in sized.graph.fifos]
    bits = sum(op.fifo_depth * op.inputs[0].width for op in fifos)
    return {
        "top": top.module,
        "files": files,
        "input_bits": top.border.input_bits,
        "guard_depth": top.border.guard_depth,
        "fifos": len(fifos),
        "fifo_bits": bits,
        "sizing": {
            "cycles_model": folded.cycles,
            "cycles_simulated": sized.run.cycles_per_frame,
            "frames": SIZING_FRAMES,
        },
    }


def run_simulate(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Test images through the Verilated RTL, back to back and with stalls: logits bit for bit, cycles, latency."""
    import torch

    data = images_of(context, options)
    count = min(options.simulated_images, len(data.images))
    images, labels = data.images[:count], None if data.labels is None else data.labels[:count]
    graph = stitched_graph(context, options.board)
    wanted = frozen_of(context)(torch.from_numpy(images)).numpy().astype(np.int64)
    context.progress(0, 3)
    # Enough frames for a steady state, even where fewer images were asked for.
    frames = max(count, 8)
    run = CoreSimulator(jobs=options.jobs)(graph, images, frames=frames)
    check_logits(run, wanted)
    context.progress(1, 3)
    found, model = run.cycles_per_frame, graph.cycles
    if abs(found - model) > TOLERANCE * model:
        raise LoweringError(f"simulation: {found:.1f} cycles a frame, the model says {model}; allowed: 2 % apart")
    stalled = CoreSimulator(jobs=options.jobs, source_chance=150, sink_chance=60, seed=7)(graph, images, frames=count)
    check_logits(stalled, wanted)
    context.progress(2, 3)
    alone = CoreSimulator(jobs=options.jobs)(graph, images[:1], frames=1)
    np.savez(context.folder / "logits.npz", logits=run.logits[:count], **({} if labels is None else {"labels": labels}))
    return {
        "images": count,
        "rtl_accuracy": accuracy_of(run.logits[:count].argmax(axis=1), labels),
        "logits_equal_to_frozen": bool(np.array_equal(run.logits[:count], wanted)),
        "cycles_model": model,
        "cycles_simulated": found,
        "latency_cycles": alone.latency,
        "frames_with_stalls": count,
    }


def _border_jobs(top: Accelerator) -> list[SynthJob]:
    """The accelerator's border, counted like any operator: frame guard, registers, logits' end."""
    border = top.border
    events = ("frame_start", "frame_accepted", "frame_short", "frame_long", "packet_short")
    packet = ("packet_frames", 16)
    ends = ("frame_done", "output_stalled")
    return [
        SynthJob(
            name="border.guard",
            module="bvit_frame_guard",
            sources=tuple(source_paths(["bvit_frame_guard.sv"])),
            parameters={"W": border.input_bits, "BYTES": border.frame_bytes, "DEPTH": border.guard_depth},
            inputs={"s_axis": [border.input_bits]},
            outputs={"m_axis": [border.input_bits]},
            others=(
                ("input", "s_axis_tkeep", border.input_lanes),
                ("input", "s_axis_tlast", 1),
                ("input", *packet),
                *(("output", name, 1) for name in events),
            ),
        ),
        SynthJob(
            name="border.logits",
            module="bvit_logits_out",
            sources=tuple(source_paths(["bvit_fifo.sv", "bvit_logits_out.sv"])),
            parameters={"BITS": border.logit_bits, "CLASSES": border.classes, "W": OUTPUT_BITS},
            inputs={"s_axis": [border.logit_bits]},
            outputs={"m_axis": [OUTPUT_BITS]},
            others=(
                ("output", "m_axis_tkeep", OUTPUT_BITS // 8),
                ("output", "m_axis_tlast", 1),
                ("input", *packet),
                *(("output", name, 1) for name in ends),
            ),
        ),
        SynthJob(
            name="border.registers",
            module="bvit_axi_lite_regs",
            sources=tuple(source_paths(["bvit_axi_lite_regs.sv"])),
            parameters={"CLASSES": border.classes, "HASH": f"256'h{top.model_hash}"},
            inputs={},
            outputs={},
            others=(
                *(("input", f"s_axi_{name}", width) for name, width in _AXI_LITE_IN.items()),
                *(("output", f"s_axi_{name}", width) for name, width in _AXI_LITE_OUT.items()),
                ("output", "datapath_rst", 1),
                ("output", *packet),
                *(("input", name, 1) for name in (*events, *ends)),
            ),
        ),
    ]


def run_synthesize(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Count LUTs, flip-flops, block RAMs and DSPs of every operator with Yosys."""
    graph = stitched_graph(context, options.board)
    jobs = [job_of(node.name, node.op, node.params) for node in graph.nodes]
    border = border_of(graph, options.board.limits.bram18)
    jobs += _border_jobs(_top(context, stitch(graph), border))
    counts = synthesize(
        jobs,
        target=options.board.target,
        work=context.folder / "yosys",
        processes=options.jobs,
        progress=context.progress,
    )
    shutil.rmtree(context.folder / "yosys", ignore_errors=True)
    total = sum(counts.values(), Resources())
    predicted = graph.resources() + border.resources
    write_json(context.folder / "resources.json", {name: asdict(r) for name, r in counts.items()})
    return {"total": asdict(total), "predicted": asdict(predicted)}


def run_package(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Everything that goes to Vivado and to the board in one folder."""
    import torch

    folder = context.folder
    generated = context.results["generate"]
    source = context.earlier["generate"]
    (folder / "ip").mkdir()
    for name in generated["files"]:
        shutil.copyfile(source / "rtl" / name, folder / "ip" / name)
    shutil.copytree(source / "mem", folder / "ip" / "mem")
    if "hls" in context.earlier:
        shutil.copytree(context.earlier["hls"], folder / "hls")
    frozen = context.results["freeze"]
    contents = vivado.IpContents(
        top=str(generated["top"]),
        sources=tuple(generated["files"]),
        model_hash=str(frozen["model_hash"]),
        input_bits=int(generated["input_bits"]),
        output_bits=OUTPUT_BITS,
    )
    flow = flow_of(options.board)
    flow.write(folder, options.board, options.clock_mhz, contents, jobs=options.jobs)
    data = images_of(context, options)
    config = context.results["checkpoint"]["config"]
    size = int(config["image_size"])
    info = ModelInfo(
        model_hash=str(frozen["model_hash"]),
        height=size,
        width=size,
        channels=int(config["in_channels"]),
        classes=int(config["classes"]),
        logits_exponent=int(frozen["logits_exponent"]),
        class_names=data.class_names,
        clock_mhz=options.clock_mhz,
        interface_version=VERSION_VALUE,
        cycles_per_frame=int(generated["sizing"]["cycles_model"]),
        board=options.board.name,
        preprocessing=context.results["checkpoint"]["preprocessing"],
        name=options.model_name,
    )
    images = data.images[:PACKAGED_IMAGES]
    write_board_files(
        folder,
        info=info,
        title=options.board.title,
        frozen=context.earlier["freeze"] / "frozen.safetensors",
        images=images,
        labels=None if data.labels is None else data.labels[: len(images)],
        logits=frozen_of(context)(torch.from_numpy(images)).numpy().astype(np.int32),
    )
    context.progress(1, 2)
    if options.simulated_device:
        build_device(
            folder / "sim",
            top=str(generated["top"]),
            sources=[source / line for line in (source / "sim_files.f").read_text().split()],
            memories=source / "mem",
            input_bits=int(generated["input_bits"]),
            clock_mhz=options.clock_mhz,
            vlnv=f"{vivado.VENDOR}:{vivado.LIBRARY}:{generated['top']}:{vivado.IP_VERSION}",
            jobs=options.jobs,
        )
    seal(folder)
    files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
    return {"files": len(files), "bitstream_command": flow.command, "bitstream_files": list(flow.results)}


def run_bitstream(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Run Vivado, or v++ for an Alveo card, where it is; otherwise say so."""
    work, flow = context.folder / "vendor", flow_of(options.board)
    if flow.path() is None:
        raise StepNotRun(flow.missing)
    with vendor_copy(context.earlier["package"], work) as place:
        names = flow.build(place)
    implementation = flow.implementation(work)
    for name in (*names.values(), *flow.kept):
        (work / name).rename(context.folder / name)
    shutil.rmtree(work)
    return {**names, "implementation": implementation}
