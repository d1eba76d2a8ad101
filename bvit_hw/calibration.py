"""Checkpoints ready to freeze: fixed-point scales from training, or chosen here from images."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.data.calibration import load_calibration
from bvit_hw.data.record import DataRecord, record_of
from bvit_hw.errors import ConfigError, FreezeError
from bvit_hw.freeze.calibrate import CalibrationReport, calibrate
from bvit_hw.models import BinaryViT, checkpoint_info, load_checkpoint


def calibrate_from(
    model: BinaryViT, source: str, images: int | None = None, record: DataRecord | None = None
) -> CalibrationReport:
    """Choose the scales of a float-residual model from some ``images`` of ``source`` (a folder, an .npz, a dataset).

    ``record`` is the checkpoint's, where it has one: class names and preprocessing.

    Raises :class:`DatasetError` or :class:`ConfigError` naming what is wrong with the source or the model.
    """
    found = load_calibration(source, model.config, limit=images, record=record)
    return calibrate(
        model, found.images, found.check_images, found.labels, source=found.source, separate=found.separate
    )


def load_ready(path: Path | str, source: str | None = None) -> tuple[BinaryViT, CalibrationReport | None]:
    """The model of a checkpoint in ``quant`` mode, and what calibration did where ``source`` asked for one.

    A float-residual checkpoint without ``source`` raises :class:`FreezeError` saying what to do, one that has its
    scales with ``source`` :class:`ConfigError`.
    """
    model = load_checkpoint(path)
    if model.mode == "quant":
        if source is not None:
            raise ConfigError(f"{path}: has its fixed-point scales already; leave out --calibrate {source}")
        return model, None
    if source is None:
        raise FreezeError(
            f"{path}: the model's activations are not quantized yet (mode {model.mode!r}): give images to choose their "
            "scales with, --calibrate DIR or --calibrate DATASET, or train it further with quantized epochs"
        )
    record = record_of(checkpoint_info(path), model.config, path)
    return model, calibrate_from(model, source, record=record)
