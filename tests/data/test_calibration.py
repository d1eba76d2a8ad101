"""Images to calibrate with."""

from __future__ import annotations

from pathlib import Path

from tests.paper_files import CONFIG
from tests.picture_trees import pictures


def test_a_train_and_val_tree_measures_on_val(tmp_path: Path) -> None:
    from bvit_hw.data.calibration import load_calibration

    pictures(tmp_path / "train", classes=5, each=2)
    pictures(tmp_path / "val", classes=5, each=1)
    found = load_calibration(str(tmp_path), CONFIG)
    assert len(found.images) == 10 and found.labels is not None and found.labels.tolist() == [0, 1, 2, 3, 4]
    assert found.separate
