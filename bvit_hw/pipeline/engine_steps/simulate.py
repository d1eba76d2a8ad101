"""The step `simulate` of an engine: pictures from DRAM to DRAM through its Verilated RTL, by the driver itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bvit_hw.data.labelled import accuracy_of
from bvit_hw.disk import scratch
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.cycles import HESITANT, HESITANT_DRAM, RULES, frame_cycles
from bvit_hw.engine.programme import load_programme
from bvit_hw.errors import LoweringError
from bvit_hw.flows.device_model import build_engine_device
from bvit_hw.pipeline.artefacts import PROGRAMME_FILE, Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.engine_steps.package import VLNV, engine_info
from bvit_hw.pipeline.steps.generate import COMPILERS, TOP, verilator_and_compilers
from bvit_hw.runtime.engine import Engine
from bvit_hw.runtime.sim_direct import open_engine_direct

#: Cycles of frames that are simulated at most, but one frame is whatever it takes: two minutes. Verilator was seen to
#: do 100,000 a second of an engine of 7 x 32.
MOST_CYCLES = 12_000_000
#: how far the simulation may be from the model of cycles, where DRAM does not hesitate and where it does
TOLERANCE, TOLERANCE_HESITANT = 0.02, 0.05


def frames_that_fit(asked: int, there: int, cycles: int) -> int:
    """How many frames of so many ``cycles`` are simulated, of those asked for."""
    return max(1, min(asked, there, MOST_CYCLES // cycles))


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Frames with DRAM as the model of cycles has it, then the first one with DRAM that is slow and hesitates.

    Logits must be the frozen network's. Of large networks there are as many frames as the time allows.
    """
    options, data = build.options, build.images
    config, model = engine_of(options.board), int(context.results["compile"]["cycles_model"])
    asked = min(options.simulated_images, len(data.images))
    count = frames_that_fit(asked, len(data.images), model)
    images, labels = data.images[:count], None if data.labels is None else data.labels[:count]
    wanted = build.frozen_logits(images)
    context.progress(0, count + 2)
    with scratch("bvit-engine-") as folder:
        build_engine_device(
            folder / "sim",
            config,
            top=TOP,
            clock_mhz=options.clock_mhz,
            vlnv=VLNV,
            primitives=options.board.target.vendor_cells,
            jobs=options.jobs,
        )
        (folder / "model.json").write_text(engine_info(context, build).text())
        link = open_engine_direct(folder / "sim", f"build-{folder}")
        programme = context.earlier["compile"] / PROGRAMME_FILE
        with Engine(link=link, model=folder / "model.json", programme=programme) as engine:
            found, frames = [], []
            for number, image in enumerate(images):
                context.progress(number + 1, count + 2)
                found.append(engine.logits_int(image)[0])
                frames.append(engine.counters())
            logits = np.array(found, dtype=np.int64)
            _equal(logits, wanted, "")
            link.model.dram(*HESITANT_DRAM)
            _equal(engine.logits_int(images[:1]), wanted[:1], " with DRAM that is slow and hesitates")
            hesitant = int(engine.counters()["latency_cycles"])
            link.model.close()
    cycles = float(np.mean([counters["latency_cycles"] for counters in frames]))
    _near(cycles, model, TOLERANCE, "")
    told = frame_cycles(config, HESITANT, load_programme(programme, config).commands)
    _near(hesitant, told, TOLERANCE_HESITANT, " with DRAM that is slow and hesitates")
    np.savez(context.folder / "logits.npz", logits=logits, **({} if labels is None else {"labels": labels}))
    return {
        "images": count,
        "images_asked": asked,
        "rtl_accuracy": accuracy_of(logits.argmax(axis=1), labels),
        "logits_equal_to_frozen": bool(np.array_equal(logits, wanted)),
        "cycles_model": model,
        "cycles_simulated": cycles,
        "latency_cycles": frames[-1]["latency_cycles"],
        "waiting": {name: frames[-1][f"{name}_cycles"] for name in ("core", "fetch", "load", "store")},
        "dram": {"latency": RULES.latency, "hesitant_latency": HESITANT_DRAM[0], "hesitates_in_16": HESITANT_DRAM[1]},
        "cycles_hesitant": hesitant,
    }


def _near(cycles: float, model: int, tolerance: float, how: str) -> None:
    if abs(cycles - model) > tolerance * model:
        raise LoweringError(
            f"simulation{how}: {cycles:.0f} cycles a frame, the model says {model}; allowed: {tolerance:.0%} apart"
        )


def _equal(found: np.ndarray, wanted: np.ndarray, how: str) -> None:
    wrong = np.flatnonzero((found != wanted).any(axis=1))
    if len(wrong):
        raise LoweringError(
            f"simulation{how}: logits of image {wrong[0]} are {found[wrong[0]].tolist()}, the frozen network's "
            f"{wanted[wrong[0]].tolist()}; please report this with the network's file"
        )


STEP = BuildStep(
    name="simulate",
    title="simulate: test images through the engine's RTL, from DRAM to DRAM",
    run=run,
    after=("checkpoint", "freeze", "compile", "generate"),
    inputs=lambda options: {"images": options.simulated_images},
    code=("runtime", "flows/device_model.py"),
    needs=verilator_and_compilers,
    may_need=lambda options: COMPILERS,
)
