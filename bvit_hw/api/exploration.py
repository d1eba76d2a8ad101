"""A search over networks, boards and foldings at once (docs/explore.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.words import Say, log_it
from bvit_hw.boards import board_names, load_board
from bvit_hw.disk import disk_errors
from bvit_hw.errors import ConfigError
from bvit_hw.threads import usable_cores

if TYPE_CHECKING:
    from bvit_hw.explore.front import Found, Row
    from bvit_hw.explore.space import Space

DEFAULT_OUT = Path("build") / "explore"
#: seconds between a worker's signs of life, at most
_INTERVAL = 10.0


@dataclass(frozen=True)
class ExploredPoint:
    """A trial of a search that fits its board; ``values`` are those of the objectives, by their names.

    ``choices`` are what was drawn for each axis of the space, ``network`` the network's fields. ``resources`` are by
    kind ("lut", "ff", "bram18", "uram", "dsp"), predicted by the cost model; ``target_fps`` is None for the fastest
    folding. ``training`` is "none", "brief" or "full", ``accuracy`` (0 to 1) and ``epochs`` are None where nothing was
    trained. ``command`` builds the point.
    """

    trial: int
    on_front: bool
    values: Mapping[str, float]
    choices: Mapping[str, Any]
    network: Mapping[str, Any]
    board: str
    architecture: str
    target_fps: float | None
    cycles: int
    frames_per_second: float
    resources: Mapping[str, float]
    training: str
    accuracy: float | None
    epochs: int | None
    checkpoint: Path | None
    command: str


@dataclass(frozen=True)
class Exploration:
    """What a search has found so far; made by :func:`explore`.

    ``objectives`` are "maximize" or "minimize" by their names. ``points`` have those of the front first. ``dropped``
    says how often a trial became no point, by the reason. ``trials`` counts all, ``page`` shows them in a browser.
    """

    study: str
    objectives: Mapping[str, str]
    points: tuple[ExploredPoint, ...]
    dropped: Mapping[str, int]
    trials: int
    page: Path
    _json: Mapping[str, Any] = field(repr=False)

    @cached_property
    def front(self) -> tuple[ExploredPoint, ...]:
        """The points that no other one beats in every objective."""
        return tuple(point for point in self.points if point.on_front)

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw explore --json` prints: what explore.json holds, and the page."""
        return {**self._json, "page": str(self.page)}


def explore(
    *,
    board: str | Sequence[str],
    space: str | Path | None = None,
    preset: str | None = None,
    network: str | Path | None = None,
    objective: str = "accuracy,rate,lut",
    data: str | None = None,
    out: str | Path = DEFAULT_OUT,
    storage: str | None = None,
    study: str = "bvit-hw",
    trials: int | None = None,
    sampler: str = "auto",
    jobs: int | None = None,
    seed: int | None = None,
    device: str = "auto",
    workers: int = 0,
    patience: float = 60.0,
    show_progress: bool = False,
    say: Say = log_it,
) -> Exploration:
    """Search networks, boards and foldings for what is accurate, fast and small at once; the same call goes on.

    ``board`` is a board, several, or "all". One of ``space`` (a .toml file, docs/explore.md), ``preset`` and
    ``network`` says what is searched: of a network alone its foldings. ``objective`` names two or more, with commas;
    without accuracy nothing trains. ``data`` is what is trained on (None: the base network's own). ``trials`` are those
    of the study by all workers (None: all points, or 50), ``sampler`` is one of "auto", "grid", "tpe", "nsga2",
    "random". ``jobs`` are workers here, each a process (None: 1; without training one a core, at most 4).
    ``workers`` are processes that read pictures.

    ``out`` keeps explore.html, explore.json and checkpoints, and the study unless ``storage`` names a journal file or a
    database's URL, which several machines may share. A worker that gave no sign of life for ``patience`` seconds has
    its trial taken over.

    Raises ConfigError for a space, objective or study that does not fit and where Optuna is not installed, BoardError
    for an unknown board and for an engine that no board has, DatasetError for data that cannot be read, OutputError for
    ``out`` and ``storage``.
    """
    from bvit_hw.explore.extra import require_extra

    require_extra()
    named = {"--space": space, "--preset": preset, "--network": network}
    given = [f"{option} {value}" for option, value in named.items() if value is not None]
    if len(given) != 1:
        raise ConfigError(f"{' and '.join(given) or 'nothing to search'}: give one of --space, --preset, --network")
    words = [board] if isinstance(board, str) else board
    names = list(dict.fromkeys(name for word in words for name in (board_names() if word == "all" else [word])))
    for name in names:
        load_board(name)  # before PyTorch is imported: a mistyped board is told at once
    if not names:
        raise ConfigError("--board: no board is named")
    if "/" in study:
        raise ConfigError(f"--study {study}: a name without / is expected")
    from bvit_hw.explore.front import found_in
    from bvit_hw.explore.objectives import chosen_objectives
    from bvit_hw.explore.page import write_found
    from bvit_hw.explore.settings import SAMPLERS, Settings, further_workers
    from bvit_hw.explore.storage import JOURNAL
    from bvit_hw.explore.terminal import SearchProgress
    from bvit_hw.pipeline.options import checked_count

    if sampler not in SAMPLERS:
        raise ConfigError(f"--sampler {sampler!r} is unknown; allowed: {', '.join(SAMPLERS)}")
    for option, number in (("--trials", trials), ("--jobs", jobs)):
        if number is not None:
            checked_count(option, number)
    trains = any(chosen.trains for chosen in chosen_objectives(objective))
    if data is not None and not trains:
        raise ConfigError(f"--data {data}: --objective {objective} trains nothing; add accuracy, or leave it out")
    folder = Path(out)
    searched, kept = _space(space, preset or network), storage or str(folder / JOURNAL)
    settings = Settings(
        space=searched, boards=tuple(names), objectives=objective, out=folder, storage=kept, study=study, data=data,
        trials=trials, sampler=sampler, seed=seed, device=device, readers=workers, patience=patience,
        interval=min(_INTERVAL, patience / 6),
    )  # fmt: skip
    with disk_errors(folder, "choose another --out"):
        folder.mkdir(parents=True, exist_ok=True)
        with SearchProgress(quiet=not show_progress).shown() as (shown, done):

            def told(text: str) -> None:
                shown(text)
                if not show_progress:
                    say(text)

            worker = settings.worker(told, done)
            count = jobs or (1 if trains else min(usable_cores(), 4))
            try:
                with further_workers(settings, count - 1):
                    worker.run()
            finally:
                found = found_in(worker.study, searched, kept)
                page = write_found(found, folder)
    return _exploration(found, page)


def _space(space: str | Path | None, base: str | Path | None) -> Space:
    """What is searched: the file's, or the foldings of a network."""
    from bvit_hw.explore.space import Space, base_network, read_space

    if space is not None:
        return read_space(Path(space))
    described, words = base_network(str(base))
    return Space(base=described, base_words=words)


def _exploration(found: Found, page: Path) -> Exploration:
    return Exploration(
        study=found.name,
        objectives={objective.name: objective.direction for objective in found.objectives},
        points=tuple(_point(row) for row in found.rows),
        dropped=found.dropped,
        trials=found.trials,
        page=page,
        _json=found.as_json(),
    )


def _point(row: Row) -> ExploredPoint:
    at = row.point
    return ExploredPoint(
        trial=row.number,
        on_front=row.front,
        values=row.values,
        choices=row.choices,
        network=row.network,
        board=at.board,
        architecture=at.architecture,
        target_fps=at.target_fps,
        cycles=at.cycles,
        frames_per_second=at.rate,
        resources={"lut": at.lut, "ff": at.ff, "bram18": at.bram18, "uram": at.uram, "dsp": at.dsp},
        training=row.training,
        accuracy=row.accuracy,
        epochs=row.epochs,
        checkpoint=None if row.checkpoint is None else Path(row.checkpoint),
        command=row.command,
    )
