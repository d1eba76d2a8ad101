"""The step `simulate`: test images through the Verilated RTL, compared with the frozen network bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bvit_hw.data.labelled import accuracy_of
from bvit_hw.errors import LoweringError
from bvit_hw.flows.core_sim import HESITANT
from bvit_hw.flows.parts_sim import core_simulator
from bvit_hw.graph.fifo_sizing import TOLERANCE, check_logits
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.generate import COMPILERS, verilator_and_compilers


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Test images through the RTL, back to back and with stalls: logits bit for bit, cycles, latency.

    Few images went through it back to back already, when the FIFO depths were proven.
    """
    options, data, graph = build.options, build.images, build.stitched
    count = min(options.simulated_images, len(data.images))
    images, labels = data.images[:count], None if data.labels is None else data.labels[:count]
    wanted = build.frozen_logits(images)
    context.progress(0, 2)
    proven, result = build.proven_run
    if np.array_equal(proven[:count], images):
        check_logits(result, build.frozen_logits(proven))
    else:
        # Enough frames for a steady state, even where fewer images were asked for.
        result = core_simulator(graph, context.say, jobs=options.jobs)(graph, images, frames=max(count, 8))
        check_logits(result, wanted)
    context.progress(1, 2)
    found, model = result.cycles_per_frame, graph.cycles
    if abs(found - model) > TOLERANCE * model:
        raise LoweringError(f"simulation: {found:.1f} cycles a frame, the model says {model}; allowed: 2 % apart")
    hesitant = core_simulator(graph, context.say, jobs=options.jobs, **HESITANT)
    check_logits(hesitant(graph, images, frames=count), wanted)
    logits = result.logits[:count]
    np.savez(context.folder / "logits.npz", logits=logits, **({} if labels is None else {"labels": labels}))
    return {
        "images": count,
        "rtl_accuracy": accuracy_of(logits.argmax(axis=1), labels),
        "logits_equal_to_frozen": bool(np.array_equal(logits, wanted)),
        "cycles_model": model,
        "cycles_simulated": found,
        "latency_cycles": result.latency,
        "frames_with_stalls": count,
    }


STEP = BuildStep(
    name="simulate",
    title="simulate: test images through the RTL",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold", "generate"),
    inputs=lambda options: {"images": options.simulated_images},
    needs=verilator_and_compilers,
    may_need=lambda options: COMPILERS,
)
