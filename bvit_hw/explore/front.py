"""What a study has found: its points with configuration, command and checkpoint, and which of them are the front."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from bvit_hw.explore.hardware import Point
from bvit_hw.explore.objectives import OBJECTIVES, Objective, dominates
from bvit_hw.explore.space import Space
from bvit_hw.explore.stamp import AGAIN, FINAL_OF, REASON, SURPLUS, UNCOUNTED
from bvit_hw.explore.storage import IDENTITY
from bvit_hw.models.config import BinaryViTConfig


@dataclass(frozen=True, kw_only=True)
class Row:
    """One finished trial that is a point."""

    number: int
    #: how it was trained: not at all, briefly, in full
    training: str
    front: bool
    values: dict[str, float]
    #: what was chosen for each axis
    choices: dict[str, Any]
    point: Point
    #: weights with which it was folded: random, or its own
    folded: str
    network: dict[str, Any]
    accuracy: float | None
    epochs: int | None
    checkpoint: str | None
    #: what builds it
    command: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """A study's rows, the front first, and what became of its other trials."""

    name: str
    objectives: tuple[Objective, ...]
    rows: tuple[Row, ...]
    #: by the reason, how often: trials that are no points
    dropped: dict[str, int]
    trials: int
    base: str

    def as_json(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {
            "study": self.name,
            "base": self.base,
            "objectives": {o.name: {"direction": o.direction, "title": o.title} for o in self.objectives},
            "trials": self.trials,
            "points": [asdict(row) for row in self.rows],
            "dropped": self.dropped,
        }


def found_in(study: optuna.Study, space: Space, storage: str) -> Found:
    """The state of ``study`` as it is now."""
    objectives = tuple(OBJECTIVES[name] for name in study.user_attrs[IDENTITY]["objectives"])
    trials = study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    superseded = {t.user_attrs[FINAL_OF] for t in done if FINAL_OF in t.user_attrs}
    done = [t for t in done if t.number not in superseded]
    rows = [_row(trial, done, objectives, study, space, storage) for trial in done]
    signs = [1 if objective.direction == "maximize" else -1 for objective in objectives]
    rows.sort(key=lambda r: (not r.front, *(-s * v for s, v in zip(signs, r.values.values(), strict=True)), r.number))
    dropped: dict[str, int] = {}
    for trial in trials:
        if trial.state == TrialState.PRUNED and SURPLUS not in trial.user_attrs:
            reason = str(trial.user_attrs.get(REASON, "stopped"))
            if trial.user_attrs.get(UNCOUNTED) == AGAIN:
                reason = AGAIN  # of all points alike: whose it is does not matter here
            dropped[reason] = dropped.get(reason, 0) + 1
    return Found(
        name=study.study_name,
        objectives=objectives,
        rows=tuple(rows),
        dropped=dict(sorted(dropped.items(), key=lambda pair: -pair[1])),
        trials=len(trials),
        base=space.base.name,
    )


def _row(
    trial: FrozenTrial,
    done: Sequence[FrozenTrial],
    objectives: Sequence[Objective],
    study: optuna.Study,
    space: Space,
    storage: str,
) -> Row:
    attributes = trial.user_attrs
    trained = "full" if FINAL_OF in attributes else "brief" if "accuracy" in attributes else "none"
    point = Point(**attributes["point"])
    return Row(
        number=trial.number,
        training=trained,
        front=not any(dominates(other.values, trial.values, objectives) for other in done),
        values=dict(zip((objective.name for objective in objectives), trial.values, strict=True)),
        choices=dict(trial.params),
        point=point,
        folded=attributes["folded"],
        network=attributes["network"],
        accuracy=attributes.get("accuracy"),
        epochs=attributes.get("epochs"),
        checkpoint=attributes.get("checkpoint"),
        command=command_of(trial, point, study.study_name, space, storage),
    )


def command_of(trial: FrozenTrial, point: Point, study: str, space: Space, storage: str) -> str:
    """The command that builds the point: of its own words where the network has a name, else out of the study."""
    if not space.fixed or "accuracy" in trial.user_attrs:
        where = storage if "://" in storage else str(Path(storage).absolute())
        words = ["--from-study", where, "--trial", str(trial.number)]
        if study != "bvit-hw":
            words += ["--study", study]
    else:
        words = [*space.base_words, "--board", trial.user_attrs.get("board_file", point.board)]
        if space.base_words[0] == "--preset" and space.checkpoint is None:
            words.append("--random-weights")
        if point.target_fps is not None:
            words += ["--target-fps", f"{point.target_fps:.15g}"]
        else:  # of itself a build may choose the other one
            words += ["--architecture", point.architecture]
    return shlex.join(["bvit-hw", "build", *words])


def config_of(trial: FrozenTrial) -> BinaryViTConfig:
    """The network of a trial."""
    return BinaryViTConfig.create(**trial.user_attrs["network"])
