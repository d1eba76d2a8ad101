"""The step `export`: QONNX, equal to the frozen network at every tensor that both name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bvit_hw.errors import ExportError
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext

#: images whose every named tensor is compared between frozen PyTorch and QONNX
COMPARED_IMAGES = 2


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Write QONNX and compare every tensor that has a name in both with the frozen model."""
    import torch

    from bvit_hw.qonnx import execute_qonnx, export_qonnx, load_qonnx

    path = context.folder / "model.onnx"
    export_qonnx(build.frozen, path)
    images = build.images.images[:COMPARED_IMAGES]
    found = execute_qonnx(load_qonnx(path), images)
    wanted = {name: value.numpy() for name, value in build.network.trace(torch.from_numpy(images)).items()}
    names = sorted(set(found) & set(wanted))
    for name in names:
        if not np.array_equal(found[name].reshape(wanted[name].shape), wanted[name]):
            raise ExportError(f"tensor {name}: QONNX and frozen model differ; please report this with the checkpoint")
    return {"tensors_equal": len(names), "images_compared": len(images), "bytes": path.stat().st_size}


STEP = BuildStep(
    name="export",
    title="export: QONNX, equal to frozen",
    run=run,
    after=("checkpoint", "freeze"),
    code=("contract", "qonnx"),
)
