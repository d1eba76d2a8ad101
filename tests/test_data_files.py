"""Datasets on disk: CIFAR's binary files and image trees, whole and damaged; batches whose order is no state."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

from bvit_hw.cli.train import train_command
from bvit_hw.data import cifar, evaluation_images, open_data, parse_data
from bvit_hw.data.augment import evaluation_transform, training_transform
from bvit_hw.data.loading import Loader, Share, epoch_order
from bvit_hw.errors import BvitError, ConfigError, DatasetError
from bvit_hw.models import checkpoint_info, load_checkpoint


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not talk."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def write_cifar(folder: Path, name: str, records: int = 20) -> dict[str, np.ndarray]:
    """A small dataset in the published layout; the records of each file."""
    home = folder / ("cifar-10-batches-bin" if name == "cifar10" else "cifar-100-binary")
    home.mkdir(parents=True)
    random = np.random.default_rng(3)
    files = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    if name == "cifar100":
        files = ["train.bin", "test.bin"]
    written = {}
    for file in files:
        labels = random.integers(0, 10 if name == "cifar10" else 20, (records, 1 if name == "cifar10" else 2))
        if name == "cifar100":
            labels[:, 1] = random.integers(0, 100, records)
        pixels = random.integers(0, 256, (records, 3072))
        written[file] = np.concatenate((labels, pixels), axis=1).astype(np.uint8)
        (home / file).write_bytes(written[file].tobytes())
    return written


def write_tree(root: Path, classes: tuple[str, ...] = ("cat", "dog"), images: int = 3, size: int = 40) -> Path:
    """JPEG files in train/ and val/, with another grey for each class."""
    for split in ("train", "val"):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for i in range(images):
                grey = np.full((size, size + 8 * i, 3), 40 + 150 * number, np.uint8)
                Image.fromarray(grey).save(root / split / name / f"{i}.jpg")
    return root


@pytest.mark.parametrize("nested", [True, False])
def test_cifar10_is_read_as_published(tmp_path: Path, nested: bool) -> None:
    written = write_cifar(tmp_path, "cifar10")
    folder = tmp_path if nested else tmp_path / "cifar-10-batches-bin"
    (tmp_path / "cifar-10-batches-bin" / "batches.meta.txt").write_text(
        "\n".join(f"thing {i}" for i in range(10)) + "\n\n"
    )
    data = open_data(f"cifar10={folder}")
    assert (len(data.train), len(data.test), data.classes, data.size) == (100, 20, 10, 32)
    assert data.class_names[3] == "thing 3" and data.arrays is not None
    third = written["data_batch_2.bin"][3]
    assert data.arrays.train_labels[23] == third[0]
    image, label = data.train[23]
    assert isinstance(image, Tensor) and label == third[0]
    assert image.shape == (3, 32, 32) and image[2, 5, 7] == third[1 + 2 * 1024 + 5 * 32 + 7]


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    written = write_cifar(tmp_path, "cifar100")
    data = open_data(f"cifar100={tmp_path}")
    assert data.arrays is not None and data.classes == 100
    assert (data.arrays.test_labels == written["test.bin"][:, 1]).all()


def test_damaged_cifar_names_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cifar(tmp_path, "cifar10")
    home = tmp_path / "cifar-10-batches-bin"
    assert "data_batch_1.bin: 20 images" not in caplog.text
    open_data(f"cifar10={tmp_path}")
    assert "data_batch_1.bin: 20 images; the distribution has 10,000" in caplog.text, "fewer than published is told"
    third = home / "data_batch_3.bin"
    whole = third.read_bytes()
    for damaged, message in (
        (
            whole[:-1],
            r"data_batch_3.bin: 61,459 bytes; cifar10 has records of 3,073 bytes, 10,000 in this file .*truncated",
        ),
        (b"", r"data_batch_3.bin: 0 bytes"),
        (whole[:3073] + b"\x0a" + whole[3074:], r"data_batch_3.bin: record 1 has label 10; cifar10 has 0..9"),
        (whole[: 19 * 3073], r"different lengths .*data_batch_3.bin: 19"),
    ):
        third.write_bytes(damaged)
        with pytest.raises(DatasetError, match=message):
            open_data(f"cifar10={tmp_path}")
    third.unlink()
    with pytest.raises(DatasetError, match=r"data_batch_3.bin: no such file.*binary.*--download"):
        open_data(f"cifar10={tmp_path}")
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        open_data(f"cifar10={tmp_path / 'nowhere'}")


def test_download_is_checked_against_the_published_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched from this machine: a foreign archive is refused, an absent one is an error."""
    write_cifar(tmp_path / "source", "cifar100")
    archive = shutil.make_archive(str(tmp_path / "cifar-100-binary"), "gztar", tmp_path / "source")
    published = cifar._LAYOUTS["cifar100"]
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = dataclasses.replace(published, url=f"http://127.0.0.1:{server.server_port}/{Path(archive).name}")
    monkeypatch.setitem(cifar._LAYOUTS, "cifar100", there)
    with pytest.raises(DatasetError, match=r"cifar100: http:.* cannot be fetched"):
        open_data(f"cifar100={tmp_path / 'a'}", download=True)
    digest = hashlib.md5(Path(archive).read_bytes()).hexdigest()
    monkeypatch.setitem(cifar._LAYOUTS, "cifar100", dataclasses.replace(there, md5=digest))
    assert len(open_data(f"cifar100={tmp_path / 'b'}", download=True).train) == 20
    with pytest.raises(DatasetError, match=r"no such folder"):
        open_data(f"cifar100={tmp_path / 'c'}")
    server.shutdown()


def test_trees_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "whole")
    data = open_data(f"imagenet={root}")
    assert data.class_names == ("cat", "dog") and len(data.train) == len(data.test) == 6

    def refused(name: str, message: str) -> None:
        with pytest.raises(DatasetError, match=message):
            open_data(f"imagenet={tmp_path / name}")

    refused("nowhere", "nowhere: no such folder")
    shutil.copytree(root, tmp_path / "no_val", ignore=shutil.ignore_patterns("val"))
    refused("no_val", r"no_val: val/, .* is missing; found train")
    shutil.copytree(root, tmp_path / "no_train", ignore=shutil.ignore_patterns("train"))
    refused("no_train", r"no_train: train/ is missing; found val")
    shutil.copytree(root, tmp_path / "other")
    (tmp_path / "other" / "val" / "dog").rename(tmp_path / "other" / "val" / "wolf")
    refused("other", r"different classes; only in .*train: dog; only in .*val: wolf")
    shutil.copytree(root, tmp_path / "empty", ignore=shutil.ignore_patterns("*.jpg"))
    refused("empty", r"empty/train: .*cat")
    shutil.copytree(root, tmp_path / "flat")
    shutil.rmtree(tmp_path / "flat" / "val" / "cat")
    shutil.rmtree(tmp_path / "flat" / "val" / "dog")
    shutil.copy(root / "val" / "cat" / "0.jpg", tmp_path / "flat" / "val" / "0.jpg")
    refused("flat", r"flat/val: .*one folder a class")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named(tmp_path: Path, workers: int) -> None:
    root = write_tree(tmp_path)
    broken = root / "train" / "dog" / "1.jpg"
    whole = broken.read_bytes()
    for content in (whole[: len(whole) // 2], b"not a picture", b""):
        broken.write_bytes(content)
        loader = Loader(open_data(str(root)).train, training_transform("paper", 32), workers=workers)
        with pytest.raises(DatasetError, match=r"train/dog/1\.jpg: damaged") as caught:
            list(loader.epoch(Share(2), 0, 0))
        assert "Traceback" not in str(caught.value)


def test_batches_depend_on_seed_epoch_and_step_alone(tmp_path: Path) -> None:
    """Any start, any number of workers, any number of processes: the same pictures, cut the same way."""
    data = open_data(str(write_tree(tmp_path, images=8)))
    transform = training_transform("paper", 16)
    alone = list(Loader(data.train, transform).epoch(Share(4), seed=3, epoch=2))
    assert len(alone) == 4 and alone[0][0].shape == (4, 3, 16, 16) and alone[0][0].dtype == torch.uint8
    torch.rand(5)
    before = torch.get_rng_state()
    later = list(Loader(data.train, transform, workers=1).epoch(Share(4), seed=3, epoch=2, start=2))
    for (x, y), (other_x, other_y) in zip(alone[2:], later, strict=True):
        assert torch.equal(x, other_x) and torch.equal(y, other_y)
    for world, accumulate in ((2, 1), (1, 2), (2, 2)):
        batch = 4 // (world * accumulate)
        parts = [
            list(Loader(data.train, transform).epoch(Share(batch, accumulate, rank, world), seed=3, epoch=2))
            for rank in range(world)
        ]
        assert all(len(part) == 4 * accumulate for part in parts)
        for step in range(4):
            found = [part[step * accumulate + micro][0] for micro in range(accumulate) for part in parts]
            assert torch.equal(torch.cat(found), alone[step][0]), (world, accumulate)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers are its own"
    other = next(iter(Loader(data.train, transform).epoch(Share(4), seed=3, epoch=3)))
    assert not torch.equal(other[0], alone[0][0])
    orders = {tuple(epoch_order(16, seed, epoch).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9 and all(sorted(order) == list(range(16)) for order in orders)


def test_every_test_picture_is_seen_once(tmp_path: Path) -> None:
    data = open_data(str(write_tree(tmp_path, images=5)))
    loader = Loader(data.test, evaluation_transform(32))
    seen = [torch.cat([y for _, y in loader.all(3, rank, 3)]) for rank in range(3)]
    assert sorted(torch.cat(seen).tolist()) == [0] * 5 + [1] * 5
    images = np.concatenate([x for x, _ in evaluation_images(data.test, 32, 4)])
    labels = np.concatenate([y for _, y in evaluation_images(data.test, 32, 4)])
    assert images.shape == (10, 32, 32, 3) and images.dtype == np.uint8
    assert np.abs(images.astype(int) - (40 + 150 * labels)[:, None, None, None]).max() <= 2


def test_transforms_do_what_the_paper_does() -> None:
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (60, 90, 3), np.uint8).repeat(4, 0).repeat(4, 1))
    # DeiT's evaluation: shorter side to 224 / 0.875 = 256, bicubic, the middle 224 x 224.
    resized = picture.resize((384, 256), Image.Resampling.BICUBIC).crop((80, 16, 304, 240))
    ours = evaluation_transform(224)(picture)
    assert (np.abs(ours.permute(1, 2, 0).numpy().astype(int) - np.asarray(resized).astype(int)) <= 1).all()
    small = torch.arange(3 * 32 * 32, dtype=torch.uint8).view(3, 32, 32)
    assert torch.equal(evaluation_transform(32)(small), small)
    torch.manual_seed(0)
    shifted = {training_transform("crop-flip", 32)(small).numpy().tobytes() for _ in range(40)}
    assert len(shifted) > 25
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3)))
    cut = torch.stack([training_transform("paper", 24)(ramp) for _ in range(200)]).float()
    rising = cut[:, 0, 12, -1] > cut[:, 0, 12, 0]
    assert 60 < int(rising.sum()) < 140, "half of them flipped"
    width = (cut[:, 0, 12, -1] - cut[:, 0, 12, 0]).abs() / 256
    assert width.min() < 0.4 and width.max() > 0.9, "areas from 8 to 100 %"
    with pytest.raises(ConfigError, match="allowed: affine, paper, crop-flip, crop, none"):
        training_transform("mixup", 32)  # type: ignore[arg-type]


def test_what_data_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_data("digits") == ("digits", None)
    assert parse_data("imagenet=/data/in1k") == ("imagenet", Path("/data/in1k"))
    assert parse_data("cifar10=rel") == ("cifar10", Path("rel"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar10").mkdir()
    assert parse_data("cifar10") == ("tree", Path("cifar10"))
    for text, message in (
        ("cifar100", "cifar100 needs a folder: cifar100=DIR"),
        ("digits=/x", "digits takes no folder"),
        ("imagenet=", "a folder must follow"),
        ("mnist", "mnist needs a folder: mnist=DIR"),
        ("fashion-mnist=", "a folder must follow"),
        ("emnist", r"neither a folder nor a known dataset; allowed: digits, fashion-mnist, cifar10=DIR"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_data(text)


def test_the_command_trains_on_a_tree(tmp_path: Path) -> None:
    """The paper's recipe on two classes: float residual stream, labels for want of a teacher, which is said."""
    root = write_tree(tmp_path / "data", images=4)
    words = ["--preset", "tiny-digits", "--recipe", "paper", "--data", f"imagenet={root}", "--epochs", "1"]
    words += [
        "--batch-size",
        "4",
        "--workers",
        "0",
        "--out",
        str(tmp_path / "run"),
        "--threads",
        "1",
        "--no-tensorboard",
    ]
    result = CliRunner().invoke(train_command, words, catch_exceptions=False)
    assert result.exit_code == 0 and "of 8 test images" in result.stdout
    assert "no --teacher: training on labels" in result.stderr and "2 classes; the classifier follows" in result.stderr
    model = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert model.mode == "float" and model.config.classes == 2
    assert checkpoint_info(tmp_path / "run" / "model.safetensors")["classes"] == ["cat", "dog"]
    silent = CliRunner().invoke(train_command, [*words, "--teacher", "none", "--overwrite"], catch_exceptions=False)
    assert "no --teacher" not in silent.stderr
    (root / "train" / "cat" / "0.jpg").write_bytes(b"")
    broken = CliRunner().invoke(train_command, [*words, "--overwrite"])
    assert isinstance(broken.exception, BvitError) and "cat/0.jpg: damaged" in str(broken.exception)
