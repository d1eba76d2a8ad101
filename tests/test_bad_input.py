"""Checkpoints, images and output folders that are wrong in unlikely ways: one sentence each, never a traceback."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bvit_hw.data.labelled import load_images
from bvit_hw.errors import BvitError, CheckpointError, ConfigError, DatasetError, FreezeError, OutputError
from bvit_hw.freeze import freeze
from bvit_hw.models import BinaryViTConfig, load_checkpoint, save_checkpoint, shipped_checkpoint
from bvit_hw.pipeline.engine import MANIFEST, BuildFolder, output_errors
from bvit_hw.pipeline.options import resolve
from tests.frozen_factory import CONFIGS, calibrated_model

CONFIG = CONFIGS["plain"]
IMAGES = np.zeros((4, 12, 12, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0])


def refusal(call: Callable[[], object], error: type[BvitError]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("labels", "fragment"),
    [
        (LABELS + 0.5, "label 0.5 of image 0 is no class number"),
        (np.array([0, np.nan, 1, 2]), "label nan of image 1"),
        (np.array([0, np.inf, 1, 2]), "label inf of image 1"),
        (LABELS.astype(complex), "complex128"),
        (LABELS.astype(str), "one whole number an image"),
        (np.eye(4), "(4, 4); they must be one whole number an image"),
        (np.int64(3), "()"),
        (np.full(4, 2**64 - 1, np.uint64), "no class number"),
        (LABELS - 1, "labels -1..1; the network has classes 0..2"),
        (LABELS + 2, "labels 2..4; the network has classes 0..2"),
        (LABELS[:, None], "(4, 1); they must be one whole number an image"),
        (LABELS[:3], "4 images with 3 labels"),
        (np.array([None, 1, 2, 0], dtype=object), "Object arrays cannot be loaded"),
    ],
)
def test_labels(tmp_path: Path, labels: np.ndarray, fragment: str) -> None:
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=labels)
    message = refusal(lambda: load_images(str(tmp_path / "set.npz"), CONFIG), DatasetError)
    assert fragment in message and "set.npz" in message


def test_whole_numbers_of_any_type_are_labels(tmp_path: Path) -> None:
    for kind in (np.uint8, np.int16, np.float64):
        np.savez(tmp_path / "set.npz", images=IMAGES, labels=LABELS.astype(kind))
        assert load_images(str(tmp_path / "set.npz"), CONFIG).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    "images", [IMAGES[..., 0], IMAGES.transpose(0, 3, 1, 2), IMAGES.astype(np.int64), np.uint8(3), IMAGES[:, :8]]
)
def test_images(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", images=images, labels=LABELS)
    assert "takes uint8 N x 12 x 12 x 3" in refusal(
        lambda: load_images(str(tmp_path / "set.npz"), CONFIG), DatasetError
    )


def _archive(path: Path) -> bytes:
    np.savez(path, images=IMAGES, labels=LABELS)
    return path.read_bytes()


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda d: d[:300], _flipped, lambda d: b"", lambda d: b"hello", lambda d: b"\x80\x04K\x01."]
)
def test_damaged_archives(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(damage(_archive(path)))
    assert "damaged" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)


def test_archives_of_other_things(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", "text")
        archive.writestr("labels", "text")
    assert "must be NumPy arrays" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)
    with path.open("wb") as file:
        np.save(file, IMAGES)
    assert "single array" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)
    path.unlink()
    path.mkdir()
    assert "set.npz" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small calibrated network's checkpoint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("saved") / "plain.safetensors"
    save_checkpoint(calibrated_model(CONFIG, torch.randn(4, 3, 12, 12)), path)
    return path


def rewritten(
    saved: Path, target: Path, *, tensors: dict[str, Tensor] | None = None, config: dict[str, object] | None = None
) -> Path:
    """The checkpoint with some tensors, or some of its configuration, exchanged."""
    from safetensors import safe_open

    with safe_open(saved, framework="pt") as file:
        head = json.loads(file.metadata()["bvit_hw"])
    head["config"] |= config or {}
    save_file(load_file(saved) | (tensors or {}), target, metadata={"bvit_hw": json.dumps(head)})
    return target


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("stem.quant_x.exponent", torch.tensor(500, dtype=torch.int32), "exponent is 500; allowed: -40..40"),
        ("stem.quant_x.exponent", torch.tensor(2.5), "torch.float32; this network has torch.int32"),
        ("blocks.0.norm_before.running_var", -torch.ones(8), "negative variances"),
        ("blocks.0.norm_before.weight", torch.ones(8, dtype=torch.int32), "int32; this network has torch.float32"),
        ("blocks.1.norm_before.bias", torch.full((8,), torch.nan), "not finite"),
        ("blocks.1.norm_before.bias", torch.full((8,), 1e300, dtype=torch.float64), "not finite"),
        ("blocks.1.norm_before.bias", torch.zeros(8).to(torch.float8_e5m2), "float8_e5m2, expected numbers"),
        ("blocks.0.norm_before.running_var", torch.ones(8).to(torch.float8_e4m3fn), "float8_e4m3fn, expected"),
    ],
)
def test_tensors(saved: Path, tmp_path: Path, name: str, value: Tensor, fragment: str) -> None:
    assert name in load_file(saved)
    path = rewritten(saved, tmp_path / "odd.safetensors", tensors={name: value})
    message = refusal(lambda: load_checkpoint(path), CheckpointError)
    assert fragment in message and name.removesuffix(".exponent") in message


@pytest.mark.parametrize(
    "change",
    [{"image_size": 3 * 10**8}, {"channels": [8 * 10**6], "mlp_widths": [32 * 10**6]}, {"depths": [10**6]},
     {"classes": 10**9}],
)  # fmt: skip
def test_sizes_that_would_fill_the_memory(saved: Path, tmp_path: Path, change: dict[str, object]) -> None:
    path = rewritten(saved, tmp_path / "huge.safetensors", config=change)
    assert "the file holds" in refusal(lambda: load_checkpoint(path), CheckpointError)


@pytest.mark.parametrize("change", [{"mean": [float("nan")] * 3}, {"std": [float("inf")] * 3}, {"std": [0.0] * 3}])
def test_normalization_that_is_no_number(change: dict[str, object]) -> None:
    message = refusal(lambda: BinaryViTConfig.create(**(CONFIG.model_dump() | change)), ConfigError)
    assert next(iter(change)) in message


def test_weights_out_of_all_proportion(saved: Path, tmp_path: Path) -> None:
    """No such factor fits the integer contract; freezing says so."""
    name = "blocks.0.z.norm.weight"
    for factor in (1e12, 3e38):
        path = rewritten(saved, tmp_path / "big.safetensors", tensors={name: torch.full((8,), factor)})
        model = load_checkpoint(path)
        assert "b0.z" in refusal(partial(freeze, model), FreezeError)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, 1e-320])
def test_frame_rates_that_are_none(value: float) -> None:
    request = {
        "board": "pynq-z2", "preset_name": None, "checkpoint": shipped_checkpoint(), "data": "digits",
        "clock_mhz": None, "simulated_images": 1, "jobs": 1,
    }  # fmt: skip
    assert "--target-fps" in refusal(lambda: resolve(**request, target_fps=value), ConfigError)  # type: ignore[arg-type]
    assert "--clock-mhz" in refusal(
        lambda: resolve(**(request | {"clock_mhz": value}), target_fps=None),  # type: ignore[arg-type]
        ConfigError,
    )


@pytest.mark.parametrize("text", ['{"identity": 3}', '{"identity": {}, "steps": 7}', "[", '{"identity": {"a": "b"}}'])
def test_manifests_of_another_making(tmp_path: Path, text: str) -> None:
    """Alone in its folder a damaged manifest is written anew; beside other files the folder is left alone."""
    (tmp_path / MANIFEST).write_text(text)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt|holds another build"), BuildFolder(tmp_path, {"a": "c"}):
        pass


def test_what_the_disk_refuses_is_said(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "report.json"))
    with pytest.raises(OutputError, match=r"No space left.*'report' was writing"), output_errors(tmp_path, "report"):
        raise full
    locked = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "fold/folding.json"))
    with pytest.raises(OutputError, match=r"fold/folding\.json: Permission denied"), output_errors(tmp_path, "fold"):
        raise locked
    elsewhere = PermissionError(errno.EACCES, "Permission denied", "/nowhere/else")
    with pytest.raises(PermissionError), output_errors(tmp_path, "fold"):
        raise elsewhere


def test_a_manifest_that_is_a_folder_and_entries_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "one" / MANIFEST).mkdir(parents=True)
    with pytest.raises(OutputError, match="not written by bvit-hw"), BuildFolder(tmp_path / "one", {}):
        pass
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / MANIFEST).write_text('{"identity": {}, "steps": {"freeze": 3, "fold": {"key": "x"}}}')
    with BuildFolder(tmp_path / "two", {}) as folder:
        assert folder.results == {}
