"""`bvit-hw evaluate`: one checkpoint as QAT model, frozen and in QONNX, on the same images."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from bvit_hw import api
from bvit_hw.cli.tables import print_table
from bvit_hw.cli.words import Command


@click.command("evaluate", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("--data", help="digits, cifar10=DIR, cifar100=DIR, imagenet=DIR, a folder with val/, or an .npz file.")
@click.option("--forms", help="Which of qat, frozen and qonnx, separated by commas; default: all that there are.")
@click.option(
    "--calibrate", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where the checkpoint has none."
)
@click.option("--convert-colours", is_flag=True, help="Grey pictures for a colour network, or the reverse; see train.")
@click.option("--limit", type=click.IntRange(min=1), help="So many images, of all classes; qonnx is slow at full size.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Images at once.")
@click.option("--device", default="cpu", show_default=True, help="Of PyTorch: cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(1, 1024), help="Default: all cores, one where the images are small.")
@click.option("--json", "as_json", is_flag=True, help="The scores as JSON.")
@click.option("--quiet", is_flag=True, help="No progress display.")
def evaluate_command(
    checkpoint: Path | None,
    data: str | None,
    forms: str | None,
    calibrate: str | None,
    convert_colours: bool,
    limit: int | None,
    batch_size: int,
    device: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Top-1 and top-5 accuracy of CHECKPOINT (default: the shipped one) in all its forms, on the same images.

    CHECKPOINT may be frozen already, the file of `bvit-hw freeze`: without the QAT model, then.
    """
    found = api.evaluate(
        api.load(checkpoint),
        data=data,
        forms=None if not forms else [form.strip() for form in forms.split(",") if form.strip()],
        calibrate=calibrate,
        convert_colours=convert_colours,
        limit=limit,
        batch_size=batch_size,
        device=device,
        threads=threads,
        show_progress=not quiet,
        say=lambda text: click.echo(text, err=True),
        brief=quiet,
    )
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    rows = [
        (
            score.form if found.quantized else "float",
            f"{100 * score.top1:.2f}",
            f"{100 * score.top5:.2f}",
            str(score.images),
            f"{score.images_per_second:.1f}",
            score.engine,
        )
        for score in found.scores
    ]
    click.echo(f"{found.network.path} on {found.images} test images of {found.data}")
    headings = ("model", "top-1 %", "top-5 %", "images", "images/s", "executed by")
    print_table(headings, rows, texts=("model", "executed by"), remark="executed by", console=Console())
