"""Own data to train on: .npz files with a split, grey folders, colours converted where asked; errors name the place."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bvit_hw.data import open_data
from bvit_hw.data.archive import open_archive
from bvit_hw.data.calibration import load_calibration
from bvit_hw.data.classes import open_matched
from bvit_hw.data.colours import with_channels
from bvit_hw.data.labelled import load_images
from bvit_hw.data.record import DataRecord, default_preprocessing
from bvit_hw.errors import ConfigError, DatasetError
from bvit_hw.models import BinaryViTConfig, checkpoint_info
from bvit_hw.network_file import network_record
from bvit_hw.runtime.preprocess import Preprocessing, luma
from tests.command import Done, bvit, refused
from tests.data.test_mnist import write
from tests.models.test_network_toml import written

RANDOM = np.random.default_rng(5)
LABELS = np.array([0, 1, 2] * 5)
IMAGES = RANDOM.integers(0, 256, (15, 20, 24, 3), dtype=np.uint8)
NAMES = np.array(["rose", "daisy", "tulip"])
GREY = {"in_channels": 1, "mean": [0.5], "std": [0.5]}


def packed(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{"images": IMAGES, "labels": LABELS} | arrays)
    return path


def trained(folder: Path, network: Path, data: object, *more: object) -> Done:
    words = ["train", "--network", network, "--data", data, "--epochs", "2", "--batch-size", "4", "--workers", "0"]
    return bvit(*words, "--threads", "1", "--no-tensorboard", *more, cwd=folder)


def test_every_fifth_image_of_a_class_measures(tmp_path: Path) -> None:
    data = open_data(str(packed(tmp_path / "set.npz", class_names=NAMES)))
    assert (len(data.train), len(data.test), data.class_names) == (12, 3, ("rose", "daisy", "tulip"))
    assert data.arrays is not None and data.size is None and data.channels == 3
    assert np.array_equal(data.arrays.test_images, IMAGES[12:]) and data.arrays.test_labels.tolist() == [0, 1, 2]
    assert np.array_equal(data.arrays.train_images, IMAGES[:12])
    few = open_archive(packed(tmp_path / "few.npz", images=IMAGES[:6, :20, :20], labels=LABELS[:6]))
    assert few.test_labels.tolist() == [0, 1, 2] and np.array_equal(few.test_images, IMAGES[3:6, :20, :20])
    assert few.names() == ("0", "1", "2") and len(few.train_labels) == 3


def test_a_test_part_measures_instead(tmp_path: Path) -> None:
    path = packed(tmp_path / "set.npz", test_images=IMAGES[:2], test_labels=[2, 0])
    data = open_archive(path)
    assert len(data.train_labels) == 15 and data.test_labels.tolist() == [2, 0]
    config = BinaryViTConfig.create(
        image_size=16, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,), reductions=(1,), classes=3
    )
    found = load_images(str(path), config)
    assert found.images.shape == (2, 16, 16, 3) and found.labels is not None and found.labels.tolist() == [2, 0]


def test_reals_grey_and_opacity_are_bytes_of_one_to_three_channels(tmp_path: Path) -> None:
    grey = open_archive(packed(tmp_path / "a.npz", images=IMAGES[..., 0] / 255))
    assert np.array_equal(grey.test_images, IMAGES[12:, ..., :1])
    clear = np.concatenate([IMAGES, IMAGES[..., :1]], axis=3)
    assert np.array_equal(open_archive(packed(tmp_path / "b.npz", images=clear)).test_images, IMAGES[12:])


NAN = np.where(np.arange(15)[:, None, None, None] == 3, np.nan, IMAGES / 255)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"labels": LABELS[:-1]}, "labels: 15 images with 14 labels"),
        ({"labels": np.where(LABELS == 2, 3, LABELS)}, "labels: no image is of class 2; classes are 0..3"),
        ({"labels": np.where(LABELS == 2, 10**12, LABELS)}, "labels: no image is of class 2; classes are 0..10"),
        ({"labels": LABELS % 2, "class_names": NAMES}, "no image is of class 2 ('tulip')"),
        ({"labels": LABELS + 1, "class_names": NAMES}, "labels go up to 3; class_names has 3 entries, 0..2"),
        ({"labels": LABELS - 1}, "labels: labels -1..1"),
        ({"labels": LABELS / 2}, "labels: label 0.5 of image 1"),
        ({"labels": np.where(LABELS == 1, np.nan, LABELS)}, "labels: label nan of image 1"),
        ({"labels": np.eye(3)[LABELS]}, "one-hot"),
        ({"labels": np.array([0] * 14 + [1])}, "labels: one image is of class 1"),
        ({"images": NAN}, "images: images hold values that are no numbers (NaN)"),
        ({"images": IMAGES.astype(float)}, "images: images hold values"),
        ({"images": IMAGES.astype(np.int32)}, "images are int32; needed: uint8"),
        ({"images": IMAGES[..., :2]}, "images have shape (15, 20, 24, 2)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "images have shape (0, 20, 24, 3)"),
        ({"class_names": np.array(["a", "a", "b"])}, "class_names must be different and not empty"),
        ({"class_names": np.arange(3)}, "class_names are int64 (3,); texts are expected"),
        ({"test_images": IMAGES}, "holds 'test_images' without 'test_labels'"),
        ({"test_labels": LABELS}, "holds 'test_labels' without 'test_images'"),
        ({"test_images": IMAGES[:, :9], "test_labels": LABELS}, "images are (20, 24, 3), test_images (9, 24, 3)"),
        ({"test_images": IMAGES, "test_labels": LABELS + 1}, "test_labels go up to 3; labels have 0..2"),
        ({"test_images": NAN, "test_labels": LABELS}, "test_images: images hold values that are no numbers"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_array(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        open_archive(packed(tmp_path / "set.npz", **arrays))
    assert told in str(caught.value) and "set.npz" in str(caught.value)


def test_any_command_finds_an_archive_by_any_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ for the home folder, and capitals in the suffix: as a data set, to measure on and to calibrate with."""
    monkeypatch.setenv("HOME", str(tmp_path))
    packed(tmp_path / "set.npz", images=IMAGES[:, :, :20]).rename(tmp_path / "Set.NPZ")
    config = BinaryViTConfig.create(
        image_size=20, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,), reductions=(1,), classes=3
    )
    assert open_data("~/Set.NPZ").classes == 3
    assert len(load_images("~/Set.NPZ", config).images) == len(load_calibration("~/Set.NPZ", config).images) + 7 == 15
    for opens in (open_data, lambda text: load_images(text, config), lambda text: load_calibration(text, config)):
        with pytest.raises(ConfigError, match=r"~nobody-here/set\.npz.* cannot be a"):
            opens("~nobody-here/set.npz")


def test_names_decide_which_class_is_measured(tmp_path: Path) -> None:
    config = BinaryViTConfig.create(
        image_size=20, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,), reductions=(1,), classes=4
    )
    known = DataRecord(default_preprocessing(config), "elsewhere.npz", ("oak", "tulip", "rose", "daisy"))
    path = packed(tmp_path / "set.npz", images=IMAGES[:, :, :20], class_names=NAMES)
    found = load_images(str(path), config, known)
    assert found.labels is not None and found.labels.tolist() == [2, 3, 1] * 5
    plain = packed(tmp_path / "plain.npz", images=IMAGES[:, :, :20])
    numbered = load_images(str(plain), config, known)
    assert numbered.labels is not None and numbered.labels.tolist() == LABELS.tolist()
    with pytest.raises(DatasetError, match="1 of its 3 classes are none of the network's: fern"):
        names = np.array(["rose", "fern", "oak"])
        load_images(str(packed(path, images=IMAGES[:, :, :20], class_names=names)), config, known)


def test_an_archive_is_trained_on_and_measured_on_its_test_part(tmp_path: Path) -> None:
    """Pictures of another size than the network's; class names reach the checkpoint and its record."""
    network = written(tmp_path / "mine.toml", classes=3)
    packed(tmp_path / "set.npz", class_names=NAMES)
    done = trained(tmp_path, network, "set.npz")
    assert done.returncode == 0 and "of 3 test images" in done.stdout, done.stderr
    checkpoint = tmp_path / "build/train/mine/model.safetensors"
    assert checkpoint_info(checkpoint)["classes"] == NAMES.tolist()
    assert network_record(checkpoint).dataset == str(tmp_path / "set.npz")
    scores = bvit("evaluate", checkpoint, "--forms", "qat", "--json", "--quiet", cwd=tmp_path)
    assert json.loads(scores.stdout)["scores"][0]["images"] == 3, scores.stderr
    refused(
        trained(tmp_path, written(tmp_path / "four.toml", classes=4), "set.npz"),
        "four.toml: classes = 4; set.npz has 3 (rose, daisy, tulip)",
    )


def grey_tree(root: Path) -> Path:
    for split in ("train", "val"):
        for number in range(2):
            folder = root / split / f"class {number}"
            folder.mkdir(parents=True)
            for i in range(4):
                Image.fromarray(np.full((18, 30), 40 * i + 90 * number, np.uint8)).save(folder / f"{i}.png")
    return root


def test_grey_folders_are_for_grey_networks_and_converted_where_asked(tmp_path: Path) -> None:
    root = grey_tree(tmp_path / "grey")
    grey, colour = written(tmp_path / "grey.toml", **GREY), written(tmp_path / "colour.toml")
    assert open_data(str(root)).channels == 1
    assert trained(tmp_path, grey, root).returncode == 0
    refused(trained(tmp_path, colour, root), "grey", "pictures have 1 channels", "in_channels=3", "--convert-colours")
    asked = trained(tmp_path, colour, root, "--convert-colours")
    assert asked.returncode == 0 and "1 channels, converted to the network's 3" in asked.stderr
    Image.fromarray(IMAGES[0]).save(root / "train" / "class 0" / "9.png")
    assert open_data(str(root)).channels == 3, "one coloured picture makes it coloured"
    refused(trained(tmp_path, grey, root, "--overwrite"), "pictures have 3 channels", "in_channels=1")


def test_pictures_of_other_colours_are_measured_where_asked(tmp_path: Path) -> None:
    """evaluate and build: refused, unless the user or the training asked for them."""
    root = str(grey_tree(tmp_path / "grey"))
    record = DataRecord(Preprocessing(16, 16, 3), class_names=open_data(root).class_names)
    with pytest.raises(DatasetError, match="grey pictures; the network takes 3 channels, --convert-colours converts"):
        open_matched(root, record, 2)
    asked = open_matched(root, replace(record, converts=True), 2)
    assert any("grey pictures, converted for a network of 3 channels" in note for note in asked.notes)
    assert not open_matched(root, replace(record, dataset=root), 2).notes, "it was trained on them"
    Image.fromarray(IMAGES[0]).save(tmp_path / "grey" / "train" / "class 0" / "9.png")
    grey = replace(record, preprocessing=Preprocessing(16, 16, 1))
    with pytest.raises(DatasetError, match="coloured pictures; the network takes 1 channel, --convert"):
        open_matched(root, grey, 2)


def test_evaluate_and_build_ask_before_they_convert(tmp_path: Path) -> None:
    """The shipped network takes three channels; its classes by name, in grey."""
    for split in ("train", "val"):
        for digit in range(10):
            folder = tmp_path / "grey" / split / str(digit)
            folder.mkdir(parents=True)
            Image.fromarray(np.full((8, 8), 25 * digit, np.uint8)).save(folder / "0.png")
    data = ["--data", str(tmp_path / "grey")]
    words = ("grey pictures", "takes 3 channels", "--convert-colours")
    refused(bvit("evaluate", *data, "--forms", "frozen", cwd=tmp_path), *words)
    asked = bvit("evaluate", *data, "--forms", "frozen", "--convert-colours", cwd=tmp_path)
    assert asked.returncode == 0 and "converted for a network of 3 channels" in asked.stderr
    build = ("build", "--board", "pynq-z2", "--until", "checkpoint", "--out", "out", *data)
    refused(bvit(*build, cwd=tmp_path), *words)
    assert bvit(*build, "--convert-colours", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_archives_to_measure_on_are_converted_where_asked(tmp_path: Path, channels: int) -> None:
    """Grey ones with and without an axis for their channel, coloured ones; also those that scales are chosen with."""
    images = RANDOM.integers(0, 256, (6, 16, 16, 4 - channels), np.uint8)
    config = BinaryViTConfig.create(
        image_size=16, in_channels=channels, classes=2,
        channels=[8], depths=[1], heads=[1], mlp_widths=[8], reductions=[1],
    )  # fmt: skip
    record = DataRecord(default_preprocessing(config))
    asked = replace(record, converts=True)
    wanted = luma(images) if channels == 1 else images.repeat(3, axis=3)
    for shaped in (images, images[..., 0])[: channels - 1 or 1]:
        path = str(tmp_path / "set.npz")
        np.savez(path, images=shaped, labels=np.arange(6) % 2)
        with pytest.raises(DatasetError, match=f"the network takes {channels} channel.*--convert-colours"):
            load_images(path, config, record)
        with pytest.raises(DatasetError, match="--convert-colours converts them"):
            load_calibration(path, config, record=record)
        assert np.array_equal(load_images(path, config, asked).images, wanted)
        assert np.array_equal(load_calibration(path, config, record=asked).images, wanted[::2])


def test_converted_pictures_are_those_of_the_driver(tmp_path: Path) -> None:
    data = open_data(str(packed(tmp_path / "set.npz")))
    grey = with_channels(data, 1)
    assert grey.arrays is not None and np.array_equal(grey.arrays.train_images, luma(IMAGES[:12]))
    assert np.array_equal(np.asarray(grey.test[0][0])[0], luma(IMAGES[12])[..., 0]) and grey.channels == 1
    back = with_channels(grey, 3)
    assert back.arrays is not None and np.array_equal(back.arrays.test_images, luma(IMAGES[12:]).repeat(3, axis=3))
    assert with_channels(data, 3) is data
    tree = grey_tree(tmp_path / "tree")
    assert with_channels(open_data(str(tree)), 3).train[0][0].mode == "RGB"  # type: ignore[union-attr]


def test_mnist_files_for_a_colour_network_and_the_reverse(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("t10k", 4)):
        write(tmp_path, f"{part}-images-idx3-ubyte", RANDOM.integers(0, 256, (count, 16, 16)))
        write(tmp_path, f"{part}-labels-idx1-ubyte", np.arange(count) % 2)
    colour, data = written(tmp_path / "colour.toml"), f"mnist={tmp_path}"
    refused(trained(tmp_path, colour, data), "pictures have 1 channels", "in_channels=3", "--convert-colours")
    assert trained(tmp_path, colour, data, "--convert-colours").returncode == 0
    packed(tmp_path / "set.npz")
    refused(
        trained(tmp_path, written(tmp_path / "grey.toml", classes=3, **GREY), "set.npz"),
        "set.npz: pictures have 3 channels", "in_channels=1",
    )  # fmt: skip
    images = tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    images.write_bytes(whole[:-40])
    refused(trained(tmp_path, colour, data), str(images), "truncated")
    images.unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(whole)[:-30])
    refused(trained(tmp_path, colour, data), f"{images}.gz: damaged gzip file")


def test_empty_folders_and_odd_channels_are_named(tmp_path: Path) -> None:
    root = grey_tree(tmp_path / "grey")
    for picture in (root / "train" / "class 1").iterdir():
        picture.unlink()
    with pytest.raises(DatasetError, match="class 1"):
        open_data(str(root))
    with pytest.raises(ConfigError, match=r"neither a folder nor a known dataset.*FILE\.npz"):
        open_data("set.npy")
