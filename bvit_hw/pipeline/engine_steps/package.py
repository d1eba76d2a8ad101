"""The step `package` of an engine: what goes to the vendor's tools and to the board, with the network's programme."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import VERSION
from bvit_hw.flows import vivado
from bvit_hw.flows.device_model import build_engine_device
from bvit_hw.flows.vendor import flow_of
from bvit_hw.pipeline.artefacts import PROGRAMME_FILE, Artefacts
from bvit_hw.pipeline.board_package import write_board_files
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.generate import COMPILERS, TOP, verilator_and_compilers
from bvit_hw.pipeline.steps.package import PACKAGED_IMAGES
from bvit_hw.runtime.engine_registers import lines
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.sums import seal

VLNV = f"{vivado.VENDOR}:{vivado.LIBRARY}:{TOP}:{vivado.IP_VERSION}"
#: cycles of the frames in the package at most, but two are whatever they take: the simulated device goes through them
_SELF_TEST_CYCLES = 4_000_000


def engine_info(context: StepContext, build: Artefacts) -> ModelInfo:
    """model.json: the engine, and the network whose programme comes with it."""
    config, frozen, compiled = build.config, context.results["freeze"], context.results["compile"]
    return ModelInfo(
        model_hash=str(frozen["model_hash"]),
        height=config.image_size,
        width=config.image_size,
        channels=config.in_channels,
        classes=config.classes,
        logits_exponent=int(frozen["logits_exponent"]),
        class_names=build.images.class_names,
        clock_mhz=build.options.clock_mhz,
        interface_version=VERSION,
        cycles_per_frame=int(compiled["cycles_model"]),
        board=build.options.board.name,
        preprocessing=context.results["checkpoint"]["preprocessing"],
        name=build.options.model_name,
        pixel_bytes=build.options.board.pixel_bytes,
        engine={
            "identity": str(compiled["identity"]),
            "version": VERSION,
            "address_bits": int(context.results["generate"]["address_bits"]),
            **compiled["engine"],
        },
    )


def register_map() -> str:
    """The engine's registers as a page."""
    rows = "".join(f"| 0x{at:02X} | {name} | {access} | {meaning} |\n" for at, name, access, meaning in lines())
    return f"# The engine's registers\n\n| offset | name | access | meaning |\n|---|---|---|---|\n{rows}"


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Write the IP with its scripts, the files for the board, and the engine as a simulated device."""
    folder, options = context.folder, build.options
    source, (kernel,) = context.earlier["generate"], context.results["generate"]["kernels"]
    ip = vivado.IpContents(
        top=str(kernel["top"]),
        sources=tuple(kernel["files"]),
        model_hash="",
        streams={},
        master_bits=int(kernel["master_bits"]),
    )
    (folder / "ip").mkdir(parents=True)
    for name in ip.sources:
        shutil.copyfile(source / "rtl" / name, folder / "ip" / name)
    flow = flow_of(options.board)
    flow.write(folder, options.board, options.clock_mhz, [ip], jobs=options.jobs)
    info, data = engine_info(context, build), build.images
    images = data.images[: max(2, min(PACKAGED_IMAGES, _SELF_TEST_CYCLES // info.cycles_per_frame))]
    shutil.copyfile(context.earlier["compile"] / PROGRAMME_FILE, folder / PROGRAMME_FILE)
    (folder / "registers.md").write_text(register_map())
    write_board_files(
        folder,
        info=info,
        title=options.board.title,
        frozen=context.earlier["freeze"] / "frozen.safetensors",
        images=images,
        labels=None if data.labels is None else data.labels[: len(images)],
        logits=build.frozen_logits(images).astype(np.int32),
    )
    context.progress(1, 2)
    without = "left out by --no-simulated-device" if options.simulated_device is False else ""
    if without:
        context.say(f"no simulated device: {without}")
    else:
        build_engine_device(
            folder / "sim",
            engine_of(options.board),
            top=TOP,
            clock_mhz=options.clock_mhz,
            vlnv=VLNV,
            primitives=options.board.target.vendor_cells,
            jobs=options.jobs,
        )
    seal(folder)
    files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
    return {
        "files": len(files),
        "bitstream_command": flow.command,
        "bitstream_files": list(flow.results),
        "no_simulated_device": without,
    }


STEP = BuildStep(
    name="package",
    title="package: IP, scripts, driver, programme, notebooks, simulated device",
    run=run,
    after=("checkpoint", "freeze", "compile", "generate"),
    inputs=lambda options: {"simulated_device": options.simulated_device},
    code=("contract", "runtime", "flows", "pipeline/board_package.py"),
    data=("boards/notebooks",),
    needs=lambda options: () if options.simulated_device is False else verilator_and_compilers(options),
    may_need=lambda options: () if options.simulated_device is False else COMPILERS,
)
