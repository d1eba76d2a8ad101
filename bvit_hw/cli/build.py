"""`bvit-hw build`: from a checkpoint to an accelerator for a board."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from bvit_hw import api
from bvit_hw.cli.words import Command, complete_board, complete_preset


@click.command("build", cls=Command)
@click.option(
    "--board", shell_complete=complete_board, help="What to build for: a name of `bvit-hw boards`, or a .toml file."
)
@click.option("--from-study", metavar="STORAGE", help="Build a point of `bvit-hw explore`: its study's file or URL.")
@click.option("--trial", type=click.IntRange(min=0), help="Which point: its trial's number.")
@click.option("--study", default="bvit-hw", help="The study's name, where it has another.")
@click.option(
    "--preset", shell_complete=complete_preset, help="A shipped checkpoint by name (default tiny-digits)."
)
@click.option(
    "--network", type=click.Path(path_type=Path), help="A network's .toml file: with random weights, for its hardware."
)
@click.option("--random-weights", is_flag=True, help="Random weights for the --preset, for its hardware.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint file instead.")
@click.option("--data", help="Test images: a dataset's name, or an .npz with images (uint8 N x H x W x C) and labels.")
@click.option("--convert-colours", is_flag=True, help="Grey pictures for a colour network, or the reverse; see train.")
@click.option("--target-fps", type=float, help="Least area at this frame rate; default: the fastest that fits.")
@click.option(
    "--impl",
    type=click.Choice(["auto", "hls", "rtl"]),
    default="auto",
    show_default=True,
    help="Flavour of the operators that come in both: auto is the RTL.",
)
@click.option("--impl-of", multiple=True, metavar="OPERATOR=FLAVOUR", help="Flavour of one operator; may be repeated.")
@click.option(
    "--architecture",
    type=click.Choice(["auto", "streaming", "engine"]),
    default="auto",
    show_default=True,
    help="auto: streaming where the network fits, else the board's single engine, where its file has one.",
)
@click.option("--clock-mhz", type=float, help="Assumed clock; default: the board's.")
@click.option("--out", type=click.Path(path_type=Path), help="Output folder (default build/BOARD).")
@click.option(
    "--images", type=click.IntRange(min=1), default=32, show_default=True, help="Test images to send through the RTL."
)
@click.option(
    "--calibrate", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where the checkpoint has none."
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes at once (default: one a core, at most 4).")
@click.option(
    "--simulated-device/--no-simulated-device",
    default=None,
    help="Compile the accelerator as a device for notebooks and `bvit-hw run`; default: unless it is very large.",
)
@click.option(
    "--try-fifos", type=click.IntRange(min=0), default=0, metavar="N",
    help="Try in simulation how deep the N largest FIFOs have to be; the report says which are tight.",
)
@click.option("--until", metavar="STEP", help="End after this step.")
@click.option("--skip", metavar="STEP", multiple=True, help="Leave out a step that no other needs; may be repeated.")
@click.option("--overwrite", is_flag=True, help="Replace another build in the output folder.")
@click.option("--quiet", is_flag=True, help="No progress display.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, and what became of each step.")
def build_command(
    board: str | None,
    from_study: str | None,
    trial: int | None,
    study: str,
    preset: str | None,
    network: Path | None,
    random_weights: bool,
    checkpoint: Path | None,
    data: str | None,
    convert_colours: bool,
    target_fps: float | None,
    impl: str,
    impl_of: tuple[str, ...],
    architecture: str,
    clock_mhz: float | None,
    out: Path | None,
    images: int,
    calibrate: str | None,
    jobs: int | None,
    simulated_device: bool | None,
    try_fifos: int,
    until: str | None,
    skip: tuple[str, ...],
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Build an accelerator: freeze, export, lower, fold, generate, simulate, synthesize, timing, package,
    bitstream.

    Of a single engine the network is compiled into a programme instead of lowered and folded (docs/engine.md).
    Steps that are up to date in the output folder are not run again; an interrupted build goes on where it was. What
    --until and --skip leave out is named in the report, which there is from the step `generate` on.
    """
    if from_study is not None:
        named = {"--board": board, "--preset": preset, "--network": network, "--checkpoint": checkpoint,
                 "--target-fps": target_fps, "--random-weights": random_weights or None,
                 "--architecture": None if architecture == "auto" else architecture}  # fmt: skip
        board, network, checkpoint, target_fps, architecture = _point(from_study, study, trial, named)
    elif trial is not None:
        raise click.UsageError(f"--trial {trial}: of which study? --from-study STORAGE")
    if board is None:
        raise click.UsageError("Missing option '--board'.")
    done = api.build(
        board=board,
        preset=preset,
        network=network,
        random_weights=random_weights,
        checkpoint=checkpoint,
        data=data,
        convert_colours=convert_colours,
        target_fps=target_fps,
        impl=impl,
        impl_of=impl_of,
        architecture=architecture,
        clock_mhz=clock_mhz,
        out=out,
        images=images,
        calibrate=calibrate,
        jobs=jobs,
        simulated_device=simulated_device,
        try_fifos=try_fifos,
        until=until,
        skip=skip,
        overwrite=overwrite,
        show_progress=not quiet,
        say=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(json.dumps(done.as_json(), indent=1))
        return
    from bvit_hw.pipeline.selection import REPORTED_FROM
    from bvit_hw.report.terminal import print_report

    reached = {outcome.name for outcome in done.outcomes if outcome.status in ("done", "cached")}
    if REPORTED_FROM in reached and done.report is not None:
        print_report(done.report, Console(width=None if Console().is_terminal else 120))
        click.echo(f"report: {done.page}")
    else:
        for outcome in done.outcomes:
            click.echo(f"{outcome.name:12} {outcome.status}{f' ({outcome.note})' if outcome.note else ''}")
        click.echo(f"no report: there is one from the step {REPORTED_FROM} on")
    if done.archive is not None:
        click.echo(f"for the board: {done.archive}")


def _point(
    storage: str, study: str, trial: int | None, named: Mapping[str, object]
) -> tuple[str, Path | None, Path | None, float | None, str]:
    """Board, network file, checkpoint, rate and architecture of a study's trial; these may not be ``named`` besides."""
    from bvit_hw.errors import ConfigError
    from bvit_hw.explore.extra import require_extra

    if trial is None:
        raise click.UsageError("--from-study: which point? --trial N")
    given = [f"{option} {value}" for option, value in named.items() if value is not None]
    if given:
        raise ConfigError(f"--from-study decides {', '.join(given)}: leave that out")
    require_extra()
    from bvit_hw.explore.chosen import chosen_trial

    chosen = chosen_trial(storage, study, trial)
    click.echo(chosen.note, err=True)
    network = chosen.network if chosen.checkpoint is None else None
    return chosen.board, network, chosen.checkpoint, chosen.target_fps, chosen.architecture
