"""A trained network's file, whichever of both kinds it is: a checkpoint, or a frozen network (`bvit-hw freeze`).

Both hold the configuration and the free data that training wrote (data set, class names, preprocessing, accuracy); a
frozen network holds integers in place of the weights, so that nothing is left to calibrate or to train.
"""

from __future__ import annotations

from pathlib import Path

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.file import is_frozen, load_frozen, read_frozen_head
from bvit_hw.data.record import DataRecord, record_of
from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.freeze.calibrate import CalibrationReport
from bvit_hw.models.config import BinaryViTConfig

#: the file that every training run writes (train/loop.py)
_TRAINED = "model"


def network_config(path: Path) -> BinaryViTConfig:
    """The configuration of the network in ``path``, read without its numbers; raises :class:`CheckpointError`."""
    from bvit_hw.models import checkpoint_config

    if not is_frozen(path):
        return checkpoint_config(path)
    return config_of(read_frozen_head(path)["graph"].get("config"), path)


def config_of(stored: object, where: object) -> BinaryViTConfig:
    """The configuration that a frozen graph holds; :class:`CheckpointError`, naming ``where``, if it is none."""
    try:
        return BinaryViTConfig.create(**(stored if isinstance(stored, dict) else {}))
    except (ConfigError, TypeError) as error:
        raise CheckpointError(f"frozen network {where}: its configuration: {error}") from error


def network_info(path: Path) -> dict[str, object]:
    """The free data that training wrote into the network's file; empty where there are none."""
    from bvit_hw.models import checkpoint_info

    if not is_frozen(path):
        return checkpoint_info(path)
    info = read_frozen_head(path).get("info")
    return dict(info) if isinstance(info, dict) else {}


def network_record(path: Path) -> DataRecord:
    """What the network's file says of its data: data set, class names, preprocessing."""
    return record_of(network_info(path), network_config(path), path)


def network_name(path: Path) -> str:
    """What people call the network: its file's name; where training named the file, what it says, or its folder's name.

    A frozen network is called as the checkpoint was that it was frozen from, where it says so.
    """
    if is_frozen(path):
        name = read_frozen_head(path).get("name")
        return name if isinstance(name, str) and name else path.stem
    path = path.absolute()
    if path.stem != _TRAINED:
        return path.stem
    told = network_info(path).get("network")
    return told if isinstance(told, str) and told else path.parent.name or path.stem


def load_graph(path: Path, calibrate: str | None = None) -> tuple[FrozenGraph, CalibrationReport | None]:
    """The integers of the network in ``path``, frozen here if it is a checkpoint (with images of ``calibrate``)."""
    from bvit_hw.calibration import load_ready
    from bvit_hw.freeze import freeze

    if is_frozen(path):
        refuse_calibration(path, calibrate)
        return load_frozen(path), None
    model, report = load_ready(path, calibrate)
    return freeze(model), report


def refuse_calibration(path: Path, calibrate: str | None) -> None:
    """:class:`ConfigError` where a frozen network is to be calibrated: its scales are part of its integers."""
    if calibrate is not None:
        raise ConfigError(f"{path}: is frozen, with its fixed-point scales; leave out --calibrate {calibrate}")
