"""Early stopping at rungs, by Optuna's successive halving.

Optuna prunes in studies of one objective only. So there is one beside the search for each band of frames/s, of accuracy
alone, in the same storage: small fast networks compete with their like, and a slow accurate one does not end them all.
"""

from __future__ import annotations

import math
from contextlib import suppress

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from bvit_hw.explore.space import Training

#: the fastest of a band are so many times as fast as its slowest
BAND = 4


def band_of(rate: float) -> int:
    """Lower end of the band of ``rate``, in frames/s: a power of :data:`BAND`, or 0."""
    return int(BAND ** math.floor(math.log(rate, BAND) + 1e-9)) if rate >= 1 else 0


class Rungs:
    """A trial's place among those of its band, all workers' together."""

    def __init__(
        self, storage: BaseStorage, study: str, rate: float, training: Training, passed: dict[int, float]
    ) -> None:
        """``study`` is the search's name; ``passed``: what a trial that goes on has been measured at earlier rungs."""
        pruner = SuccessiveHalvingPruner(
            min_resource=max(1, training.first_rung),
            reduction_factor=training.reduction,
            min_early_stopping_rate=0,
        )
        self.study = optuna.create_study(
            storage=storage,
            study_name=f"{study}/from-{band_of(rate)}-fps",
            direction="maximize",
            pruner=pruner,
            sampler=RandomSampler(),
            load_if_exists=True,
        )
        self.trial = self.study.ask()
        for epoch, accuracy in sorted(passed.items()):
            self.stop(epoch, accuracy)

    def stop(self, epoch: int, accuracy: float) -> bool:
        """Whether a trial of this accuracy after ``epoch`` epochs is to be stopped."""
        self.trial.report(accuracy, epoch)
        return bool(self.trial.should_prune())

    def close(self, accuracy: float | None) -> None:
        """The trial has ended: with its accuracy, or stopped."""
        with suppress(ValueError, UpdateFinishedTrialError):
            if accuracy is None:
                self.study.tell(self.trial, state=TrialState.PRUNED)
            else:
                self.study.tell(self.trial, accuracy)
