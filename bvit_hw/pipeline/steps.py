"""The first steps of a build: from a checkpoint to a folded hardware graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bvit_hw.calibration import load_ready
from bvit_hw.contract.file import is_frozen, load_frozen, save_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.data.folder import spread_classes
from bvit_hw.data.labelled import LabelledImages, class_names_of, generated_images, load_images
from bvit_hw.data.record import DataRecord
from bvit_hw.errors import ExportError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.models import BinaryViT, BinaryViTConfig, save_checkpoint
from bvit_hw.network_file import load_graph, network_config, network_info, network_record
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.random_network import random_notes
from bvit_hw.threads import choose_threads

#: of a dataset whose pictures have to be resized, accuracy is measured on so many
MOST_IMAGES = 512
#: images whose every named tensor is compared between frozen PyTorch, QONNX and the graph after each pass
COMPARED_IMAGES = 2


def write_json(path: Path, data: object) -> None:
    """Write ``data`` as indented JSON (the step's folder is still under its temporary name)."""
    path.write_text(json.dumps(data, indent=1) + "\n")


def frozen_of(context: StepContext) -> FrozenBinaryViT:
    """The frozen model of the step ``freeze``."""
    return FrozenBinaryViT(load_frozen(context.earlier["freeze"] / "frozen.safetensors"))


def images_of(context: StepContext, options: BuildOptions) -> LabelledImages:
    """The images of this build, in an order in which the simulated ones are of as many classes as may be."""
    path = context.earlier["checkpoint"] / "checkpoint.safetensors"
    return _images(options, network_config(path), network_record(path))


def _images(options: BuildOptions, config: BinaryViTConfig, record: DataRecord) -> LabelledImages:
    if options.data is None:
        found = generated_images(config, max(8, options.simulated_images))
        return replace(found, class_names=class_names_of(config, record))
    found = load_images(options.data, config, record, MOST_IMAGES)
    assert found.labels is not None
    order = spread_classes(found.labels)
    return replace(found, images=found.images[order], labels=found.labels[order])


def accuracy_of(predictions: np.ndarray, labels: np.ndarray | None) -> float | None:
    """Share of right predictions, 0..1; None without labels."""
    return None if labels is None else float(np.mean(predictions == labels))


def _qat_accuracy(model: BinaryViT, data: LabelledImages) -> float | None:
    if data.labels is None:
        return None
    import torch

    from bvit_hw.data import normalize
    from bvit_hw.train.trainer import accuracy

    images = normalize(data.images, model.config.mean, model.config.std)
    return accuracy(model, images, torch.from_numpy(data.labels))


def run_checkpoint(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Read the checkpoint, calibrate it where asked to, keep a copy, measure the QAT model's accuracy.

    Of a network that is frozen already there is no QAT model.
    """
    config, record = network_config(options.checkpoint), network_record(options.checkpoint)
    frozen = is_frozen(options.checkpoint)
    if frozen:
        load_frozen(options.checkpoint)  # whether it is whole is to be known now
    model, calibration = (None, None) if frozen else load_ready(options.checkpoint, options.calibrate)
    context.say(choose_threads(image_size=config.image_size))
    data = _images(options, config, record)
    kept = context.folder / "checkpoint.safetensors"
    if calibration is None or model is None:
        kept.write_bytes(options.checkpoint.read_bytes())
    else:
        save_checkpoint(model, kept, network_info(options.checkpoint) | {"calibration": calibration.as_json()})
    return {
        **({} if calibration is None else {"calibration": calibration.as_json()}),
        "data": data.source,
        "notes": [*data.notes, *random_notes(options.checkpoint)],
        "not_measured": options.not_measured,
        "recorded_accuracy": record.accuracy,
        "recorded_images": record.images,
        "recorded_data": record.dataset,
        "preprocessing": record.preprocessing.as_json(),
        "images": 0 if data.labels is None else len(data.images),
        "qat_accuracy": None if model is None else _qat_accuracy(model, data),
        "config": config.model_dump(mode="json"),
    }


def run_freeze(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Freeze into integers, unless that was done before; measure the frozen model's accuracy."""
    path = context.earlier["checkpoint"] / "checkpoint.safetensors"
    graph, _ = load_graph(path)
    context.say(choose_threads(image_size=network_config(path).image_size))
    digest = save_frozen(graph, context.folder / "frozen.safetensors", network_info(path), options.model_name)
    data = images_of(context, options)
    predictions = FrozenBinaryViT(graph).predict(data.images)
    return {
        "model_hash": digest,
        "frozen_accuracy": accuracy_of(predictions, data.labels),
        "logits_exponent": graph.tensors[graph.output].exponent,
    }


def run_export(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """Write QONNX and compare every tensor that has a name in both with the frozen model."""
    import torch

    from bvit_hw.qonnx import execute_qonnx, export_qonnx, load_qonnx

    frozen = frozen_of(context)
    export_qonnx(load_frozen(context.earlier["freeze"] / "frozen.safetensors"), context.folder / "model.onnx")
    images = images_of(context, options).images[:COMPARED_IMAGES]
    found = execute_qonnx(load_qonnx(context.folder / "model.onnx"), images)
    wanted = {name: value.numpy() for name, value in frozen.trace(torch.from_numpy(images)).items()}
    names = sorted(set(found) & set(wanted))
    for name in names:
        if not np.array_equal(found[name].reshape(wanted[name].shape), wanted[name]):
            raise ExportError(f"tensor {name}: QONNX and frozen model differ; please report this with the checkpoint")
    size = (context.folder / "model.onnx").stat().st_size
    return {"tensors_equal": len(names), "images_compared": len(images), "bytes": size}


def run_lower(context: StepContext, options: BuildOptions) -> Mapping[str, Any]:
    """QONNX to hardware operators, every named tensor compared after every pass."""
    from bvit_hw.finn.lower import hw_graph, lower_model, save_lowered
    from bvit_hw.graph.folding import require_fit
    from bvit_hw.graph.from_contract import hw_graph_of
    from bvit_hw.graph.vendor_cells import with_vendor_cells
    from bvit_hw.qonnx import load_qonnx

    # Comparing takes minutes where a network is large; whether it is too large is known at once.
    expected = hw_graph_of(load_frozen(context.earlier["freeze"] / "frozen.safetensors"))
    require_fit(with_vendor_cells(expected, options.board), options.board)
    model = load_qonnx(context.earlier["export"] / "model.onnx")
    images = images_of(context, options).images[:1]
    lowered = lower_model(model, images=images)
    save_lowered(lowered, context.folder / "hardware.onnx")
    graph = hw_graph(lowered)
    kinds: dict[str, int] = {}
    for node in graph.nodes:
        kinds[node.op.op_type] = kinds.get(node.op.op_type, 0) + 1
    return {"operators": kinds, "images_compared": len(images)}


def hash_of(context: StepContext) -> str:
    """The frozen model's SHA-256."""
    return model_hash(load_frozen(context.earlier["freeze"] / "frozen.safetensors"))
