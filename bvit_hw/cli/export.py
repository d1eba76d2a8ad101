"""`bvit-hw export`: a checkpoint frozen and written as QONNX, or in the operators of ONNX alone."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw.cli.words import Command, OutputFile


@click.command("export", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=OutputFile(), required=True, help="The .onnx file to write.")
@click.option(
    "--calibrate", "source", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where it has none."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["qonnx", "onnx"]),
    default="qonnx",
    show_default=True,
    help="qonnx: what the hardware is made of. onnx: standard operators only, for onnxruntime; any number of images.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def export_command(checkpoint: Path | None, out: Path, source: str | None, form: str, overwrite: bool) -> None:
    """Write CHECKPOINT (default: the shipped one), frozen into integers, as an ONNX file (docs/qonnx.md).

    CHECKPOINT may be frozen already: the file of `bvit-hw freeze`.
    """
    from bvit_hw.models import shipped_checkpoint
    from bvit_hw.network_file import load_graph
    from bvit_hw.outputs import writable_output
    from bvit_hw.qonnx import export_onnx, export_qonnx

    path = checkpoint or shipped_checkpoint()
    writable_output(out, path, overwrite=overwrite)
    graph, report = load_graph(path, source)
    written = export_onnx(graph, out) if form == "onnx" else export_qonnx(graph, out).model
    if report is not None:
        click.echo("\n".join(report.lines()))
    click.echo(f"{out}: {len(written.graph.node)} nodes, {out.stat().st_size:,} bytes")
