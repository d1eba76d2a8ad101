"""Signs of life, and trials that are taken back."""

from __future__ import annotations

import time

import optuna
import pytest
from optuna.trial import TrialState

from bvit_hw.explore.stamp import (
    BROKEN,
    FINAL_OF,
    RETRY_OF,
    RUNGS,
    STAMP,
    SURPLUS,
    Lost,
    Stamp,
    is_surplus,
    last_sign,
    origin,
    take_back,
)


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
    trial = study.trials[0]
    assert trial.datetime_start is not None and last_sign(trial) == trial.datetime_start.timestamp()
    assert take_back(study, patience=20) == [] and take_back(study, patience=-1) == [0]


def test_a_worker_that_died_between_telling_and_enqueueing(study: optuna.Study) -> None:
    """Whoever comes next enqueues it; a trial that broke the program is not tried again, nor what was one too many."""
    for attribute in ("", BROKEN, SURPLUS):
        trial = study.ask()
        if attribute:
            trial.set_user_attr(attribute, True)
        study.tell(trial, state=TrialState.FAIL)
    assert take_back(study, patience=20) == [0]
    assert [t.user_attrs.get(RETRY_OF) for t in study.trials] == [None, None, None, 0]


@pytest.mark.parametrize("attributes", [{RETRY_OF: 0}, {FINAL_OF: 0}, {FINAL_OF: 0, RETRY_OF: 5}])
def test_of_two_at_the_same_work_the_second_is_surplus(study: optuna.Study, attributes: dict[str, int]) -> None:
    if FINAL_OF in attributes:
        study.tell(study.ask(), (1.0, 1.0))
    else:
        study.tell(study.ask(), state=TrialState.FAIL)
    study.enqueue_trial({}, user_attrs=attributes)
    study.enqueue_trial({}, user_attrs=attributes)
    study.enqueue_trial({}, user_attrs={FINAL_OF: 3})
    first, second, other = study.ask(), study.ask(), study.ask()
    assert not is_surplus(first, study.trials) and not is_surplus(other, study.trials)
    assert is_surplus(second, study.trials)
    second.set_user_attr(SURPLUS, True)
    study.tell(second, state=TrialState.PRUNED)
    study.tell(first, state=TrialState.FAIL)
    study.tell(other, (1.0, 1.0))
    assert take_back(study, patience=20) == [1], "the first died, and the second has stepped back"
