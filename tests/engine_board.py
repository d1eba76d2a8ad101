"""A board's file with the small engine of the tests, and a build of it."""

from __future__ import annotations

import fcntl
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bvit_hw.contract.file import save_frozen
from bvit_hw.freeze import random_images
from tests.command import Done, bvit
from tests.emulators.engine_stand_in import CONFIG, NAMES, NETWORK, frozen
from tests.other_networks import NETWORKS

ROOT = Path(__file__).resolve().parents[1]
IMAGES = 4


def write_board(folder: Path, name: str = "small") -> Path:
    """The PYNQ-Z2 with the tests' engine."""
    text = (ROOT / "boards" / "pynq-z2.toml").read_text().replace('name = "pynq-z2"', f'name = "{name}"')
    before, rest = text.split("[engine]\n")
    table = "".join(f"{field} = {value}\n" for field, value in asdict(CONFIG).items())
    path = folder / f"{name}.toml"
    path.write_text(f"{before}[engine]\n{table}\n[vivado]\n{rest.split('[vivado]', 1)[1]}")
    return path


def write_network(folder: Path) -> list[object]:
    """A frozen network and images; the options that name them."""
    config = NETWORKS[NAMES[NETWORK]].config
    save_frozen(frozen(NETWORK), folder / "net.safetensors", {}, "byte-beats")
    images = random_images(config, IMAGES, 3)
    np.savez(folder / "images.npz", images=images, labels=np.arange(IMAGES) % config.classes)
    return ["--checkpoint", folder / "net.safetensors", "--data", folder / "images.npz"]


def build(folder: Path, *more: object) -> Done:
    """`bvit-hw build` of both into ``folder``/out."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["build", "--board", write_board(folder), *write_network(folder), "--images", IMAGES, "--quiet"]
    return bvit(*words, "--out", folder / "out", *more, cwd=folder)


def shared_build(base: Path) -> Path:
    """One without the step synthesize for all pytest workers, under ``base``; returns the build's folder."""
    folder = base / "engine build"
    with (base / "engine-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "out" / "report.json").is_file():
            done = build(folder, "--architecture", "engine", "--skip", "synthesize")
            assert done.returncode == 0, done.stderr
            (folder / "stdout.txt").write_text(done.stdout)
    return folder / "out"
