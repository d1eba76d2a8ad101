"""The step `checkpoint`: a trained network, calibrated where asked to, and its accuracy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bvit_hw.calibration import load_ready
from bvit_hw.contract.file import is_frozen, load_frozen
from bvit_hw.data.labelled import LabelledImages
from bvit_hw.models import BinaryViT, save_checkpoint
from bvit_hw.network_file import network_info
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.random_network import random_notes
from bvit_hw.threads import choose_threads


def _qat_accuracy(model: BinaryViT, data: LabelledImages) -> float | None:
    if data.labels is None:
        return None
    import torch

    from bvit_hw.data import normalize
    from bvit_hw.train.trainer import accuracy

    images = normalize(data.images, model.config.mean, model.config.std)
    return accuracy(model, images, torch.from_numpy(data.labels))


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Read the checkpoint, calibrate it where asked to, keep a copy, measure the QAT model's accuracy.

    Of a network that is frozen already there is no QAT model.
    """
    options, record, given = build.options, build.record, build.options.checkpoint
    frozen = is_frozen(given)
    if frozen:
        load_frozen(given)  # whether it is whole is to be known now
    model, calibration = (None, None) if frozen else load_ready(given, options.calibrate)
    context.say(choose_threads(image_size=build.config.image_size))
    data = build.images
    kept = context.folder / "checkpoint.safetensors"
    if calibration is None or model is None:
        kept.write_bytes(given.read_bytes())
    else:
        save_checkpoint(model, kept, network_info(given) | {"calibration": calibration.as_json()})
    return {
        **({} if calibration is None else {"calibration": calibration.as_json()}),
        "data": data.source,
        "notes": [*data.notes, *random_notes(given)],
        "not_measured": options.not_measured,
        "recorded_accuracy": record.accuracy,
        "recorded_images": record.images,
        "recorded_data": record.dataset,
        "preprocessing": record.preprocessing.as_json(),
        "images": 0 if data.labels is None else len(data.images),
        "qat_accuracy": None if model is None else _qat_accuracy(model, data),
        "config": build.config.model_dump(mode="json"),
    }


def _content(data: str) -> str:
    """What tells whether images have changed: a file's hash, a folder's listing, a dataset's name."""
    path = Path(data.partition("=")[2] or data).expanduser()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return data
    listing = hashlib.sha256()
    for entry in sorted(path.rglob("*")):
        facts = entry.lstat()
        listing.update(f"{entry.relative_to(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return listing.hexdigest()


def _inputs(options: BuildOptions) -> Mapping[str, Any]:
    chosen = {
        "checkpoint": options.checkpoint_digest,
        "data": "none" if options.data is None else _content(options.data),
        "convert_colours": options.convert_colours,
    }
    return chosen if options.calibrate is None else chosen | {"calibrate": _content(options.calibrate)}


STEP = BuildStep(
    name="checkpoint",
    title="checkpoint: accuracy of the QAT model",
    run=run,
    inputs=_inputs,
    code=("contract", "models", "freeze", "execute", "data", "calibration.py", "network_file.py"),
)
