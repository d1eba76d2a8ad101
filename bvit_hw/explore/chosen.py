"""A study's trial as what `bvit-hw build` is given: network, checkpoint, board, rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optuna.trial import TrialState

from bvit_hw.boards import load_board
from bvit_hw.disk import write_aside
from bvit_hw.errors import ConfigError
from bvit_hw.explore.extra import require_extra
from bvit_hw.explore.front import config_of
from bvit_hw.explore.hardware import Point
from bvit_hw.explore.stamp import FINAL_OF, REASON, RETRY_OF
from bvit_hw.explore.storage import IDENTITY, journal_path, load_study
from bvit_hw.explore.training import digest_of
from bvit_hw.models.network_toml import NetworkDescription, network_text


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """``checkpoint`` is None where the trial trained nothing, or where the file is not on this machine."""

    #: a name, or the path of a file
    board: str
    architecture: str
    target_fps: float | None
    network: Path
    checkpoint: Path | None
    #: what is to be told of the weights
    note: str


def chosen_trial(storage: str, study: str, number: int) -> Chosen:
    """Trial ``number`` of a study, its network written as a .toml file beside the storage, or in build/explore.

    Raises :class:`ConfigError` where there is no such trial, or where it is no point: with the reason.
    """
    require_extra()
    found = load_study(storage, study)
    trials = {trial.number: trial for trial in found.get_trials(deepcopy=False)}
    if number not in trials:
        raise ConfigError(f"--trial {number}: study {study!r} has trials 0 to {len(trials) - 1}")
    trial = trials[number]
    if trial.state != TrialState.COMPLETE:
        why = trial.user_attrs.get(REASON, f"it is {trial.state.name.lower()}")
        again = [t.number for t in trials.values() if t.user_attrs.get(RETRY_OF) == number]
        more = f"; trial {again[-1]} is it again" if again else ""
        raise ConfigError(f"--trial {number} of study {study!r} is no point: {why}{more}")
    point = Point(**trial.user_attrs["point"])
    folder = Path("build/explore") if "://" in storage else journal_path(storage).parent
    kind = "finalist" if FINAL_OF in trial.user_attrs else "trial"
    path = folder / "networks" / f"{study}-{kind}-{number}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = f"{kind} {number} of study {study}"
    write_aside(path, network_text(NetworkDescription(name=path.stem, config=config_of(trial), summary=said)))
    kept = trial.user_attrs.get("checkpoint")
    checkpoint = Path(kept) if kept is not None and Path(kept).is_file() else None
    if checkpoint is not None:
        note = f"{said}: {checkpoint}"
    elif kept is not None:
        note = f"{said}: its checkpoint {kept} is not on this machine; random weights"
    else:
        note = f"{said}: was not trained; random weights"
    board = trial.user_attrs.get("board_file", point.board)
    if digest_of(load_board(board)) != found.user_attrs[IDENTITY]["boards"].get(point.board):
        note += f"; board {board} has changed since, so the figures may be others"
    return Chosen(
        board=board, architecture=point.architecture, target_fps=point.target_fps, network=path, checkpoint=checkpoint,
        note=note,
    )  # fmt: skip
