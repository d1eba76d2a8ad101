"""A sign of life in the trial that a worker runs; and trials whose worker has died, given to another.

Optuna's own heartbeat is for databases alone, not for its journal file, so both have this one.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

log = logging.getLogger(__name__)

STAMP, WORKER, RETRY_OF, FINAL_OF, RUNGS, SURPLUS, REASON, BROKEN, UNCOUNTED = (
    "stamp", "worker", "retry_of", "final_of", "rungs", "surplus", "reason", "broken", "uncounted",
)  # fmt: skip
#: what UNCOUNTED may say: why a draw is not one of the trials that were asked for
ILLEGAL, AGAIN = "no legal network", "drawn before"
#: attributes that a trial which is taken again keeps
_KEPT = (FINAL_OF, RUNGS)


class Lost(Exception):
    """The trial was taken for dead, and another worker has it: this one's work on it is not wanted any more."""


class Stamp:
    """Writes the time into the running trial every ``interval`` seconds, in a thread, while the block runs."""

    def __init__(self, trial: optuna.Trial, interval: float) -> None:
        self.trial, self.interval = trial, interval
        self.lost = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bvit-stamp", daemon=True)

    def __enter__(self) -> Self:
        self.trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
        self.trial.set_user_attr(STAMP, time.time())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def check(self) -> None:
        """Raise :class:`Lost` where the trial is another worker's by now."""
        if self.lost:
            raise Lost

    def _run(self) -> None:
        while not self._end.wait(self.interval):
            try:
                self.trial.set_user_attr(STAMP, time.time())
            except UpdateFinishedTrialError:
                self.lost = True
                return
            except Exception as error:  # a file system or database that is away for a moment
                log.warning("trial %d: no sign of life could be written: %s", self.trial.number, error)


def last_sign(trial: FrozenTrial) -> float:
    """When the trial's worker was last seen alive."""
    started = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
    return float(trial.user_attrs.get(STAMP, started))


def take_back(study: optuna.Study, patience: float) -> list[int]:
    """Enqueue again what its workers have left: trials that failed; numbers of them.

    A trial without a sign of life for ``patience`` seconds is told to have failed. One that ended by a fault of the
    program (:data:`BROKEN`) is not tried again. A worker may die behind each line of this; whoever comes next does
    what it has not done. Several that come at once may enqueue a trial several times: see :func:`is_surplus`.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if time.time() - last_sign(trial) > patience:
            with suppress(ValueError, UpdateFinishedTrialError):  # it has ended meanwhile, or another has told so
                study.tell(trial.number, state=TrialState.FAIL)
    attempts: dict[tuple[str, int], list[FrozenTrial]] = {}
    for trial in study.get_trials(deepcopy=False):
        if SURPLUS not in trial.user_attrs:
            attempts.setdefault(_work_of(trial), []).append(trial)
    taken = []
    for trials in attempts.values():
        last = trials[-1]
        if all(trial.state == TrialState.FAIL and BROKEN not in trial.user_attrs for trial in trials):
            kept: dict[str, Any] = {name: last.user_attrs[name] for name in _KEPT if name in last.user_attrs}
            study.enqueue_trial(last.params, user_attrs={**kept, RETRY_OF: origin(last)})
            taken.append(last.number)
    return taken


def is_surplus(trial: FrozenTrial | optuna.Trial, trials: Sequence[FrozenTrial]) -> bool:
    """Whether an earlier one of ``trials`` is at the same work, or has done it."""
    return any(
        other.number < trial.number
        and other.state != TrialState.FAIL
        and SURPLUS not in other.user_attrs
        and _work_of(other) == _work_of(trial)
        for other in trials
    )


def _work_of(trial: FrozenTrial | optuna.Trial) -> tuple[str, int]:
    """What all attempts at a trial, or at the finalist of one, have in common."""
    final = trial.user_attrs.get(FINAL_OF)
    return ("trial", origin(trial)) if final is None else ("finalist", int(final))


def origin(trial: FrozenTrial | optuna.Trial) -> int:
    """The number under which the work of a trial began."""
    return int(trial.user_attrs.get(RETRY_OF, trial.number))
