"""What a build is asked for, checked before anything runs."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import Subset

from bvit_hw.boards import Board, load_board
from bvit_hw.data import DATASETS, evaluation_images, load_dataset, open_data
from bvit_hw.data.folder import spread
from bvit_hw.errors import CheckpointError, ConfigError, DatasetError
from bvit_hw.lower.implementation import IMPLEMENTATIONS
from bvit_hw.models import BinaryViTConfig, checkpoint_info, preset, shipped_checkpoint

#: a frame an hour, about
LEAST_FPS = 0.001
#: of a dataset that does not fit in memory at the network's size, accuracy is measured on so many images
MOST_IMAGES = 512


@dataclass(frozen=True)
class LabelledImages:
    """Images N x H x W x C uint8 with labels N int64 to measure accuracy on, and where they come from."""

    source: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """A build request; ``simulated_images`` go through the RTL, all others through the frozen model only."""

    board: Board
    checkpoint: Path
    data: str
    clock_mhz: float
    target_fps: float | None
    simulated_images: int
    jobs: int
    #: images to choose the scales of a float-residual checkpoint with: a folder, an .npz, a dataset
    calibrate: str | None = None
    #: RTL or HLS flavour of the operators (lower/implementation.py), for all and for single ones by name
    impl: str = "auto"
    impl_of: tuple[tuple[str, str], ...] = ()
    #: whether the package gets the accelerator as a simulated device, for notebooks without a board
    simulated_device: bool = True


def resolve(
    *,
    board: str,
    preset_name: str | None,
    checkpoint: Path | None,
    data: str | None,
    clock_mhz: float | None,
    target_fps: float | None,
    simulated_images: int,
    jobs: int,
    calibrate: str | None = None,
    impl: str = "auto",
    impl_of: Sequence[str] = (),
    simulated_device: bool = True,
) -> BuildOptions:
    """Options from the command line's words. Raises a BvitError that lists what is allowed."""
    found_board = load_board(board)
    if checkpoint is not None and preset_name is not None:
        raise ConfigError(f"--preset {preset_name} and --checkpoint {checkpoint}: give one of them")
    if checkpoint is None:
        name = preset_name or "tiny-digits"
        preset(name)  # an unknown one is refused with the list of the known ones
        try:
            checkpoint = shipped_checkpoint(name)
        except CheckpointError as error:
            raise CheckpointError(f"{error}. Train one (bvit-hw train) and name it by --checkpoint") from error
    try:
        with checkpoint.open("rb"):
            pass
    except OSError as error:
        raise CheckpointError(f"checkpoint {checkpoint}: {error.strerror}") from error
    if target_fps is not None and not LEAST_FPS <= target_fps < math.inf:
        raise ConfigError(f"--target-fps {target_fps:g} must be a number from {LEAST_FPS:g} on")
    clock = clock_mhz if clock_mhz is not None else found_board.clock_mhz
    if not 1 <= clock <= 1000:
        raise ConfigError(f"--clock-mhz {clock:g} must lie in 1..1000")
    if found_board.vitis is not None and clock != int(clock):
        raise ConfigError(f"--clock-mhz {clock:g}: {found_board.name} takes whole MHz only")
    return BuildOptions(
        board=found_board.model_copy(update={"clock_mhz": clock}),
        checkpoint=checkpoint,
        data=data or _dataset_of(checkpoint, calibrate),
        clock_mhz=clock,
        target_fps=target_fps,
        simulated_images=simulated_images,
        simulated_device=simulated_device,
        jobs=jobs,
        calibrate=calibrate,
        impl=impl,
        impl_of=_implementations(impl, impl_of),
    )


def _implementations(impl: str, impl_of: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``NODE=hls`` words as pairs; where HLS is asked for, what compiles it has to be there."""
    pairs = []
    for word in impl_of:
        name, _, flavour = word.rpartition("=")
        if not name or flavour not in IMPLEMENTATIONS:
            raise ConfigError(f"--impl-of {word}; allowed: OPERATOR={'|'.join(IMPLEMENTATIONS)}")
        pairs.append((name, flavour))
    if "hls" in (impl, *(flavour for _, flavour in pairs)):
        from bvit_hw.flows.gxx import ap_types

        ap_types()
    return tuple(pairs)


def _dataset_of(checkpoint: Path, calibrate: str | None) -> str:
    """The dataset a checkpoint says it was trained on, else the one it is calibrated with, else digits."""
    return str(checkpoint_info(checkpoint).get("dataset", calibrate or "digits"))


def load_images(data: str, config: BinaryViTConfig) -> LabelledImages:
    """The test split of a known dataset, or an .npz file with ``images`` (uint8 N x H x W x C) and ``labels`` (N).

    Raises DatasetError when there is no such data, or when it does not fit the network.
    """
    if data in DATASETS:
        dataset = load_dataset(data)
        names = tuple(str(i) for i in range(dataset.classes))
        found = LabelledImages(data, dataset.test_images, dataset.test_labels, names)
    elif data.endswith(".npz"):
        found = _from_npz(Path(data), config.classes)
    else:
        found = _from_source(data, config)
    size, channels = config.image_size, config.in_channels
    if found.images.dtype != np.uint8 or found.images.shape[1:] != (size, size, channels):
        raise DatasetError(
            f"{data}: images are {found.images.dtype} {found.images.shape}; the network takes uint8 "
            f"N x {size} x {size} x {channels}"
        )
    if len(found.images) == 0 or len(found.labels) != len(found.images):
        raise DatasetError(f"{data}: {len(found.images)} images with {len(found.labels)} labels")
    if found.labels.min() < 0 or found.labels.max() >= config.classes:
        low, high = found.labels.min(), found.labels.max()
        raise DatasetError(f"{data}: labels {low}..{high}; the network has classes 0..{config.classes - 1}")
    return found


def _from_source(data: str, config: BinaryViTConfig) -> LabelledImages:
    """CIFAR, an image tree: at most ``MOST_IMAGES`` of the test split, evenly spread, as the network takes them."""
    opened = open_data(data)
    part = Subset(opened.test, spread(len(opened.test), MOST_IMAGES))
    batches = list(evaluation_images(part, config.image_size, 64))
    images, labels = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    names = opened.class_names if opened.classes == config.classes else tuple(map(str, range(config.classes)))
    return LabelledImages(data, images, labels, names)


def _from_npz(path: Path, classes: int) -> LabelledImages:
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DatasetError(f"{path}: holds a single array (.npy); an .npz with 'images' and 'labels' is needed")
        with archive:
            images, labels = archive["images"], archive["labels"]
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except KeyError as error:
        raise DatasetError(f"{path}: must hold arrays 'images' and 'labels'; {error}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DatasetError(f"{path}: damaged, or no .npz file: {error}") from error
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray):
        raise DatasetError(f"{path}: 'images' and 'labels' must be NumPy arrays, one .npy each")
    return LabelledImages(str(path), images, _labels(path, labels), tuple(str(i) for i in range(classes)))


def _labels(path: Path, labels: np.ndarray) -> np.ndarray:
    """Class numbers as int64; whole numbers of another type are taken, anything else raises DatasetError."""
    if labels.ndim != 1 or labels.dtype.kind not in "iuf":
        raise DatasetError(
            f"{path}: labels are {labels.dtype} {labels.shape}; they must be one whole number an image, a class each"
        )
    with np.errstate(invalid="ignore"):
        whole = labels.astype(np.int64)
    wrong = np.flatnonzero(whole != labels)
    if len(wrong):
        raise DatasetError(f"{path}: label {labels[wrong[0]]} of image {wrong[0]} is no class number")
    return whole
