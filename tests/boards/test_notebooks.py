"""The notebooks, executed from start to end on the simulated accelerator of a build, behind pynq."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bvit_hw import runtime
from bvit_hw.data import load_dataset
from tests.command import bvit, refused
from tests.run_notebook_of import execute

NOTEBOOKS = Path(__file__).resolve().parents[2] / "boards" / "notebooks"


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time, and Jupyter writes beside a notebook."""
    return Path(shutil.copytree(built / "package", tmp_path / "package", ignore=shutil.ignore_patterns("ip")))


def run(package: Path, name: str, settings: Mapping[str, str] | None = None) -> tuple[str, int]:
    """Execute a package's notebook; returns all that was printed, and how many pictures were drawn."""
    return execute(package / f"{name}.ipynb", package, settings)


@pytest.fixture
def other_images(tmp_path: Path) -> Path:
    """Pictures as a user has them: other sizes, grey and colour, .png and .jpg."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(4)
    images = load_dataset("digits").test_images[40:44]
    for n, (image, size) in enumerate(zip(images, [(32, 32), (50, 40), (200, 300), (17, 17)], strict=True)):
        Image.fromarray(image).resize(size).save(folder / f"digit{n}.png")
    Image.fromarray(rng.integers(0, 256, (64, 48), dtype=np.uint8)).save(folder / "noise.jpg")
    return folder


def test_first_inference_with_other_pictures(package: Path, other_images: Path) -> None:
    text, pictures = run(package, "first_inference", {"BVIT_HW_IMAGES": str(other_images)})
    assert "simulated device, built for pynq-z2" in text
    assert "simulated device: all logits of 32 images as expected" in text
    assert "5 images from" in text and "digit0.png: " in text and "noise.jpg: " in text
    labels = load_dataset("digits").test_labels[40:44]
    for n, label in enumerate(labels):
        assert f"digit{n}.png: {label}  (logit" in text
    assert "all 50 logits of 5 images equal to the frozen model's" in text and pictures == 1


def test_look_inside(package: Path) -> None:
    text, pictures = run(package, "look_inside", {"BVIT_HW_IMAGE": "3"})
    assert "all 10 logits equal to the frozen model's" in text and pictures == 2
    assert "frames_out         1" in text


@pytest.mark.slow
def test_accuracy_on_the_whole_test_split(built: Path, package: Path, tmp_path: Path) -> None:
    data = load_dataset("digits")
    np.savez(tmp_path / "split.npz", images=data.test_images, labels=data.test_labels)
    text, pictures = run(package, "accuracy", {"BVIT_HW_IMAGES": str(tmp_path / "split.npz")})
    frozen = json.loads((built / "report.json").read_text())["accuracy"]["frozen"]
    assert f"accuracy {frozen:.2%}: {round(360 * frozen)} of 360 images" in text and pictures >= 1


@pytest.mark.slow
def test_accuracy_of_folders_of_classes(package: Path, tmp_path: Path) -> None:
    """Labels by the folders' names; what is no picture is left alone. A plain folder has no labels."""
    data = load_dataset("digits")
    for image, label in zip(data.test_images[:12], data.test_labels[:12], strict=True):
        folder = tmp_path / "set" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{len(list(folder.iterdir()))}.png")
    (tmp_path / "set" / "readme.txt").write_text("not a picture")
    (tmp_path / "set" / "empty").mkdir()
    text, pictures = run(package, "accuracy", {"BVIT_HW_IMAGES": str(tmp_path / "set")})
    assert "accuracy 100.00%: 12 of 12 images" in text and pictures == 1
    one = tmp_path / "set" / str(data.test_labels[0])
    text, pictures = run(package, "accuracy", {"BVIT_HW_IMAGES": str(one)})
    assert "They have no labels" in text and f"{data.test_labels[0]}: " in text and pictures == 0


@pytest.mark.slow
def test_latency_and_throughput(package: Path) -> None:
    text, pictures = run(package, "latency_throughput")
    assert "16 images a transfer:" in text and "cycles = " in text and "best: " in text and pictures == 1


@pytest.mark.slow
def test_power_says_that_there_is_none(package: Path) -> None:
    text, pictures = run(package, "power")
    assert "no power to read here: the simulated device has no sensor" in text and pictures == 0


@pytest.mark.slow
def test_train_your_own(tmp_path: Path) -> None:
    """From a folder of grey pictures of several sizes to the simulated device, with a network of its own."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(("bright", "dark thing")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for n in range(20):
            size = tuple(rng.integers(30, 60, 2))
            pixels = rng.integers(0, 90, size, dtype=np.uint8) + np.uint8(160 * (1 - number))
            Image.fromarray(np.stack([pixels] * 3, axis=-1)).save(tmp_path / "mine" / name / f"{n}.png")
    (tmp_path / "mine" / "empty").mkdir()
    notebook = shutil.copy(NOTEBOOKS / "computer" / "train_your_own.ipynb", tmp_path)
    settings = {
        "BVIT_HW_PICTURES": str(tmp_path / "mine"), "BVIT_HW_WORK": str(tmp_path / "work"), "BVIT_HW_EPOCHS": "6",
        "BVIT_HW": f"env PYTHONPATH={NOTEBOOKS.parents[1]} {sys.executable} -m bvit_hw.cli",
    }  # fmt: skip
    text, pictures = execute(Path(notebook), tmp_path, settings)
    assert "40 pictures of 2 classes: bright, dark thing" in text and "32 pictures train, 8 measure" in text
    assert "mine: QAT model classifies" in text and "logits equal to frozen" in text and pictures == 3
    report = json.loads((tmp_path / "work/build/report.json").read_text())
    assert report["model"] == "mine" and report["accuracy"]["images"] == 8
    right = round(8 * report["accuracy"]["frozen"])
    assert f"simulated device, built for pynq-z2: {right} of 8 pictures right" in text
    model = json.loads((tmp_path / "work/build/package/model.json").read_text())
    assert model["class_names"] == ["bright", "dark thing"]
    assert not (tmp_path / "work/build/package/train_your_own.ipynb").exists(), "no board trains"


def test_self_test_and_run_without_pynq(built: Path, package: Path, other_images: Path) -> None:
    """The package as a build leaves it, on the simulated RTL, in an environment without pynq."""
    result = runtime.self_test(package, "sim")
    assert result.images == 32 and result.accuracy == 1.0 and result.files > 20
    done = bvit("run", "--build", built, "--device", "sim", "--images", other_images, cwd=package)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    labels = load_dataset("digits").test_labels[40:44]
    assert [line.split()[1] for line in lines[:4]] == [str(label) for label in labels]
    assert "simulated device: 5 images in" in done.stdout and "cycles between frames" in done.stdout
    refused(bvit("run", "--build", built, "--device", "board", "--images", other_images, cwd=package), "holds none of")


def test_release_archive_of_a_build(built: Path, tmp_path: Path) -> None:
    """It holds what the board needs, and the driver in it finds it whole."""
    archive = built / "bvit_hw-pynq-z2.zip"
    assert f"for the board: {archive}" in (built.parent / "stdout.txt").read_text()
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    files = [f for f in (tmp_path / archive.stem).rglob("*.*") if f.suffix not in (".ipynb", ".md")]
    assert runtime.check_files(tmp_path / archive.stem) == len(files) > 20


def test_all_are_shipped_clean(built: Path) -> None:
    """Notebooks in the repository hold no outputs, and the package has every one of them."""
    names = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    assert names == [
        "accuracy.ipynb", "first_inference.ipynb", "latency_throughput.ipynb", "look_inside.ipynb", "power.ipynb",
    ]  # fmt: skip
    for name in names:
        cells = json.loads((NOTEBOOKS / name).read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
        assert (built / "package" / name).read_bytes() == (NOTEBOOKS / name).read_bytes()
