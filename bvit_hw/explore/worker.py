"""One worker of a search: takes trials until there is nothing left to do; others may run beside it, anywhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from bvit_hw.boards import Board
from bvit_hw.errors import BvitError, ConfigError, FoldingError
from bvit_hw.explore.hardware import Hardware, Point
from bvit_hw.explore.objectives import Measured, Objective, dominates
from bvit_hw.explore.rungs import Rungs
from bvit_hw.explore.space import Axis, Space
from bvit_hw.explore.stamp import (
    AGAIN,
    BROKEN,
    FINAL_OF,
    ILLEGAL,
    REASON,
    RETRY_OF,
    RUNGS,
    SURPLUS,
    UNCOUNTED,
    Lost,
    Stamp,
    is_surplus,
    origin,
    take_back,
)
from bvit_hw.explore.training import TrainingData, digest_of, final_epochs, network_of, train_network
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.cost import network_cost
from bvit_hw.pipeline.architecture import STREAMING
from bvit_hw.train import EpochReport, RunOptions, TrainingError

log = logging.getLogger(__name__)

#: seconds between looks at what the others do, where there is nothing to do
_WAIT = 0.5
#: draws in a row without a new legal point after which the sampler is taken to find no more
_VAIN_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a worker works on, and where."""

    space: Space
    boards: Mapping[str, Board]
    #: files of those boards that are described by one
    board_files: Mapping[str, str] = field(default_factory=dict)
    objectives: Sequence[Objective]
    out: Path
    #: trials of the study by all workers; of those that are drawn only legal networks count, and each point once
    trials: int
    data: TrainingData | None = None
    #: the weights of the one network that is folded, where it has some and nothing trains
    checkpoint: Path | None = None
    options: RunOptions = field(default_factory=lambda: RunOptions(tensorboard=False))
    #: seconds between signs of life, and without one after which a trial is taken back
    interval: float = 10.0
    patience: float = 60.0


class Worker:
    """Runs trials of ``study``; ``say`` hears of what it is doing, ``done`` of numbers finished and asked for."""

    def __init__(
        self,
        study: optuna.Study,
        storage: BaseStorage,
        search: Search,
        *,
        say: Callable[[str], None] = lambda text: None,
        done: Callable[[int, int], None] = lambda count, total: None,
    ) -> None:
        self.study, self.storage, self.search, self.say, self.done = study, storage, search, say, done
        self.hardware = Hardware(search.boards, search.out / "hardware")
        self._stamp: Stamp | None = None

    def run(self) -> None:
        """Until all trials and finalists are done, whoever did them."""
        while True:
            for number in take_back(self.study, self.search.patience):
                self.say(f"trial {number}: its worker left it, or gave no sign of life; it is taken again")
            trials = self.study.get_trials(deepcopy=False)
            states = [trial.state for trial in trials]
            counted = _counted(trials)
            self.done(sum(t.state.is_finished() for t in counted), self.search.trials)
            if TrialState.WAITING in states or (len(counted) < self.search.trials and not _drawn_in_vain(trials)):
                self._one()
            elif TrialState.RUNNING in states:
                time.sleep(_WAIT)
            elif not self._enqueue_finalists(trials):
                return

    def _one(self) -> None:
        try:
            self.study.optimize(self._trial, n_trials=1)
        except (Lost, ValueError, UpdateFinishedTrialError):
            if not self._was_lost():
                raise
            self.say("the trial was taken for dead; another worker has it")

    def _was_lost(self) -> bool:
        """Whether another worker told that the trial had failed; the stamp may not have noticed yet."""
        if self._stamp is None or self._stamp.lost:
            return self._stamp is not None
        number = self._stamp.trial.number
        trial = next(t for t in self.study.get_trials(deepcopy=False) if t.number == number)
        return trial.state == TrialState.FAIL and BROKEN not in trial.user_attrs

    def _trial(self, trial: optuna.Trial) -> tuple[float, ...]:
        self._stamp = Stamp(trial, self.search.interval)
        with self._stamp:
            try:
                return self._measure(trial)
            except (optuna.TrialPruned, Lost, BvitError, UpdateFinishedTrialError):
                raise  # a BvitError: the disk is full, say; it is not the trial's fault, who is taken again
            except Exception as error:  # the program's own fault: told, raised again, and not tried again
                trial.set_user_attr(BROKEN, f"{type(error).__name__}: {error}"[:500])
                raise

    def _measure(self, trial: optuna.Trial) -> tuple[float, ...]:
        trials = self.study.get_trials(deepcopy=False)
        if {RETRY_OF, FINAL_OF} & trial.user_attrs.keys():
            surplus = is_surplus(trial, trials)
        else:  # another worker may have been quicker
            surplus = len([t for t in _counted(trials) if t.number < trial.number]) >= self.search.trials
        if surplus:
            trial.set_user_attr(SURPLUS, True)
            _prune(trial, "not asked for: others did it")
        try:
            config = self.search.space.config(lambda axis: _suggest(trial, axis))
        except ConfigError as error:
            trial.set_user_attr(UNCOUNTED, ILLEGAL)
            _prune(trial, str(error))
        board = trial.suggest_categorical("board", list(self.search.boards))
        if board in self.search.board_files:
            trial.set_user_attr("board_file", self.search.board_files[board])
        architecture = self.search.space.architectures[0]
        if len(self.search.space.architectures) > 1:
            architecture = trial.suggest_categorical("architecture", list(self.search.space.architectures))
        wish = None
        if architecture == STREAMING:
            wish = trial.suggest_categorical("target_fps", list(self.search.space.targets))
        trial.set_user_attr("network", config.model_dump(mode="json"))
        same = _same(trial, trials)
        if same is not None:
            trial.set_user_attr(UNCOUNTED, AGAIN)
            _prune(trial, f"the same point as trial {same.number}'s")
        self.say(f"trial {trial.number}: {architecture} on {board}" + (f" at {wish}" if wish is not None else ""))
        try:
            point = self._point(trial, config, self.search.checkpoint)
            accuracy = None
            if self.search.data is not None:
                accuracy, checkpoint = self._accuracy(trial, config, point)
                if checkpoint.is_file():  # else it was trained on another machine
                    point = self._point(trial, config, checkpoint)
        except FoldingError as error:
            _prune(trial, str(error))
        measured = Measured(point, network_cost("network", config), accuracy)
        return tuple(objective.value(measured) for objective in self.search.objectives)

    def _point(self, trial: optuna.Trial, config: BinaryViTConfig, checkpoint: Path | None) -> Point:
        """The hardware that the trial asks for; FoldingError where there is none, or it breaks a constraint."""
        point = self.hardware.point(config, trial.params["board"], trial.params.get("target_fps"), checkpoint)
        trial.set_user_attr("point", asdict(point))
        trial.set_user_attr("folded", "random weights" if checkpoint is None else "trained weights")
        broken = self.search.space.constraints.broken(point)
        if broken:
            raise FoldingError(broken)
        return point

    def _accuracy(self, trial: optuna.Trial, config: BinaryViTConfig, point: Point) -> tuple[float, Path]:
        """Accuracy on the test images, and the checkpoint."""
        space, data = self.search.space, self.search.data
        assert data is not None
        final = FINAL_OF in trial.user_attrs
        network = network_of(config, f"trial-{origin(trial)}", space)
        epochs = final_epochs(network, space.training, data) if final else space.training.epochs
        trial.set_user_attr("epochs", epochs)
        trial.set_user_attr("digest", digest_of(config))
        known = self._trained(digest_of(config), epochs)
        if known is not None:
            trial.set_user_attr("trained_by", known.user_attrs.get("trained_by", known.number))
            for name in ("accuracy", "checkpoint"):
                trial.set_user_attr(name, known.user_attrs[name])
            return float(known.user_attrs["accuracy"]), Path(known.user_attrs["checkpoint"])
        ladder = space.training.rungs if not final else ()
        passed = {int(epoch): float(value) for epoch, value in trial.user_attrs.get(RUNGS, {}).items()}
        rungs = Rungs(self.storage, self.study.study_name, point.rate, space.training, passed) if ladder else None

        def on_epoch(report: EpochReport) -> None:
            if self._stamp is not None:
                self._stamp.check()
            self.say(f"trial {trial.number}: {report.epoch} of {epochs} epochs, loss {report.loss:.3f}")
            if rungs is None or report.accuracy is None or report.epoch not in ladder or report.epoch in passed:
                return
            passed[report.epoch] = report.accuracy.top1
            trial.set_user_attr(RUNGS, {str(epoch): value for epoch, value in passed.items()})
            if rungs.stop(report.epoch, report.accuracy.top1):
                rungs.close(None)
                trial.set_user_attr("accuracy_at_rung", report.accuracy.top1)
                _prune(trial, f"{report.accuracy.top1:.2%} after {report.epoch} epochs, below others of its rate")

        try:
            result = train_network(
                network,
                self.search.out / "training" / network.name,
                epochs=epochs,
                training=space.training,
                data=data,
                options=replace(self.search.options, evaluate_every=ladder[0] if ladder else 0),
                on_epoch=on_epoch,
                on_step=lambda report: self._stamp.check() if self._stamp is not None else None,
            )
        except TrainingError as error:
            _prune(trial, str(error))
        if rungs is not None:
            rungs.close(result.accuracy)
        trial.set_user_attr("accuracy", result.accuracy)
        trial.set_user_attr("checkpoint", str(result.checkpoint.absolute()))
        return result.accuracy, result.checkpoint

    def _trained(self, digest: str, epochs: int) -> FrozenTrial | None:
        """A finished trial of the same network, trained as long: for another board or rate."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            attributes = trial.user_attrs
            if attributes.get("digest") == digest and attributes.get("epochs") == epochs:
                return trial
        return None

    def _enqueue_finalists(self, trials: Sequence[FrozenTrial]) -> bool:
        """Let the best train in full; whether there is something to do.

        Two workers may enqueue the same at once. The second of the two is surplus when it begins.
        """
        count = self.search.space.training.finalists if self.search.data is not None else 0
        there = {t.user_attrs[FINAL_OF] for t in trials if FINAL_OF in t.user_attrs and SURPLUS not in t.user_attrs}
        missing = [t for t in finalists(trials, self.search.objectives, count) if t.number not in there]
        for trial in missing:
            self.study.enqueue_trial(trial.params, user_attrs={FINAL_OF: trial.number})
        return bool(missing)


def finalists(trials: Sequence[FrozenTrial], objectives: Sequence[Objective], count: int) -> list[FrozenTrial]:
    """Trials that no other one dominates, a network once, the most accurate first, at most ``count``."""
    done = [t for t in trials if t.state == TrialState.COMPLETE and FINAL_OF not in t.user_attrs]
    best = [t for t in done if not any(dominates(o.values, t.values, objectives) for o in done)]
    best.sort(key=lambda t: (-float(t.user_attrs.get("accuracy", 0.0)), t.number))
    by_network: dict[object, FrozenTrial] = {}
    for trial in best:
        by_network.setdefault(trial.user_attrs.get("digest", trial.number), trial)
    return list(by_network.values())[:count]


def _same(trial: optuna.Trial, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """One before it that was asked for the same and is done: samplers draw a point again where they find no better."""
    if {RETRY_OF, FINAL_OF} & trial.user_attrs.keys():
        return None
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    return next((t for t in _fresh(trials) if t.state in done and t.params == trial.params), None)


def _fresh(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """What the sampler has drawn: neither finalists nor trials taken again, nor one too many."""
    return [t for t in trials if not ({RETRY_OF, FINAL_OF, SURPLUS} & t.user_attrs.keys())]


def _counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of what was drawn, what a search was asked for: legal networks, each point once."""
    return [t for t in _fresh(trials) if UNCOUNTED not in t.user_attrs]


def _drawn_in_vain(trials: Sequence[FrozenTrial]) -> bool:
    """Whether the last draws all were no legal network, or a point of before: a small space has no more."""
    last = _fresh(trials)[-_VAIN_DRAWS:]
    return len(last) == _VAIN_DRAWS and all(UNCOUNTED in t.user_attrs for t in last)


def _prune(trial: optuna.Trial, reason: str) -> NoReturn:
    trial.set_user_attr(REASON, reason)
    raise optuna.TrialPruned(reason)


def _suggest(trial: optuna.Trial, axis: Axis) -> Any:
    """What Optuna chooses for the axis; arrays are written out, for it takes plain values only."""
    if axis.ordered:
        low, high = axis.alternatives[0], axis.alternatives[-1]
        step = axis.alternatives[1] - low if len(axis.alternatives) > 1 else 1
        return trial.suggest_int(axis.name, low, high, step=step)
    if not isinstance(axis.alternatives[0], tuple):
        return trial.suggest_categorical(axis.name, list(axis.alternatives))
    by_text = {str(list(value)): value for value in axis.alternatives}
    return by_text[trial.suggest_categorical(axis.name, list(by_text))]
