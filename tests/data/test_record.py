"""What a checkpoint says of its data, and classes told by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bvit_hw.data.choice import spread_classes
from bvit_hw.data.labelled import generated_images, image_batches, load_images
from bvit_hw.data.record import DataRecord, default_preprocessing, record_of
from bvit_hw.errors import CheckpointError, DatasetError
from bvit_hw.models import (
    BinaryViTConfig,
    checkpoint_config,
    checkpoint_info,
    save_checkpoint,
    shipped_checkpoint,
)
from bvit_hw.network_file import network_record
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import resolve
from bvit_hw.pipeline.steps import checkpoint
from bvit_hw.report.model import Accuracy
from tests.frozen_factory import CONFIGS, calibrated_model

CONFIG = CONFIGS["plain"]  # 12 x 12 x 3, 3 classes
NAMED = DataRecord(default_preprocessing(CONFIG), "trained/on/this", ("ant", "bee", "cow"), 0.5, 10)


def tree(folder: Path, *classes: str) -> str:
    """Two grey pictures a class, as bright as the class's place in the alphabet."""
    for split in ("train", "val"):
        for name in classes:
            (folder / split / name).mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (12, 12), (ord(name[0]),) * 3).save(folder / split / name / f"{number}.png")
    return str(folder)


def test_the_record_of_old_and_new_checkpoints() -> None:
    path = shipped_checkpoint()
    old = record_of(checkpoint_info(path), checkpoint_config(path))
    assert (old.dataset, old.class_names, old.accuracy) == ("digits", tuple("0123456789"), 1.0)
    again = record_of(NAMED.as_info(), CONFIG)
    assert again == NAMED and record_of({}, CONFIG) == DataRecord(default_preprocessing(CONFIG))
    for wrong in ({"dataset": 5}, {"classes": "xyz"}, {"classes": ["a", "b"]}, {"preprocessing": {"crop": 2}}):
        with pytest.raises(CheckpointError, match=r"net\.x: "):
            record_of(wrong, CONFIG, "net.x")


def test_classes_are_told_by_name_not_by_rank(tmp_path: Path) -> None:
    found = load_images(tree(tmp_path, "bee", "cow"), CONFIG, NAMED)
    assert found.labels is not None and "2 of the network's 3 classes" in found.notes[-1]
    assert found.class_names == ("ant", "bee", "cow")
    assert {int(i.max()): int(n) for i, n in zip(found.images, found.labels, strict=True)} == {ord("b"): 1, ord("c"): 2}


@pytest.mark.parametrize("classes", [("ant", "bee", "dog"), ("dog",), ("ant", "bee", "cow", "dog")])
def test_other_classes_are_refused(tmp_path: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match=r"none of the network's: dog. It was trained on trained/on/this"):
        load_images(tree(tmp_path, *classes), CONFIG, NAMED)


def test_without_names_the_counts_must_agree(tmp_path: Path) -> None:
    data = tree(tmp_path, "ant", "bee")
    with pytest.raises(DatasetError, match=r"2 classes .*; the network has 3"):
        list(image_batches(data, CONFIG, 4))


def test_numbers_in_the_place_of_names_are_told(tmp_path: Path) -> None:
    images = np.zeros((4, 12, 12, 3), np.uint8)
    np.savez(tmp_path / "whole.npz", images=images, labels=[2, 0, 2, 0])
    np.savez(tmp_path / "split.npz", images=images, labels=[1, 0, 1, 0], test_images=images[:2], test_labels=[0, 1])
    told = ("2 of 3 (0 is ant, 2 is cow)", "2 of 3 (0 is ant, 1 is bee)")
    for name, words in zip(("whole.npz", "split.npz"), told, strict=True):
        found = load_images(str(tmp_path / name), CONFIG, NAMED)
        assert "names no classes: its labels are taken as" in found.notes[-1] and found.notes[-1].endswith(words)
        assert set(found.labels) <= {0, 1, 2}
        numbers = DataRecord(NAMED.preprocessing, NAMED.dataset, ("0", "1", "2"))
        assert len(load_images(str(tmp_path / name), CONFIG, numbers).notes) == 1, "the other data alone"
        assert not load_images(str(tmp_path / name), CONFIG).notes


def test_simulated_images_are_of_many_classes() -> None:
    labels = np.repeat(np.arange(10), 50)
    order = spread_classes(labels)
    assert set(labels[order][:10]) == set(range(10)) and sorted(order) == list(range(500))
    mixed = np.arange(500) % 10
    assert np.array_equal(spread_classes(mixed), np.arange(500)), "what is spread already stays as it is"
    one_too_rare = np.r_[np.zeros(31, int), np.ones(40, int)]
    assert (np.bincount(one_too_rare[spread_classes(one_too_rare)][:32]) == 16).all()
    assert spread_classes(np.zeros(0, int)).shape == (0,)
    few = np.repeat(np.arange(3), 8)
    assert few[spread_classes(few)][:6].tolist() == [0, 1, 2, 0, 1, 2], "a short beginning holds every class as well"


def test_a_report_names_the_data_or_says_what_the_checkpoint_records() -> None:
    facts = {"data": "cifar10=/d", "rtl": None, "rtl_images": 4, "rtl_equal_to_frozen": True}
    measured = Accuracy(**facts, qat=0.5, frozen=0.5, images=10)
    assert measured.record == ""
    missing = {**facts, "qat": None, "frozen": None, "images": 0, "not_measured": "not at hand"}
    assert Accuracy(**missing).record == "the checkpoint records none"
    told = Accuracy(**missing, recorded=0.9, recorded_images=1000, recorded_data="cifar10=/d").record
    assert told == "90.00% on 1,000 images of cifar10=/d, as the checkpoint records"


def test_nothing_else_is_measured_in_place_of_missing_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = calibrated_model(CONFIG, torch.randn(4, 3, 12, 12))

    def options(info: dict[str, object], data: str | None = None) -> tuple[str | None, str]:
        path = tmp_path / "net.safetensors"
        save_checkpoint(model, path, info)
        found = resolve(
            board="pynq-z2", preset_name=None, checkpoint=path, data=data, clock_mhz=None, target_fps=None,
            simulated_images=4, jobs=1,
        )  # fmt: skip
        return found.data, found.not_measured

    data, why = options({"recipe": {"dataset": f"cifar10={tmp_path}/gone"}})
    assert data is None and "gone" in why and "not at hand" in why and "--data" in why
    data, why = options({})
    assert data is None and "does not say what it was trained on" in why
    own = tree(tmp_path / "pictures", "ant", "bee", "cow")
    assert options({"dataset": own}) == (own, "")
    assert options({"dataset": own}, "digits") == ("digits", "")


@pytest.mark.parametrize(("name", "accuracy"), [("cifar10", 0.8358), ("fashion-mnist", 0.9156)])
def test_shipped_networks_are_built_without_their_data(
    name: str, accuracy: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracy is what the checkpoint records, marked as such; what is simulated are generated images."""
    monkeypatch.setattr("bvit_hw.data.sources.FASHION_FOLDER", tmp_path / "not installed")
    options = resolve(
        board="pynq-z2", preset_name=name, checkpoint=None, data=None, clock_mhz=None, target_fps=None,
        simulated_images=4, jobs=1,
    )  # fmt: skip
    assert options.data is None and "not at hand" in options.not_measured and "--data" in options.not_measured
    record = network_record(options.checkpoint)
    assert record.class_names is not None and len(record.class_names) == 10
    found = checkpoint.run(StepContext(tmp_path, lambda done, total: None, {}, {}), Artefacts(options))
    assert found["data"] == "generated images" and found["images"] == 0 and found["qat_accuracy"] is None
    recorded = {key: found[f"recorded_{key}"] for key in ("accuracy", "images", "data")}
    assert (recorded["accuracy"], recorded["images"]) == (accuracy, 10_000)
    told = Accuracy(
        data=found["data"], not_measured=found["not_measured"], qat=None, frozen=None, rtl=None, images=0, rtl_images=4,
        rtl_equal_to_frozen=True, recorded=accuracy, recorded_images=10_000, recorded_data=recorded["data"],
    )  # fmt: skip
    assert told.record.startswith(f"{accuracy:.2%} on 10,000 images of {name}") and "records" in told.record


def test_generated_images_fit_and_repeat() -> None:
    config = BinaryViTConfig.create(
        **{**CONFIG.model_dump(), "in_channels": 1, "mean": (0.5,), "std": (0.5,), "image_size": 12}
    )
    first, again = generated_images(config, 5), generated_images(config, 5)
    assert first.images.shape == (5, 12, 12, 1) and first.images.dtype == np.uint8 and first.labels is None
    assert np.array_equal(first.images, again.images) and first.images.std() > 30
