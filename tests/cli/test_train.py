"""`bvit-hw train` on a tree of pictures."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from bvit_hw.cli.train import train_command
from bvit_hw.errors import BvitError
from bvit_hw.models import checkpoint_info, load_checkpoint
from tests.picture_trees import write_tree


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
