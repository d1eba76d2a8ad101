"""`bvit-hw explore`: search over networks and their hardware at once."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from bvit_hw.cli.words import Command
from bvit_hw.threads import usable_cores


@click.command("explore", cls=Command)
@click.option("--space", type=click.Path(path_type=Path), help="What is searched: a .toml file (docs/explore.md).")
@click.option("--preset", help="One network instead, by its name: its foldings are searched.")
@click.option("--network", type=click.Path(path_type=Path), help="One network instead: its .toml file.")
@click.option("--board", "boards", multiple=True, required=True, help="A board, or all; may be repeated.")
@click.option("--objective", default="accuracy,rate,lut", show_default=True,
              help="What is searched for, with commas: accuracy, rate, lut, ff, bram18, dsp, area_time (a proxy for "
              "energy), binary_macs (a proxy for accuracy). Without accuracy nothing trains.")  # fmt: skip
@click.option("--data", help="What is trained on, as for train (default: the base network's).")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/explore"), show_default=True,
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
) -> None:
    """Search networks, boards and foldings for what is accurate, fast and small at once; the same command goes on.

    The same command with the same --storage on other machines joins in. explore.html in --out shows what was found.
    """
    from bvit_hw.boards import board_names, load_board
    from bvit_hw.errors import ConfigError
    from bvit_hw.explore.extra import require_extra

    require_extra()
    named = {"--space": space, "--preset": preset, "--network": network}
    given = [f"{option} {value}" for option, value in named.items() if value is not None]
    if len(given) != 1:
        raise ConfigError(f"{' and '.join(given) or 'nothing to search'}: give one of --space, --preset, --network")
    names = list(dict.fromkeys(name for word in boards for name in (board_names() if word == "all" else [word])))
    for name in names:
        load_board(name)  # before PyTorch is imported: a mistyped board is told at once
    if "/" in study:
        raise ConfigError(f"--study {study}: a name without / is expected")
    from bvit_hw.explore.objectives import chosen_objectives
    from bvit_hw.explore.space import Space, base_network, read_space

    trains = any(chosen.trains for chosen in chosen_objectives(objective))
    if data is not None and not trains:
        raise ConfigError(f"--data {data}: --objective {objective} trains nothing; add accuracy, or leave it out")
    if space is not None:
        searched = read_space(space)
    else:
        base, words = base_network(preset or str(network))
        searched = Space(base=base, base_words=words)
    from bvit_hw.disk import disk_errors
    from bvit_hw.explore.front import found_in
    from bvit_hw.explore.page import write_found
    from bvit_hw.explore.settings import Settings, further_workers
    from bvit_hw.explore.storage import JOURNAL
    from bvit_hw.explore.terminal import SearchProgress, print_found

    kept = storage or str(out / JOURNAL)
    settings = Settings(
        space=searched, boards=tuple(names), objectives=objective, out=out, storage=kept, study=study, data=data,
        trials=trials, sampler=sampler, seed=seed, device=device, readers=workers, patience=patience,
        interval=min(10.0, patience / 6),
    )  # fmt: skip
    with disk_errors(out, "choose another --out"):
        out.mkdir(parents=True, exist_ok=True)
        with SearchProgress(quiet=quiet).shown() as (say, done):
            worker = settings.worker(say, done)
            count = jobs or (1 if trains else min(usable_cores(), 4))
            try:
                with further_workers(settings, count - 1):
                    worker.run()
            finally:
                found = found_in(worker.study, searched, kept)
                page = write_found(found, out)
    print_found(found, Console(width=None if Console().is_terminal else 160))
    click.echo(f"page: {page}")
