"""The shipped networks for pictures as RTL, on as many images as say something: logits equal to frozen, bit for bit.

BVIT_HW_CIFAR10 and BVIT_HW_FASHION_MNIST name the folders of the data sets; where they are not set, and Debian's
dataset-fashion-mnist is not installed, the images are generated. BVIT_HW_RTL_IMAGES is how many (default 500, 0: all).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bvit_hw.boards import load_board
from bvit_hw.data.mnist import FASHION_FOLDER

ROOT = Path(__file__).resolve().parents[1]


def _data(preset: str) -> str | None:
    folder = os.environ.get(f"BVIT_HW_{preset.upper().replace('-', '_')}")
    if folder is None and preset == "fashion-mnist" and FASHION_FOLDER.is_dir():
        return preset
    return None if folder is None else f"{preset}={folder}"


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "fps"), [("cifar10", 10_000), ("fashion-mnist", 20_000)])
def test_many_images(preset: str, fps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accelerator of the named rate, and the rate itself."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from rtl_images import compare, images_for

    build, board = tmp_path / "build", load_board("pynq-z2")
    command = ("build", "--board", board.name, "--preset", preset, "--target-fps", str(fps), "--until", "generate")
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bvit_hw.cli", *command, "--quiet", "--out", str(build)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    data = images_for(build, _data(preset), int(os.environ.get("BVIT_HW_RTL_IMAGES", "500")))
    done = compare(build, data, tell=print)
    print(done)
    assert done.images == len(data.images) and done.rtl_accuracy == done.frozen_accuracy
    assert done.cycles_per_frame <= board.clock_mhz * 1e6 / fps
