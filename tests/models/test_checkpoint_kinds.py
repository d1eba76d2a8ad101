"""Files of another kind, in a checkpoint's place, are named."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    from bvit_hw.contract.file import save_frozen
    from bvit_hw.errors import CheckpointError
    from bvit_hw.freeze import random_frozen
    from bvit_hw.models import load_checkpoint
    from bvit_hw.pipeline.options import resolve
    from tests.frozen_factory import CONFIGS

    path = tmp_path / "frozen.safetensors"
    save_frozen(random_frozen(CONFIGS["plain"], seed=1), path)
    with pytest.raises(CheckpointError, match="is a frozen model"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"is a folder; name a file in it; it holds frozen.safetensors"):
        load_checkpoint(tmp_path)
    request = {"board": "pynq-z2", "preset_name": None, "clock_mhz": None, "simulated_images": 1, "jobs": 1}
    for data in (None, "digits"):
        with pytest.raises(CheckpointError, match=r"is a folder; name a file in it; it holds frozen.safetensors"):
            resolve(**request, checkpoint=tmp_path, data=data, target_fps=None)  # type: ignore[arg-type]
