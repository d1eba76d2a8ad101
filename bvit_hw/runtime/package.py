"""A package's folder: what is in it, whether it is whole, and the accelerator of its model."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .archive import read_arrays
from .classifier import Classifier
from .devices import find_device
from .driver import Accelerator
from .engine import PROGRAMME, Engine
from .errors import ImageError, PackageError
from .model_info import ModelInfo
from .serial_link import open_serial
from .sums import SUMS, USERS_OWN, differences, listed

#: the accelerator's sources and memories
_IP = "ip"
#: what a device at a serial port begins with
_SERIAL = "serial:"
#: what opening the accelerator reads: a few megabytes
_LOADED = ("model.json", PROGRAMME, "bvit_hw.bit", "bvit_hw.hwh", "bvit_hw.xclbin")


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found. ``cycles`` are the device's for all images, ``seconds`` by the clock on the wall."""

    files: int
    images: int
    #: None where the test images have no labels
    accuracy: float | None
    cycles: int
    seconds: float
    simulated: bool

    def __str__(self) -> str:
        where = "simulated device" if self.simulated else "accelerator"
        accuracy = "accuracy not measured (no labels)" if self.accuracy is None else f"accuracy {self.accuracy:.2%}"
        return (
            f"{self.files} files whole; {where}: all logits of {self.images} images as expected, "
            f"{accuracy}, {self.cycles} cycles"
        )


def connect(package: str | Path = ".", device: str | None = None, **options: Any) -> Any:
    """The accelerator of the package in ``package``: the board's where its bitstream is there, else the simulated one.

    It is an :class:`Engine` where the package's bitstream holds a single engine, else an :class:`Accelerator`.
    ``device`` ("board", "sim", "auto"; default: the environment variable BVIT_HW_DEVICE, or auto) chooses by hand.
    "serial:/dev/ttyUSB0" is the accelerator of a board at that port; alone, it is that of the package in this folder.
    ``options`` go to the class. Where the package has SHA256SUMS, what is loaded is compared with them
    first: the model's description and, as far as they cover it, the bitstream. Raises DeviceError when there is no such
    device, PackageError for a file that was changed.
    """
    if device is None and str(package).startswith(_SERIAL):
        package, device = ".", str(package)
    folder = Path(package)
    chosen = device or os.environ.get("BVIT_HW_DEVICE") or "auto"
    if (folder / SUMS).is_file():
        _compare(folder, {name for name in listed(folder) if name in _LOADED})
    model = folder / "model.json"
    if chosen.startswith(_SERIAL):
        info = ModelInfo.read(model)
        link = open_serial(chosen.removeprefix(_SERIAL), frame_bytes=info.frame_bytes, classes=info.classes)
        return Accelerator(link=link, model=model, **options)
    return open_accelerator(find_device(folder, chosen), model, **options)


def open_accelerator(bitstream: str | Path, model: str | Path, **options: Any) -> Any:
    """What lies at ``bitstream``, as the class that the package's ``model.json`` asks for."""
    if ModelInfo.read(model).engine is not None:
        return Engine(bitstream, model, **options)
    if "programme" in options:
        raise PackageError(f"{model}: of a streaming accelerator, which takes no programmes: {options['programme']}")
    return Accelerator(bitstream, model, **options)


def _compare(folder: Path, names: set[str]) -> None:
    wrong = differences(folder, names)
    if wrong:
        raise PackageError(f"{folder}: {'; '.join(wrong)}; copy the package again")


def check_files(package: str | Path = ".") -> int:
    """Compare every file with SHA256SUMS; returns how many there are, raises PackageError naming those that differ.

    The folder ``ip``, which Vivado alone reads, may have been left at home as a whole. Notebooks and README are the
    user's: whoever runs and saves a notebook has changed it.
    """
    folder = Path(package)
    names = {name for name in listed(folder) if not name.endswith(USERS_OWN)}
    if not (folder / _IP).exists():
        names = {name for name in names if not name.startswith(f"{_IP}/")}
    _compare(folder, names)
    return len(names)


def expected_results(package: str | Path = ".") -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """The package's test images (uint8 N x H x W x C), their labels (N) and logits (int32 N x classes).

    Labels are None where the build had no data to take images from, and made some up.
    """
    path = Path(package) / "test_images.npz"
    try:
        data = read_arrays(path, ("images", "logits"), ("labels",))
    except ImageError as error:
        raise PackageError(f"cannot be read: {error}; copy the package again") from error
    return data["images"], data.get("labels"), data["logits"]


def self_test(package: str | Path = ".", device: str | None = None, accelerator: Classifier | None = None) -> SelfTest:
    """Check the package's files, the accelerator's identity, and every logit of the test images.

    Raises PackageError, or what opening and using the device raises; ``accelerator`` is used where one is open already.
    """
    files = check_files(package)
    images, labels, logits = expected_results(package)
    opened = accelerator if accelerator is not None else connect(package, device)
    try:
        opened.clear_counters()
        before = opened.counters()["cycles"]
        start = time.perf_counter()
        found = opened.logits_int(images)
        seconds = time.perf_counter() - start
        cycles = opened.counters()["cycles"] - before
    finally:
        if accelerator is None:
            opened.close()
    wrong = np.flatnonzero((found != logits).any(axis=1))
    if len(wrong):
        raise PackageError(
            f"{len(wrong)} of {len(images)} test images have other logits than expected, image {wrong[0]} first: "
            f"{found[wrong[0]].tolist()} instead of {logits[wrong[0]].tolist()}"
        )
    return SelfTest(
        files=files,
        images=len(images),
        accuracy=None if labels is None else float(np.mean(found.argmax(axis=1) == labels)),
        cycles=cycles,
        seconds=seconds,
        simulated=opened.simulated,
    )
