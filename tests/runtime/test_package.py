"""A package's files: self-test, damage, what is missing."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.pipeline.board_package import sums
from tests.emulators.device_stand_in import INFO, complete, images, logits


def test_self_test(package: Path) -> None:
    complete(package)
    result = runtime.self_test(package)
    assert (result.files, result.images, result.accuracy, result.simulated) == (2, 20, 1.0, True)
    assert 20 * 12 <= result.cycles < 20 * 12 + 2000
    assert "all logits of 20 images as expected" in str(result)
    with runtime.connect(package, "sim") as accelerator:
        assert runtime.self_test(package, accelerator=accelerator).images == 20


def test_self_test_without_labels(package: Path) -> None:
    """A build without its data set at hand packs generated images: their logits are compared, nothing is measured."""
    complete(package)
    frames = images(3)
    np.savez(package / "test_images.npz", images=frames, logits=logits(frames))
    (package / "SHA256SUMS").write_text(sums({n: package / n for n in ("model.json", "test_images.npz")}))
    result = runtime.self_test(package)
    assert result.accuracy is None and "all logits of 3 images as expected, accuracy not measured" in str(result)


def test_self_test_finds_damage(package: Path) -> None:
    complete(package)
    info = json.loads((package / "model.json").read_text())
    (package / "model.json").write_text(json.dumps({**info, "clock_mhz": 50}))
    with pytest.raises(runtime.PackageError, match=r"model\.json was changed; copy the package again"):
        runtime.self_test(package)
    (package / "model.json").unlink()
    with pytest.raises(runtime.PackageError, match=r"model\.json is missing"):
        runtime.self_test(package)
    (package / "model.json").write_text(INFO.text())
    with np.load(package / "test_images.npz") as data:
        arrays = dict(data)
    arrays["logits"][7, 2] += 1
    np.savez_compressed(package / "test_images.npz", **arrays)
    (package / "SHA256SUMS").write_text(sums({"test_images.npz": package / "test_images.npz"}))
    with pytest.raises(runtime.PackageError, match=r"1 of 20 test images have other logits than .* image 7"):
        runtime.self_test(package)
    (package / "SHA256SUMS").unlink()
    with pytest.raises(runtime.PackageError, match="SHA256SUMS"):
        runtime.check_files(package)


def test_what_people_write_into_is_no_damage(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("model.json", "look_inside.ipynb", "README.md")}
    for name, file in files.items():
        file.write_text(name)
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    files["look_inside.ipynb"].write_text("with results")
    files["README.md"].unlink()
    assert runtime.check_files(tmp_path) == 1


@pytest.mark.parametrize("name", ["model.json", "bvit_hw.bit", "bvit_hw.hwh", "bvit_hw.xclbin"])
def test_what_is_loaded_is_compared_before(tmp_path: Path, name: str) -> None:
    files = {file: tmp_path / file for file in ("model.json", name, "other.txt")}
    for file in files.values():
        file.write_bytes(b"as written")
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    files["other.txt"].write_bytes(b"changed")
    flipped = bytearray(b"as written")
    flipped[3] ^= 1
    files[name].write_bytes(flipped)
    with pytest.raises(runtime.PackageError, match=rf"{name} was changed; copy the package again"):
        runtime.connect(tmp_path, "board")


def test_the_sources_may_be_left_at_home_as_a_whole_only(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("model.json", "ip/top.v", "ip/mem/a.mem", "sim/library.so")}
    for name, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    assert runtime.check_files(tmp_path) == 4
    files["ip/mem/a.mem"].unlink()
    with pytest.raises(runtime.PackageError, match=r"ip/mem/a\.mem is missing"):
        runtime.check_files(tmp_path)
    shutil.rmtree(tmp_path / "ip")
    assert runtime.check_files(tmp_path) == 2
    files["sim/library.so"].unlink()
    with pytest.raises(runtime.PackageError, match=r"sim/library\.so is missing"):
        runtime.check_files(tmp_path)


def test_connect_says_what_is_missing(package: Path) -> None:
    with pytest.raises(runtime.DeviceError, match=r"holds none of bvit_hw\.bit, bvit_hw\.xclbin"):
        runtime.connect(package, "board")
    with pytest.raises(runtime.DeviceError, match="allowed: auto, board, sim"):
        runtime.connect(package, "fpga")
    shutil.rmtree(package / "sim")
    with pytest.raises(runtime.DeviceError, match="holds none of"):
        runtime.connect(package)
    (package / "sim").mkdir()
    with pytest.raises(runtime.DeviceError, match="no simulated device that this machine can load"):
        runtime.connect(package)
    with pytest.raises(runtime.DeviceError, match="no such bitstream"):
        runtime.Accelerator(package / "bvit_hw.bit")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_library_is_named_and_not_loaded(package: Path, damage: str) -> None:
    library = package / "sim" / "libaccelerator.so"
    data = bytearray(library.read_bytes())
    flipped = bytes([*data[: len(data) // 2], data[len(data) // 2] ^ 1, *data[len(data) // 2 + 1 :]])
    spoilt = {"truncated": bytes(data[: len(data) // 2]), "flipped": flipped, "empty": b"", "text": b"# none\n"}
    library.write_bytes(spoilt[damage])
    with pytest.raises(runtime.DeviceError, match=r"libaccelerator\.so was changed\); `bvit-hw build` makes one"):
        runtime.connect(package, "sim")


def test_a_device_whose_files_are_not_all_there(package: Path) -> None:
    sums_file = package / "sim" / "SHA256SUMS"
    (package / "sim" / "libaccelerator.hwh").unlink()
    with pytest.raises(runtime.DeviceError, match=r"libaccelerator\.hwh is missing"):
        runtime.connect(package, "sim")
    for text, word in (("", "empty"), ("no sums\n", "damaged")):
        sums_file.write_text(text)
        with pytest.raises(runtime.DeviceError, match=f"SHA256SUMS is {word}"):
            runtime.connect(package, "sim")


@pytest.mark.parametrize(
    "header",
    [b"{'descr': 'u1'  ", b"{'descr': '|u1', 'fortran_order': False, 'shape': (1" + b"0" * 40 + b",), }", b"(" * 60,
     b"{'descr': [], 'fortran_order': 3, 'shape': 'x', }", b"\xff\x00", b"{'descr': ('x',), 'fortran_order': False, "
     b"'shape': (2,), }"],
)  # fmt: skip
def test_arrays_with_a_damaged_head(header: bytes, tmp_path: Path) -> None:
    """Whatever Python's own parser makes of it."""
    text = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    (tmp_path / "a.npy").write_bytes(text)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", text)
        archive.writestr("logits.npy", text)
    shutil.copy(tmp_path / "a.npz", tmp_path / "test_images.npz")
    for name in ("a.npy", "a.npz"):
        with pytest.raises(runtime.ImageError, match=name):
            runtime.load_pictures(tmp_path / name)
    with pytest.raises(runtime.PackageError, match=r"test_images\.npz.*copy the package again"):
        runtime.expected_results(tmp_path)
