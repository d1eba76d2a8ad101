"""Signs of life, and trials that are taken back."""

from __future__ import annotations

import time
from datetime import timedelta

import optuna
import pytest
from optuna.trial import TrialState

from bvit_hw.explore.stamp import FINAL_OF, RETRY_OF, RUNGS, STAMP, Lost, Stamp, origin, take_back


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(directions=["maximize", "maximize"])


def test_a_trial_gives_signs_of_life(study: optuna.Study) -> None:
    trial = study.ask()
    with Stamp(trial, 0.01) as stamp:
        first = trial.user_attrs[STAMP]
        deadline = time.monotonic() + 30
        while study.trials[0].user_attrs[STAMP] == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert study.trials[0].user_attrs[STAMP] > first
        assert take_back(study, patience=20) == []
        stamp.check()
        study.tell(trial, state=TrialState.FAIL)
        while not stamp.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(Lost):
            stamp.check()


def test_a_silent_trial_is_taken_back_once(study: optuna.Study) -> None:
    trial = study.ask()
    trial.suggest_int("x", 0, 1000)
    trial.set_user_attr(STAMP, time.time() - 30)
    trial.set_user_attr(RUNGS, {"1": 0.5})
    trial.set_user_attr(FINAL_OF, 7)
    trial.set_user_attr("reason", "nothing that is kept")
    assert take_back(study, patience=60) == []
    assert take_back(study, patience=20) == [0]
    assert take_back(study, patience=20) == []
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    again = study.ask()
    assert again.user_attrs == {RUNGS: {"1": 0.5}, FINAL_OF: 7, RETRY_OF: 0} and origin(again) == 0
    assert again.suggest_int("x", 0, 1000) == trial.params["x"]
    again.set_user_attr(STAMP, time.time() - 30)
    assert take_back(study, patience=20) == [1]
    assert study.trials[2].user_attrs[RETRY_OF] == 0, "the work began with the first"


def test_a_worker_that_died_before_its_first_sign(study: optuna.Study) -> None:
    study.ask()
    started = study.trials[0].datetime_start
    assert started is not None and take_back(study, patience=20) == []
    study.trials  # noqa: B018
    held = study._storage._get_trial(0)  # type: ignore[attr-defined]
    held.datetime_start = started - timedelta(seconds=30)
    assert take_back(study, patience=20) == [0]
