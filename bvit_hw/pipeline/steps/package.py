"""The step `package`: everything that goes to the vendor's tools and to the board in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from bvit_hw.flows import vivado
from bvit_hw.flows.device_model import build_device
from bvit_hw.flows.parts_sim import is_large
from bvit_hw.flows.vendor import flow_of, kernel_folder
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.board_package import write_board_files
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.generate import COMPILERS, verilator_and_compilers
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.registers import VERSION_VALUE
from bvit_hw.sums import seal

#: images that go into the package for the self-test on the board
PACKAGED_IMAGES = 32


def _model_info(context: StepContext, build: Artefacts) -> ModelInfo:
    config, frozen, generated = build.config, context.results["freeze"], context.results["generate"]
    return ModelInfo(
        model_hash=str(frozen["model_hash"]),
        height=config.image_size,
        width=config.image_size,
        channels=config.in_channels,
        classes=config.classes,
        logits_exponent=int(frozen["logits_exponent"]),
        class_names=build.images.class_names,
        clock_mhz=build.options.clock_mhz,
        interface_version=VERSION_VALUE,
        cycles_per_frame=int(generated["sizing"]["cycles_model"]),
        board=build.options.board.name,
        preprocessing=context.results["checkpoint"]["preprocessing"],
        name=build.options.model_name,
        pixel_bytes=build.options.board.pixel_bytes,
    )


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Write the IP with its scripts, the files for the board, and the accelerator as a simulated device."""
    folder, options = context.folder, build.options
    generated = context.results["generate"]
    source = context.earlier["generate"]
    contents = [
        vivado.IpContents(
            top=str(kernel["top"]),
            sources=tuple(kernel["files"]),
            model_hash=str(context.results["freeze"]["model_hash"]),
            streams=kernel["streams"],
            frame_bytes=build.border.frame_bytes,
            classes=build.border.classes,
        )
        for kernel in generated["kernels"]
    ]
    for ip, kernel in zip(contents, generated["kernels"], strict=True):
        target = kernel_folder(folder, contents, ip) / "ip"
        (target / "mem").mkdir(parents=True)
        for name in ip.sources:
            shutil.copyfile(source / "rtl" / name, target / name)
        for name in kernel["memories"]:
            shutil.copyfile(source / "mem" / name, target / "mem" / name)
    if "hls" in context.earlier:
        shutil.copytree(context.earlier["hls"], folder / "hls")
    flow = flow_of(options.board)
    flow.write(folder, options.board, options.clock_mhz, contents, jobs=options.jobs)
    data = build.images
    images = data.images[:PACKAGED_IMAGES]
    write_board_files(
        folder,
        info=_model_info(context, build),
        title=options.board.title,
        frozen=context.earlier["freeze"] / "frozen.safetensors",
        images=images,
        labels=None if data.labels is None else data.labels[: len(images)],
        logits=build.frozen_logits(images).astype(np.int32),
    )
    context.progress(1, 2)
    without = why_no_device(build)
    if without:
        context.say(f"no simulated device: {without}")
    else:
        build_device(
            folder / "sim",
            top=str(generated["simulated_top"]),
            sources=[source / line for line in (source / "sim_files.f").read_text().split()],
            memories=source / "mem",
            input_bits=contents[0].input_bits,
            clock_mhz=options.clock_mhz,
            vlnv=f"{vivado.VENDOR}:{vivado.LIBRARY}:{contents[0].top}:{vivado.IP_VERSION}",
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


def why_no_device(build: Artefacts) -> str:
    """Why the package gets no simulated device; nothing where it gets one."""
    wanted = build.options.simulated_device
    if wanted is False:
        return "left out by --no-simulated-device"
    if wanted is None and is_large(build.stitched):
        return (
            f"left out: {len(build.stitched.nodes):,} operators are one model for Verilator, minutes of its time and "
            "gigabytes of memory; --simulated-device compiles it all the same"
        )
    return ""


STEP = BuildStep(
    name="package",
    title="package: IP, scripts, driver, notebooks, simulated device",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold", "generate", "hls"),
    inputs=lambda options: {"simulated_device": options.simulated_device},
    code=("contract", "runtime", "pipeline/board_package.py"),
    data=("boards/notebooks", "hls/movers"),
    needs=lambda options: () if options.simulated_device is False else verilator_and_compilers(options),
    may_need=lambda options: () if options.simulated_device is False else COMPILERS,
)
