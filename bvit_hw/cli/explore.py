"""`bvit-hw explore`: search over networks and their hardware at once."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bvit_hw import api
from bvit_hw.api.exploration import DEFAULT_OUT
from bvit_hw.cli.words import Command, complete_board, complete_preset

#: points printed; the page has all
_SHOWN = 40


@click.command("explore", cls=Command)
@click.option("--space", type=click.Path(path_type=Path), help="What is searched: a .toml file (docs/explore.md).")
@click.option("--preset", shell_complete=complete_preset,
              help="One network instead, by its name: its foldings are searched.")  # fmt: skip
@click.option("--network", type=click.Path(path_type=Path), help="One network instead: its .toml file.")
@click.option("--board", "boards", multiple=True, required=True, shell_complete=complete_board,
              help="A board, or all; may be repeated.")  # fmt: skip
@click.option("--objective", default="accuracy,rate,lut", show_default=True,
              help="What is searched for, with commas: accuracy, rate, lut, ff, bram18, dsp, area_time (a proxy for "
              "energy), binary_macs (a proxy for accuracy). Without accuracy nothing trains.")  # fmt: skip
@click.option("--data", help="What is trained on, as for train (default: the base network's).")
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True,
              help="Folder for the page, checkpoints and the study.")  # fmt: skip
@click.option("--storage", help="A journal file or a database's URL, to share with other machines (default: in --out).")
@click.option("--study", default="bvit-hw", show_default=True, help="The study's name in the storage.")
@click.option("--trials", type=click.IntRange(min=1), help="Of the study, by all workers (default: all points, or 50).")
@click.option("--sampler", type=click.Choice(["auto", "grid", "tpe", "nsga2", "random"]), default="auto",
              show_default=True, help="Optuna's: auto is grid where nothing trains and points are few, else tpe."
              )  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), help="Workers here (default: 1; without training one a core).")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of the sampler; another one on each machine.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(0, 1024), default=0, show_default=True,
              help="Processes that read pictures, where these do not fit in memory.")  # fmt: skip
@click.option("--patience", type=click.FloatRange(min=1), default=60.0, show_default=True,
              help="Seconds without a sign of life after which a worker's trial is another's.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress display.")
@click.option("--json", "as_json", is_flag=True, help="All points as JSON, in place of the summary.")
def explore_command(
    space: Path | None,
    preset: str | None,
    network: Path | None,
    boards: tuple[str, ...],
    objective: str,
    data: str | None,
    out: Path,
    storage: str | None,
    study: str,
    trials: int | None,
    sampler: str,
    jobs: int | None,
    seed: int | None,
    device: str,
    workers: int,
    patience: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search networks, boards and foldings for what is accurate, fast and small at once; the same command goes on.

    The same command with the same --storage on other machines joins in. explore.html in --out shows what was found.
    """
    found = api.explore(
        board=boards, space=space, preset=preset, network=network, objective=objective, data=data, out=out,
        storage=storage, study=study, trials=trials, sampler=sampler, jobs=jobs, seed=seed, device=device,
        workers=workers, patience=patience, show_progress=not quiet, say=lambda text: None,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    _print(found, Console(width=None if Console().is_terminal else 160))
    click.echo(f"page: {found.page}")


def _print(found: api.Exploration, console: Console) -> None:
    """The front, a point a row with its command below, and what became of the other trials."""
    front = found.front
    reached = f"{len(found.points)} points, {len(front)} of them on the front"
    console.print(Text(f"{found.trials} trials of study {found.study}: {reached}"))
    others = [name for name in found.objectives if name not in ("rate", "lut", "bram18", "dsp")]
    table = Table(box=None, pad_edge=False)
    table.add_column("trial", justify="right")
    table.add_column("board")
    for heading in ("frames/s", "LUT", "BRAM18", "DSP", *others):
        table.add_column(heading, justify="right")
    table.add_column("trained")
    for point in front[:_SHOWN]:
        used = point.resources
        table.add_row(
            str(point.trial),
            point.board if point.architecture == "streaming" else f"{point.board} ({point.architecture})",
            f"{point.frames_per_second:,.0f}",
            *(f"{used[kind]:,.0f}" for kind in ("lut", "bram18", "dsp")),
            *(f"{point.values[name]:.2%}" if name == "accuracy" else f"{point.values[name]:,.6g}" for name in others),
            point.training if point.epochs is None else f"{point.training}, {point.epochs} epochs",
        )
    console.print(table)
    for point in front[:_SHOWN]:
        console.print(Text(f"{point.trial}: {point.command}"), soft_wrap=True)
    if len(front) > _SHOWN:
        console.print(Text(f"and {len(front) - _SHOWN} more on the page"))
    for reason, count in list(found.dropped.items())[:5]:
        console.print(Text(f"no point, {count} times: {reason}"), soft_wrap=True)
