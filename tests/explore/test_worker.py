"""Workers that share a study: rungs, finalists, one that is killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState
from safetensors.torch import load_file

from bvit_hw.errors import ConfigError
from bvit_hw.explore.chosen import chosen_trial
from bvit_hw.explore.front import found_in
from bvit_hw.explore.page import write_found
from bvit_hw.explore.settings import Settings
from bvit_hw.explore.space import read_space
from bvit_hw.explore.stamp import FINAL_OF, RETRY_OF, RUNGS, STAMP, SURPLUS, UNCOUNTED, WORKER
from bvit_hw.explore.storage import load_study
from bvit_hw.train.state import read_state
from tests.explore.tiny import TRAINED_SPACE, write_space


def _settings(folder: Path, text: str = TRAINED_SPACE, **changes: object) -> Settings:
    settings = Settings(
        space=read_space(write_space(folder, text)),
        boards=("u250",),
        objectives="accuracy,rate,lut",
        out=folder / "out",
        storage=str(folder / "study.journal"),
        trials=3,
        seed=0,
        interval=1.0,
        patience=6.0,
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


def _run(settings: Settings) -> None:
    settings.worker().run()


def test_a_killed_workers_trial_is_taken_again(tmp_path: Path) -> None:
    """Two workers of one study; the one that trains is killed by SIGKILL, the other does all that is left."""
    settings = _settings(tmp_path, TRAINED_SPACE.replace("first_rung = 1", "first_rung = 0").replace("= 6", "= 8"))
    study = settings.worker().study
    context = multiprocessing.get_context("fork")  # PyTorch is imported already; its threads are not running
    workers = [context.Process(target=_run, args=(replace(settings, seed=seed),)) for seed in range(2)]
    for worker in workers:
        worker.start()
    killed = None
    deadline = time.monotonic() + 300
    while killed is None and time.monotonic() < deadline:
        time.sleep(0.02)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            state = tmp_path / "out" / "training" / f"trial-{trial.number}" / "train_state.safetensors"
            if state.is_file() and WORKER in trial.user_attrs:
                pid = int(trial.user_attrs[WORKER].rpartition(":")[2])
                os.kill(pid, signal.SIGKILL)
                killed = trial.number, pid
                break
    assert killed is not None, "no trial came to train"
    for worker in workers:
        worker.join(300)
    assert sorted(w.exitcode for w in workers if w.exitcode is not None) == [-signal.SIGKILL, 0]
    number, pid = killed
    trials = study.get_trials(deepcopy=False)
    dead = trials[number]
    again = [trial for trial in trials if trial.user_attrs.get(RETRY_OF) == number]
    assert dead.state == TrialState.FAIL and len(again) == 1
    assert again[0].params == dead.params and again[0].state == TrialState.COMPLETE
    assert again[0].user_attrs[WORKER] != dead.user_attrs[WORKER]
    own = again[0].user_attrs.get("trained_by", number)  # else the other worker had trained that network by then
    assert f"trial-{own}" in again[0].user_attrs["checkpoint"], "it did not go on in the same folder"
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    fresh = [t for t in trials if not {RETRY_OF, FINAL_OF, SURPLUS} & t.user_attrs.keys()]
    assert len(fresh) == 3
    finals = [t for t in trials if FINAL_OF in t.user_attrs and SURPLUS not in t.user_attrs]
    assert len(finals) == 1 and finals[0].user_attrs["epochs"] == 7, "a finalist is trained once"


def test_training_goes_on_within_a_trial(tmp_path: Path) -> None:
    """Killed after three epochs of eight, it goes on with the fourth at least, and ends with the same weights."""
    text = TRAINED_SPACE.replace("[1, 2]", "[1]").replace("[[8], [16], [24]]", "[[16]]").replace("= 6", "= 8")
    text = text.replace("finalists = 1", "finalists = 0")
    folders = [tmp_path / "killed", tmp_path / "whole"]
    for folder in folders:
        folder.mkdir()
    killed, whole = (_settings(folder, text, trials=1, interval=0.2, patience=1.0) for folder in folders)
    study = killed.worker().study
    process = multiprocessing.get_context("fork").Process(target=_run, args=(killed,))
    process.start()
    state = folders[0] / "out" / "training" / "trial-0" / "train_state.safetensors"
    deadline = time.monotonic() + 300
    while _epochs_in(state) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    before, rungs = _epochs_in(state), study.get_trials()[0].user_attrs[RUNGS]
    assert 3 <= before < 8 and study.get_trials()[0].state == TrialState.RUNNING and set(rungs) >= {"1", "2"}

    said: list[str] = []
    killed.worker(said.append).run()
    epochs = [int(found[1]) for text in said if (found := re.match(r"trial 1: (\d+) of 8 epochs", text))]
    assert epochs == list(range(before + 1, 9))
    again = study.get_trials()[1]
    assert again.state == TrialState.COMPLETE and again.user_attrs[RETRY_OF] == 0
    assert rungs.items() <= again.user_attrs[RUNGS].items(), "a rung is measured once"
    _run(whole)
    models = [load_file(folder / "out" / "training" / "trial-0" / "model.safetensors") for folder in folders]
    assert models[0].keys() == models[1].keys()
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def _epochs_in(state: Path) -> int:
    """Epochs done by the training that left ``state``; 0 without one."""
    found = read_state(state)
    return 0 if found is None else int(found[1]["epoch"])


def test_a_finalist_is_never_lost_nor_trained_twice(tmp_path: Path) -> None:
    """Two workers enqueue it at once; one that died with it has it taken again."""
    text = TRAINED_SPACE.replace("[1, 2]", "[1]").replace("[[8], [16], [24]]", "[[8]]")
    settings = _settings(tmp_path, text.replace("= 6", "= 2").replace("= 7", "= 3"), trials=1)
    worker = settings.worker()
    worker._one()
    trials = worker.study.get_trials()
    assert worker._enqueue_finalists(trials) and worker._enqueue_finalists(trials), "both have seen the same"
    dead = worker.study.ask()
    assert dead.user_attrs == {FINAL_OF: 0}
    dead.set_user_attr(STAMP, time.time() - 60)
    worker.run()
    finals = [t for t in worker.study.get_trials() if FINAL_OF in t.user_attrs]
    assert [t.state for t in finals] == [TrialState.FAIL, TrialState.COMPLETE]
    assert finals[1].user_attrs["epochs"] == 3
    assert not worker._enqueue_finalists(worker.study.get_trials())


def test_a_search_with_rungs(tmp_path: Path) -> None:
    settings = _settings(tmp_path, TRAINED_SPACE.replace("epochs = 6", "epochs = 2").replace("= 7", "= 3"), trials=3)
    worker = settings.worker()
    worker.run()
    trials = worker.study.get_trials(deepcopy=False)
    assert all(STAMP in trial.user_attrs for trial in trials)
    measured = [t for t in trials if RUNGS in t.user_attrs and FINAL_OF not in t.user_attrs]
    assert measured and all(list(t.user_attrs[RUNGS]) == ["1"] for t in measured)
    stopped = [t for t in trials if t.state == TrialState.PRUNED]
    for trial in stopped:  # the best at the rung goes on, always
        best = max(t.user_attrs[RUNGS]["1"] for t in measured)
        assert trial.user_attrs[RUNGS]["1"] < best and "after 1 epochs" in trial.user_attrs["reason"]
    final = next(t for t in trials if FINAL_OF in t.user_attrs)
    assert final.state == TrialState.COMPLETE and final.user_attrs["epochs"] == 3
    assert final.user_attrs["folded"] == "trained weights" and Path(final.user_attrs["checkpoint"]).is_file()

    found = found_in(worker.study, settings.space, settings.storage)
    assert final.user_attrs[FINAL_OF] not in [row.number for row in found.rows], "the finalist stands for it"
    row = next(row for row in found.rows if row.number == final.number)
    assert row.training == "full" and row.command.endswith(f"study.journal --trial {final.number}")
    page = write_found(found, tmp_path).read_text()
    assert row.command in page and "https://cdn" not in page.split("</script>", 1)[1] and row.checkpoint in page

    chosen = chosen_trial(settings.storage, settings.study, final.number)
    assert chosen.checkpoint == Path(final.user_attrs["checkpoint"]) and chosen.board == "u250"
    assert chosen.target_fps == 20000
    Path(final.user_attrs["checkpoint"]).unlink()
    gone = chosen_trial(settings.storage, settings.study, final.number)
    assert gone.checkpoint is None and "not on this machine" in gone.note
    with pytest.raises(ConfigError, match="--trial 99: study 'bvit-hw' has trials 0 to"):
        chosen_trial(settings.storage, settings.study, 99)
    with pytest.raises(ConfigError, match="has no study 'other'; there are: bvit-hw"):
        load_study(settings.storage, "other")

    # The same study again has nothing to do; one of another space, or other data, is refused.
    count = len(trials)
    again = settings.worker()
    again.run()
    assert len(again.study.get_trials()) == count
    wider = TRAINED_SPACE.replace("[24]", "[32]").replace("epochs = 6", "epochs = 2").replace("= 7", "= 3")
    with pytest.raises(ConfigError, match=r"of another space \(network.mlp_widths"):
        _settings(tmp_path, wider).worker()
    worker.study.set_user_attr("data", {**worker.study.user_attrs["data"], "train": 7})
    with pytest.raises(ConfigError, match=r"of other data \(train: 7 -> 1437"):
        settings.worker()


def test_without_training_all_points_are_exact(tmp_path: Path) -> None:
    """Constraints are checked before; a database serves as well as a journal."""
    text = 'base = "tiny.toml"\n[network]\nmlp_widths = [[8], [12], [16]]\n[hardware]\ntarget_fps = ["fastest", 1e9]\n'
    settings = _settings(
        tmp_path, text + "[constraints]\nmin_fps = 5\n", objectives="rate,lut,binary_macs", trials=None,
        storage=f"sqlite:///{tmp_path}/study.db",
    )  # fmt: skip
    worker = settings.worker()
    worker.run()
    trials = worker.study.get_trials()
    assert len(trials) == 5, "two legal networks at two rates, and one that is none"
    reasons = sorted(t.user_attrs["reason"] for t in trials if t.state == TrialState.PRUNED)
    assert len(reasons) == 3 and "1e+09 frames a second" in reasons[-1] and "no multiple" in reasons[0]
    found = found_in(worker.study, settings.space, settings.storage)
    assert len(found.rows) == 2 and {row.training for row in found.rows} == {"none"}
    assert found.rows[0].command == f"bvit-hw build --from-study {settings.storage} --trial {found.rows[0].number}"


def test_a_point_that_is_drawn_again_is_not_measured_again(tmp_path: Path) -> None:
    settings = _settings(tmp_path, objectives="rate,lut", sampler="random", trials=3)
    worker = settings.worker()
    worker.study.enqueue_trial({"mlp_widths": "[16]"})
    worker._one()
    worker.study.enqueue_trial(worker.study.trials[0].params)
    worker.run()
    first, again, *others = worker.study.get_trials(deepcopy=False)
    assert first.params == again.params
    assert (first.state, again.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert again.user_attrs["reason"] == "the same point as trial 0's" and "point" not in again.user_attrs
    assert sum(UNCOUNTED not in t.user_attrs for t in others) == 2, "it was no trial of the three"
    found = found_in(worker.study, settings.space, settings.storage)
    assert found.dropped["drawn before"] == 1 + sum(t.user_attrs.get(UNCOUNTED) == "drawn before" for t in others)


def test_only_legal_networks_count_as_trials(tmp_path: Path) -> None:
    text = TRAINED_SPACE.replace("[[8], [16], [24]]", "[[9], [10], [11], [12], [13], [16]]")
    settings = _settings(tmp_path, text, objectives="rate,lut", sampler="random", trials=2)
    worker, told = settings.worker(), []
    worker.done = lambda count, total: told.append((count, total))
    worker.study.enqueue_trial({"mlp_widths": "[9]"})
    worker.run()
    trials = worker.study.get_trials(deepcopy=False)
    assert trials[0].user_attrs[UNCOUNTED] == "no legal network" and "no multiple" in trials[0].user_attrs["reason"]
    assert sum(t.state == TrialState.COMPLETE for t in trials) == 2 and told[-1] == (2, 2)


def test_a_space_of_few_points_ends_a_search_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bvit_hw.explore.worker._VAIN_DRAWS", 12)
    settings = _settings(tmp_path, objectives="rate,lut", sampler="random", trials=20)
    assert replace(settings, trials=None).worker().search.trials == 6, "as many as there are points"
    worker = settings.worker()
    worker.run()
    trials = worker.study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    assert len(done) <= 6 and all(t.user_attrs[UNCOUNTED] == "drawn before" for t in trials[-12:])
