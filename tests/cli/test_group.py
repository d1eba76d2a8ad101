"""The command line: a user's mistakes end in one clear sentence and exit code 2, and lose nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bvit_hw.models import shipped_checkpoint
from tests.command import bvit, refused

ROOT = Path(__file__).resolve().parents[2]


def test_version_and_help(tmp_path: Path) -> None:
    assert "build" in bvit("--help", cwd=tmp_path).stdout
    assert bvit("--version", cwd=tmp_path).returncode == 0


def test_boards_are_listed(tmp_path: Path) -> None:
    out = bvit("boards", cwd=tmp_path).stdout
    assert "pynq-z2" in out and "37,240" in out


def test_unknown_command(tmp_path: Path) -> None:
    refused(bvit("bild", cwd=tmp_path), "bild")


def test_unknown_board_lists_the_known_ones(tmp_path: Path) -> None:
    refused(bvit("build", "--board", "pynq-z3", cwd=tmp_path), "'pynq-z3'", "pynq-z1, pynq-z2")


def test_unknown_preset_lists_the_known_ones(tmp_path: Path) -> None:
    refused(bvit("build", "--board", "pynq-z2", "--preset", "huge", cwd=tmp_path), "'huge'", "tiny-digits")


def test_missing_checkpoint(tmp_path: Path) -> None:
    refused(bvit("build", "--board", "pynq-z2", "--checkpoint", "no.safetensors", cwd=tmp_path), "no.safetensors")
    assert not (tmp_path / "build").exists()


def test_truncated_checkpoint(tmp_path: Path) -> None:
    whole = shipped_checkpoint().read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    done = bvit("build", "--board", "pynq-z2", "--checkpoint", "cut.safetensors", cwd=tmp_path)
    refused(done, "cut.safetensors", "damaged")


def test_checkpoint_of_something_else(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    done = bvit("build", "--board", "pynq-z2", "--checkpoint", "other.safetensors", cwd=tmp_path)
    refused(done, "other.safetensors", "not written by bvit-hw")


def _with_config(path: Path, **changes: object) -> Path:
    from safetensors import safe_open

    with safe_open(shipped_checkpoint(), framework="numpy") as file:
        head = json.loads(file.metadata()["bvit_hw"])
    head["config"].update(changes)
    save_file(load_file(shipped_checkpoint()), path, metadata={"bvit_hw": json.dumps(head)})
    return path


@pytest.mark.parametrize(
    "change, fragments",
    [
        ({"channels": [32, 64, 128, 512]}, ["odd.safetensors", "its configuration is of a network of more than"]),
        ({"image_size": 40}, ["image_size=40", "multiple of 32"]),
        ({"heads": [1, 2, 4, 7]}, ["heads=7", "does not divide"]),
        ({"reductions": [3, 2, 1, 1]}, ["reductions=3", "does not divide"]),
    ],
)
def test_checkpoint_whose_sizes_do_not_fit(tmp_path: Path, change: dict[str, object], fragments: list[str]) -> None:
    checkpoint = _with_config(tmp_path / "odd.safetensors", **change)
    done = bvit("build", "--board", "pynq-z2", "--checkpoint", checkpoint, cwd=tmp_path)
    refused(done, "odd.safetensors", *fragments)


@pytest.mark.parametrize(
    "arrays, fragment",
    [
        ({"images": np.zeros((2, 28, 28, 3), np.uint8), "labels": np.zeros(2)}, "the network takes uint8"),
        ({"images": np.zeros((2, 32, 32, 3), np.float32), "labels": np.zeros(2)}, "the network takes uint8"),
        ({"images": np.zeros((2, 32, 32, 3), np.uint8), "labels": np.array([1, 10])}, "classes 0..9"),
        ({"pictures": np.zeros(1)}, "'images' and 'labels'"),
    ],
)
def test_images_that_do_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], fragment: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    refused(bvit("build", "--board", "pynq-z2", "--data", "set.npz", cwd=tmp_path), "set.npz", fragment)


def test_output_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    done = bvit("build", "--board", "pynq-z2", "--out", "out", cwd=tmp_path)
    refused(done, "notes.txt", "--out")
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_who_ends_a_build_gets_exit_code_2_and_keeps_finished_steps(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-W", "ignore", "-m", "bvit_hw.cli", "build", "--board", "pynq-z2", "--out", "out"]
    process = subprocess.Popen(
        argv,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    manifest = tmp_path / "out/manifest.json"
    end = time.monotonic() + 240
    while not manifest.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2, stderr
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert "checkpoint" in json.loads(manifest.read_text())["steps"]


HEAVY = {"torch", "onnx", "qonnx", "finn", "brevitas", "torchvision"}

_SHOWS = """
import sys
from bvit_hw.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("imported", *sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("arguments", [("--help",), ("--nonsense",)])
def test_help_and_refusals_do_not_wait_for_pytorch(arguments: tuple[str, ...]) -> None:
    from bvit_hw.cli.group import _COMMANDS

    for command in _COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", _SHOWS, command, *arguments], capture_output=True, text=True, check=False
        )
        assert HEAVY.isdisjoint(done.stdout.splitlines()[-1].split()), command


def test_costs_do_not_wait_for_pytorch() -> None:
    done = subprocess.run([sys.executable, "-c", _SHOWS, "models"], capture_output=True, text=True, check=True)
    assert "deit-s-teacher" in done.stdout and HEAVY.isdisjoint(done.stdout.splitlines()[-1].split())


def test_the_augmentations_that_train_offers_are_those_there_are() -> None:
    from bvit_hw.cli import train
    from bvit_hw.data.augment import AUGMENTATIONS

    assert train.AUGMENTATIONS == AUGMENTATIONS


def test_importing_the_package_says_nothing(tmp_path: Path) -> None:
    program = (
        "import torch, bvit_hw.models as m; model = m.load_checkpoint(m.shipped_checkpoint()); "
        "model(torch.zeros(1, 3, 32, 32))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "CUDA" not in done.stderr and "Named tensors" not in done.stderr


def test_more_readers_than_cores_are_no_warning_of_pytorch(tmp_path: Path) -> None:
    from torch.utils.data import DataLoader

    with warnings.catch_warnings(record=True) as seen:
        DataLoader([1], num_workers=10_000)  # type: ignore[arg-type]
        before = len(seen)
        bvit("--version", cwd=tmp_path)
        DataLoader([2], num_workers=10_001)  # type: ignore[arg-type]
    assert before == 1 == len(seen)


@pytest.mark.parametrize(
    "words",
    [("evaluate", "NAME"), ("freeze", "-o", "NAME"), ("run", "--build", "NAME", "--images", "x"),
     ("init", "tiny", "--out", "NAME"), ("train", "--data", "NAME"), ("evaluate", shipped_checkpoint(), "--data",
      "NAME.npz")],
)  # fmt: skip
def test_names_that_no_file_can_have(words: tuple[str, ...], tmp_path: Path) -> None:
    name = "n" * 300
    refused(bvit(*(str(word).replace("NAME", name) for word in words), cwd=tmp_path), name, "File name too long")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [("train", "--threads", 10**10), ("train", "--workers", 10**10), ("train", "--seed", 2**63),
     ("evaluate", "--threads", 10**10), ("build", "--jobs", 10**10)],
)  # fmt: skip
def test_numbers_that_no_machine_has(words: tuple[object, ...], tmp_path: Path) -> None:
    refused(bvit(*words, cwd=tmp_path), str(words[-2]), "is not in the range")
