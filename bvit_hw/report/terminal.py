"""The compact table that a build prints on stdout."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bvit_hw.report.engine import EngineRun
from bvit_hw.report.model import Report


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2%}"


def print_report(report: Report, console: Console) -> None:
    """Print frame rate, accuracy three times, resources against the budget, and what became of each step."""
    a = report.accuracy
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_row("board", Text(f"{report.board_title}, {report.part}"))
    head.add_row("clock", Text(f"{report.clock_mhz:g} MHz ({report.clock_note})"))
    for name, value in report.summary().items():
        head.add_row(name, Text(value))
    if report.architecture_note:
        head.add_row("architecture", Text(f"{report.architecture}: {report.architecture_note}"))
    head.add_row("limited by", Text(report.limited_by))
    if a.not_measured:
        head.add_row("accuracy", Text(f"not measured: {a.not_measured}"))
        head.add_row("", Text(f"QAT {a.record}"))
    else:
        both = f"frozen {_share(a.frozen)}" if a.qat is None else f"QAT {_share(a.qat)}, frozen {_share(a.frozen)}"
        head.add_row("accuracy", Text(f"{both} on {a.images} images of {a.data}"))
        if a.qat is None:
            head.add_row("", Text(f"QAT {a.record}; the build began with a frozen network"))
    equal = {True: "logits equal to frozen", False: "LOGITS DIFFER FROM FROZEN", None: ""}[a.rtl_equal_to_frozen]
    for note in a.notes:
        head.add_row("", Text(note))
    simulated = f"{a.rtl_images} {a.data}" if a.not_measured else f"{a.rtl_images} of them"
    ran = f"{_share(a.rtl)} on {simulated}; {equal}" if a.rtl_images else "not simulated"
    head.add_row("", Text(f"RTL {ran}"))
    console.print(head)

    table = Table(box=None, pad_edge=False)
    for heading in ("resource", "model", "Yosys", "budget", "on chip"):
        first = heading == "resource"
        table.add_column(heading, justify="left" if first else "right", overflow="fold", min_width=8 if first else None)
    for name, r in report.resources.items():
        if r.available:
            synthesized = "not run" if r.synthesized is None else f"{r.synthesized:,.0f}"
            over = " !" if r.used > r.budget else ""
            table.add_row(name, r.predicted, synthesized + over, f"{r.budget:,.0f}", f"{r.available:,.0f}")
    console.print(table)
    if report.synthesis_note:
        console.print(f"  {report.synthesis_note}", markup=False)

    if report.timing is not None:
        console.print("timing, estimated before placement")
        for line in report.timing.lines:
            console.print(f"  {line}", markup=False)

    if report.engine is not None:
        _print_engine(report.engine, console)

    if report.fifo_memory:
        memories = Table(box=None, pad_edge=False)
        for heading in ("FIFOs in", "FIFOs", "bits", "model", "Yosys"):
            first = heading == "FIFOs in"
            memories.add_column(
                heading, justify="left" if first else "right", overflow="fold", min_width=9 if first else None
            )
        for m in report.fifo_memory:
            synthesized = "not run" if m.synthesized is None else f"{m.synthesized:,.0f}"
            taken = (f"{m.model:,.0f} {m.resource}", synthesized)
            memories.add_row(m.kind, f"{m.fifos:,}", f"{m.bits:,}", *taken)
        console.print(memories)

    if len(report.dies) > 1:
        dies = Table(box=None, pad_edge=False)
        kinds = [kind for kind in report.resources if any(die.resources[kind].budget for die in report.dies)]
        dies.add_column("die", overflow="fold", min_width=4)
        for heading in ("operators", *kinds):
            dies.add_column(heading, justify="right", overflow="fold")
        for die in report.dies:
            taken = [die.resources[kind] for kind in kinds]
            shares = [f"{r.used / r.budget:.0%}" + " !" * (r.used > r.budget) for r in taken]
            dies.add_row(die.name, f"{die.operators}", *shares)
        console.print(dies)
        console.print("  of what an accelerator may take of each die", markup=False)

    steps = Table(box=None, pad_edge=False)
    for heading in ("step", "status", "seconds"):
        steps.add_column(heading, justify="right" if heading == "seconds" else "left", overflow="fold")
    for step in report.steps:
        if step.status == "left out":
            steps.add_row(step.name, Text(f"left out ({step.note})"), "")
        else:
            steps.add_row(step.name, step.status, f"{step.seconds:.1f}")
    console.print(steps)
    if report.graphs:
        console.print(f"graphs for Netron: {', '.join(report.graphs)}", markup=False)
    if report.hls is not None:
        console.print(f"HLS: {report.hls.note}", markup=False)
    if report.no_simulated_device:
        console.print(f"simulated device: {report.no_simulated_device}", markup=False)
    console.print(report.bitstream.note, markup=False)
    built = report.bitstream.implementation
    if built is not None:
        console.print(
            f"  placed and routed: {built.lut:,.0f} LUT, {built.ff:,.0f} FF, {built.bram18:,.0f} BRAM18, "
            f"{built.uram:,.0f} URAM, {built.dsp:,.0f} DSP at {built.clock_mhz:g} MHz"
            + (f", setup slack {built.setup_slack_ns:g} ns" if built.setup_slack_ns is not None else "")
            + (f", {built.power_w:g} W by estimate" if built.power_w is not None else ""),
            markup=False,
        )
    if report.bitstream.command and not report.bitstream.built:
        console.print(f"  where the tool is: {report.bitstream.command}", markup=False, soft_wrap=True)


def _print_engine(engine: EngineRun, console: Console) -> None:
    """Where a frame's cycles go, and what was simulated."""
    parts = Table(box=None, pad_edge=False)
    for heading in ("part", "cycles, by the model", "share"):
        parts.add_column(heading, justify="left" if heading == "part" else "right", overflow="fold")
    total = sum(part.takes for part in engine.parts)
    for part in engine.parts:
        parts.add_row(part.name, f"{part.takes:,}", f"{part.takes / total:.0%}")
    console.print(parts)
    console.print(
        f"  {engine.commands:,} commands; a frame moves {engine.dram_bytes:,} bytes of DRAM",
        markup=False,
    )
    half = engine.cycles_half_bandwidth
    console.print(
        f"  with half of DRAM's bandwidth, by the model: {half:,} cycles, {total / half:.0%} of the rate", markup=False
    )
    if engine.waiting is not None:
        idle = ", ".join(f"{name} {engine.waiting[name]:,}" for name in ("fetch", "load", "store"))
        core = engine.waiting["core"]
        console.print(f"  simulated: the units worked {core:,} cycles, and waited for DRAM: {idle}", markup=False)
        console.print(
            f"  DRAM of {engine.hesitant_latency} cycles that hesitates in {engine.hesitates_in_16} of 16: "
            f"{engine.cycles_hesitant:,} cycles; logits equal",
            markup=False,
        )
    if engine.note:
        console.print(f"  {engine.note}", markup=False)
