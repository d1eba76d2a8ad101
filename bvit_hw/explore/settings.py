"""A search as one process is given it, so that a further process can be given the same."""

from __future__ import annotations

import logging
import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

from optuna.samplers import BaseSampler, BruteForceSampler, NSGAIISampler, RandomSampler, TPESampler

from bvit_hw.boards import Board, load_board
from bvit_hw.errors import BoardError, ConfigError
from bvit_hw.explore.objectives import chosen_objectives
from bvit_hw.explore.space import Space
from bvit_hw.explore.storage import STUDY_NAME, open_storage, open_study
from bvit_hw.explore.training import TrainingData, digest_of, open_training_data
from bvit_hw.explore.worker import Search, Worker
from bvit_hw.pipeline.architecture import ENGINE, required_engine
from bvit_hw.train import RunOptions

log = logging.getLogger(__name__)

SAMPLERS = ("auto", "grid", "tpe", "nsga2", "random")
#: points up to which a search without training goes through all of them
_ALL = 2000
#: trials of a search that does not go through all points, where nothing is said
_TRIALS = 50


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line asks for."""

    space: Space
    #: by name, or by the path of a file
    boards: tuple[str, ...]
    objectives: str
    out: Path
    storage: str
    study: str = STUDY_NAME
    data: str | None = None
    trials: int | None = None
    sampler: str = "auto"
    seed: int | None = None
    device: str = "auto"
    readers: int = 0
    interval: float = 10.0
    patience: float = 60.0

    def worker(
        self,
        say: Callable[[str], None] = lambda text: None,
        done: Callable[[int, int], None] = lambda count, total: None,
    ) -> Worker:
        """A worker on the study, which is begun where there is none. Raises a BvitError for what does not fit."""
        objectives = chosen_objectives(self.objectives)
        self.space.require_legal()
        boards, files = _boards(self.boards)
        if ENGINE in self.space.architectures:
            _require_some_engine(list(boards.values()))
        trains = any(objective.trains for objective in objectives)
        data: TrainingData | None = open_training_data(self.space, self.data) if trains else None
        sampler, trials = self._sampler(len(boards), trains)
        storage = open_storage(self.storage)
        study = open_study(
            storage,
            self.study,
            objectives=objectives,
            identity={**self.space.identity(), "boards": {name: digest_of(board) for name, board in boards.items()}},
            data=data.identity() if data is not None else None,
            sampler=sampler,
        )
        search = Search(
            space=self.space,
            boards=boards,
            board_files=files,
            objectives=objectives,
            out=self.out,
            trials=self.trials or trials,
            data=data,
            checkpoint=self.space.checkpoint if data is None else None,
            options=RunOptions(device=self.device, workers=self.readers, tensorboard=False),
            interval=self.interval,
            patience=self.patience,
        )
        return Worker(study, storage, search, say=say, done=done)

    def _sampler(self, boards: int, trains: bool) -> tuple[BaseSampler, int]:
        """Optuna's sampler, and how many trials it is asked for where nothing is said."""
        a_network = boards * self.space.points_a_network
        kind = self.sampler
        if kind == "auto":
            kind = "grid" if not trains and self.space.networks * a_network <= _ALL else "tpe"
        few = kind == "grid" or self.space.networks <= _ALL
        points = self.space.looked_at()[0] * a_network if few else _ALL
        if kind == "grid":
            return BruteForceSampler(seed=self.seed), points
        some = min(_TRIALS, points)
        if kind == "nsga2":
            return NSGAIISampler(seed=self.seed), some
        if kind == "random":
            return RandomSampler(seed=self.seed), some
        startup = max(5, min(10, math.ceil((self.trials or some) / 4)))
        return TPESampler(seed=self.seed, n_startup_trials=startup, constant_liar=True), some


def _boards(words: Sequence[str]) -> tuple[dict[str, Board], dict[str, str]]:
    """Boards by their names, and the files of those that are described by a file."""
    boards: dict[str, Board] = {}
    files: dict[str, str] = {}
    for word in words:
        board = load_board(word)
        if board.name in boards:
            raise ConfigError(f"--board {word}: another board of the search is called {board.name}, too")
        boards[board.name] = board
        if word.endswith(".toml"):
            files[board.name] = str(Path(word).absolute())
    return boards, files


def _require_some_engine(boards: Sequence[Board]) -> None:
    """Raise :class:`BoardError` where no board has an engine."""
    reasons = []
    for board in boards:
        try:
            required_engine(board)
            return
        except BoardError as error:
            reasons.append(str(error))
    raise BoardError(f"hardware.architecture: engine, and no board of the search has one: {reasons[0]}")


def _work(settings: Settings) -> None:
    """A further worker, silent; what ends it is said on stderr."""
    try:
        settings.worker().run()
    except KeyboardInterrupt:
        sys.exit(2)


def start(processes: Sequence[BaseProcess]) -> None:
    """Start spawned processes; they import what they are given, and not the caller's script.

    A script that does not ask for its ``__name__`` would run anew in each of them, from its first line on.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        for process in processes:
            process.start()
    finally:
        sys.modules["__main__"] = main


@contextmanager
def further_workers(settings: Settings, count: int) -> Iterator[None]:
    """So many workers in processes of their own beside the block's; it waits for them."""
    context = multiprocessing.get_context("spawn")
    others = []
    for n in range(1, count + 1):
        # Equal seeds would draw equal trials.
        own = replace(settings, seed=None if settings.seed is None else settings.seed + n)
        others.append(context.Process(target=_work, args=(own,), name=f"bvit-worker-{n}"))
    start(others)
    try:
        yield
        for process in others:
            process.join()
    except BaseException:
        for process in others:
            process.terminate()
            process.join()
        raise


