"""A package around the stand-in accelerator of sim/device_stand_in.sv, for tests of the driver."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np

from bvit_hw.flows.device_model import build_device
from bvit_hw.ops.shell import SHELL_SOURCES
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.registers import VERSION_VALUE
from bvit_hw.sums import SUMS, sums

ROOT = Path(__file__).resolve().parents[2]
SHAPE, CLASSES = (4, 8, 3), 5
HASH = "00112233445566778899aabbccddeefffedcba98765432100f1e2d3c4b5a6978"
INFO = ModelInfo(
    model_hash=HASH,
    height=SHAPE[0],
    width=SHAPE[1],
    channels=SHAPE[2],
    classes=CLASSES,
    logits_exponent=-7,
    class_names=tuple("abcde"),
    clock_mhz=100.0,
    interface_version=VERSION_VALUE,
    cycles_per_frame=12,
    board="pynq-z2",
)


def images(count: int, seed: int = 0) -> np.ndarray:
    """Random frames."""
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def logits(frames: np.ndarray) -> np.ndarray:
    """What the stand-in makes of them, int32."""
    lanes = frames.reshape(len(frames), -1, 8)
    return lanes.sum(axis=1, dtype=np.int32)[:, :CLASSES] - np.int32(1000)


def write_stand_in(package: Path) -> Path:
    """``package`` with model.json and the simulated device in ``sim``; returns it."""
    package.mkdir(parents=True)
    (package / "model.json").write_text(INFO.text())
    memories = package / "no-memories"
    memories.mkdir()
    build_device(
        package / "sim",
        top="bvit_accelerator",
        sources=[*source_paths([*SHELL_SOURCES, "bvit_axis_check.sv"]), ROOT / "sim" / "device_stand_in.sv"],
        memories=memories,
        input_bits=64,
        clock_mhz=INFO.clock_mhz,
        vlnv="bvit-hw:bvit_hw:bvit_accelerator:1.0",
    )
    memories.rmdir()
    return package


def shared_stand_in(base: Path) -> Path:
    """One for all pytest workers, under ``base``."""
    package = base / "stand-in"
    with (base / "stand-in.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.is_dir():
            write_stand_in(base / "stand-in.new")
            (base / "stand-in.new").rename(package)
    return package


def complete(package: Path) -> Path:
    """Test images and SHA256SUMS beside the stand-in."""
    frames = images(20)
    found = logits(frames)
    np.savez_compressed(package / "test_images.npz", images=frames, labels=found.argmax(axis=1), logits=found)
    files = {name: package / name for name in ("model.json", "test_images.npz")}
    (package / SUMS).write_text(sums(files))
    return package
