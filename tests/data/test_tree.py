"""Trees of pictures are checked; a broken picture is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bvit_hw.data import open_data
from bvit_hw.data.augment import training_transform
from bvit_hw.data.loading import Loader, Share
from bvit_hw.errors import DatasetError
from tests.picture_trees import write_tree


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
