"""Where a study is kept, and that it is the one that is meant."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from bvit_hw.errors import ConfigError, OutputError
from bvit_hw.explore.objectives import Objective

STUDY_NAME = "bvit-hw"
#: the journal in a search's output folder
JOURNAL = "study.journal"
#: attributes of a study: what it searches, on what data
IDENTITY, DATA = "explore", "data"

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(text: str, *, reading: bool = False) -> BaseStorage:
    """A database where ``text`` is a URL, else the journal file so called, or the one in the folder so called.

    With ``reading`` a file that is not there is an error. Raises a BvitError naming ``text``.
    """
    if "://" in text:
        try:
            return RDBStorage(text)
        except Exception as error:  # whatever SQLAlchemy and the database's driver raise
            raise OutputError(f"storage {text} cannot be used: {str(error).splitlines()[0]}") from error
    path = journal_path(text)
    if reading and not path.is_file():
        raise ConfigError(f"storage {text}: there is no such file; `bvit-hw explore` writes OUT/{JOURNAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path)))
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(f"storage {text} cannot be used: {error}") from error


def journal_path(text: str) -> Path:
    """The journal file that ``text`` names."""
    path = Path(text).expanduser()
    return path / JOURNAL if path.is_dir() else path


def open_study(
    storage: BaseStorage,
    name: str,
    *,
    objectives: Sequence[Objective],
    identity: Mapping[str, Any],
    data: Mapping[str, Any] | None,
    sampler: BaseSampler,
) -> optuna.Study:
    """The study called ``name``, begun where there is none; :class:`ConfigError` where it is of something else."""
    directions = [objective.direction for objective in objectives]
    mine = json.loads(json.dumps({**identity, "objectives": [objective.name for objective in objectives]}))
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions, sampler=sampler)
        study.set_user_attr(IDENTITY, mine)
        study.set_user_attr(DATA, data)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name, sampler=sampler)
    attributes = study.user_attrs
    if IDENTITY not in attributes:  # begun by a worker that has not come further yet, or died there
        study.set_user_attr(IDENTITY, mine)
        study.set_user_attr(DATA, data)
        attributes = study.user_attrs
    others = _differences(attributes[IDENTITY], mine)
    if others:
        raise ConfigError(
            f"study {name!r} in this storage is of another space ({'; '.join(others)}); --study or --out names another"
        )
    others = _differences(attributes.get(DATA) or {}, dict(data or {}))
    if others:
        raise ConfigError(
            f"study {name!r} in this storage is of other data ({'; '.join(others)}); --study or --out names another"
        )
    return study


def _differences(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    """Fields, ``name: theirs -> mine``, shortened."""
    found = []
    for name in sorted({*theirs, *mine}):
        one, other = theirs.get(name), mine.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += [f"{name}.{inner}" for inner in _differences(one, other)]
        elif one != other:
            found.append(f"{name}: {json.dumps(one)[:80]} -> {json.dumps(other)[:80]}")
    return found


def load_study(storage: str, name: str) -> optuna.Study:
    """A study to read; raises :class:`ConfigError` where there is none so called, listing those that are there."""
    opened = open_storage(storage, reading=True)
    try:
        study = optuna.load_study(storage=opened, study_name=name)
    except KeyError as error:
        names = [s for s in optuna.get_all_study_names(opened) if "/" not in s]
        raise ConfigError(f"storage {storage} has no study {name!r}; there are: {', '.join(names)}") from error
    if IDENTITY not in study.user_attrs:
        raise ConfigError(f"study {name!r} in {storage} is not one of `bvit-hw explore`")
    return study
