"""Successive halving among trials of one band of rates."""

from __future__ import annotations

import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from bvit_hw.explore.rungs import Rungs, band_of
from bvit_hw.explore.space import Training

TRAINING = Training(epochs=9, first_rung=1, reduction=3)


@pytest.fixture
def storage() -> BaseStorage:
    return InMemoryStorage()


def test_the_best_third_goes_on(storage: BaseStorage) -> None:
    for accuracy in (0.5, 0.6, 0.7):
        assert not Rungs(storage, "s", 1000.0, TRAINING, {}).stop(1, accuracy)
    low = Rungs(storage, "s", 1000.0, TRAINING, {})
    assert low.stop(1, 0.4)
    low.close(None)
    assert low.study.trials[-1].state == TrialState.PRUNED


def test_bands_do_not_compete(storage: BaseStorage) -> None:
    for accuracy in (0.7, 0.8, 0.9):
        Rungs(storage, "s", 1000.0, TRAINING, {}).stop(1, accuracy)
    assert not Rungs(storage, "s", 100_000.0, TRAINING, {}).stop(1, 0.1), "nobody else is as fast"
    assert Rungs(storage, "s", 1010.0, TRAINING, {}).stop(1, 0.1)


def test_a_trial_that_goes_on_keeps_its_rungs(storage: BaseStorage) -> None:
    again = Rungs(storage, "s", 1000.0, TRAINING, {1: 0.3, 3: 0.5})
    told = again.study.trials[-1]
    assert told.intermediate_values == {1: 0.3, 3: 0.5}
    again.close(0.6)
    assert again.study.trials[-1].value == 0.6


def test_bands() -> None:
    assert [band_of(rate) for rate in (0.2, 1, 3.9, 4, 63.9, 64, 97656)] == [0, 1, 1, 4, 16, 64, 65536]
