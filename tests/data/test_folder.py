"""Folders of pictures: damaged ones are named, others resized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bvit_hw.errors import DatasetError
from tests.paper_files import CONFIG
from tests.picture_trees import pictures


def test_a_damaged_picture_is_named(paper: Path, tmp_path: Path) -> None:
    from bvit_hw.data.folder import load_folder
    from bvit_hw.data.record import default_preprocessing

    pictures(tmp_path / "pictures", classes=2, each=4)
    victim = sorted((tmp_path / "pictures").rglob("*.png"))[1]
    victim.write_bytes(victim.read_bytes()[:60])
    with pytest.raises(DatasetError, match=victim.name):
        list(load_folder(tmp_path / "pictures", default_preprocessing(CONFIG)))
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="no picture in it or below"):
        load_folder(tmp_path / "none", default_preprocessing(CONFIG))


def test_folders_are_resized_and_spread(tmp_path: Path) -> None:
    from bvit_hw.data.calibration import load_calibration
    from bvit_hw.data.folder import load_folder
    from bvit_hw.data.record import default_preprocessing

    for index in range(6):
        Image.new("RGB", (64, 48), (40 * index, 0, 255)).save(tmp_path / f"{index}.png")
    batches = list(load_folder(tmp_path, default_preprocessing(CONFIG), batch_size=4))
    assert [b.shape for b in batches] == [(4, 16, 16, 3), (2, 16, 16, 3)] and batches[0].dtype == np.uint8
    assert [int(image[0, 0, 0]) for image in np.concatenate(batches)] == [0, 40, 80, 120, 160, 200]
    few = np.concatenate(list(load_folder(tmp_path, default_preprocessing(CONFIG), limit=3)))
    assert [int(image[0, 0, 0]) for image in few] == [0, 80, 160]
    dealt = load_calibration(str(tmp_path), CONFIG, limit=2)
    assert dealt.images[:, 0, 0, 0].tolist() == [0, 80] and dealt.check_images[:, 0, 0, 0].tolist() == [40, 120, 200]
