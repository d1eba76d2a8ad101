"""The step `freeze`: the network in integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bvit_hw.contract.file import save_frozen
from bvit_hw.data.labelled import accuracy_of
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.network_file import load_graph, network_info
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.threads import choose_threads


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Freeze into integers, unless that was done before; measure the frozen model's accuracy."""
    path = context.earlier["checkpoint"] / "checkpoint.safetensors"
    graph, _ = load_graph(path)
    context.say(choose_threads(image_size=build.config.image_size))
    digest = save_frozen(
        graph, context.folder / "frozen.safetensors", network_info(path), build.options.model_name
    )
    data = build.images
    predictions = FrozenBinaryViT(graph).predict(data.images)
    return {
        "model_hash": digest,
        "frozen_accuracy": accuracy_of(predictions, data.labels),
        "logits_exponent": graph.tensors[graph.output].exponent,
    }


STEP = BuildStep(
    name="freeze",
    title="freeze: integers only",
    run=run,
    after=("checkpoint",),
    inputs=lambda options: {"model_name": options.model_name},
    code=("contract", "models", "freeze"),
)
