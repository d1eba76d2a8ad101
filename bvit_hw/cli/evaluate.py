"""`bvit-hw evaluate`: one checkpoint as QAT model, frozen and in QONNX, on the same images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

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
    import torch

    from bvit_hw.calibration import load_ready
    from bvit_hw.contract import FrozenGraph
    from bvit_hw.data.labelled import image_batches, survey
    from bvit_hw.errors import ConfigError
    from bvit_hw.evaluate import FORMS, Network, evaluate
    from bvit_hw.models import load_checkpoint, shipped_checkpoint
    from bvit_hw.network_file import is_frozen, load_graph, network_config, network_record
    from bvit_hw.pipeline.progress import Progress
    from bvit_hw.threads import choose_threads

    path = checkpoint or shipped_checkpoint()
    frozen = is_frozen(path)
    wanted = [form.strip() for form in (forms or ",".join(FORMS[frozen:])).split(",") if form.strip()]
    unknown = [form for form in wanted if form not in FORMS]
    if unknown or not wanted:
        raise ConfigError(f"--forms {forms}: {unknown or 'nothing'} given; allowed: {', '.join(FORMS)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {device}: cannot be used here: {str(error).splitlines()[0]}") from None
    if frozen and "qat" in wanted:
        raise ConfigError(
            f"--forms {forms}: {path} is frozen, its QAT model is in the checkpoint that it was frozen from; "
            f"allowed: {', '.join(FORMS[1:])}"
        )
    model: Network
    if frozen:
        model, _ = load_graph(path, calibrate)
    elif calibrate is not None:
        model, report = load_ready(path, calibrate)
        if report is not None and not quiet:
            click.echo("\n".join(report.lines()), err=True)
    else:
        model = load_checkpoint(path)
    config, record = network_config(path), replace(network_record(path), converts=convert_colours)
    mode = "quant" if isinstance(model, FrozenGraph) else model.mode
    chosen = choose_threads(threads, config.image_size)
    if not quiet and device == "cpu":
        click.echo(chosen, err=True)
    source = data or record.dataset
    if source is None:
        raise ConfigError(f"{path}: does not say what it was trained on; --data names images to measure")
    if mode != "quant" and set(wanted) - {"qat"}:
        click.echo(
            f"{path}: activations are not quantized (mode {mode!r}), so there is nothing to freeze: "
            "only the float model is evaluated. --calibrate DIR or DATASET chooses the scales",
            err=True,
        )
        wanted = ["qat"]
    total, notes = survey(source, config, record)
    for note in notes:
        click.echo(note, err=True)
    total = min(total, limit) if limit else total
    progress = Progress(quiet=quiet)
    scores = []
    for form in wanted:
        done = 0
        with progress.step(f"{form}: {total} images of {source}") as update:

            def advance(_: str, images: int, update=update) -> None:  # type: ignore[no-untyped-def]
                nonlocal done
                done += images
                update(done, total)

            scores += evaluate(
                model,
                lambda size: image_batches(source, config, size, limit, record),
                [form],
                batch_size=batch_size,
                device=device,
                advance=advance,
            )
    if as_json:
        rows = [{**vars(score), "images_per_second": score.images_per_second} for score in scores]
        found = {"checkpoint": str(path), "data": source, "notes": list(notes), "scores": rows}
        click.echo(json.dumps(found, indent=1))
        return
    found_rows = [
        (
            score.form if mode == "quant" else "float",
            f"{100 * score.top1:.2f}",
            f"{100 * score.top5:.2f}",
            str(score.images),
            f"{score.images_per_second:.1f}",
            score.engine,
        )
        for score in scores
    ]
    click.echo(f"{path} on {total} test images of {source}")
    headings = ("model", "top-1 %", "top-5 %", "images", "images/s", "executed by")
    print_table(headings, found_rows, texts=("model", "executed by"), remark="executed by", console=Console())
