"""A build's folder on a disk that is full, or that another build has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError
from bvit_hw.pipeline.engine import BuildFolder, Step, StepContext
from bvit_hw.pipeline.progress import Progress
from tests.faults import full


def test_a_tree_that_does_not_fit_is_said_and_gives_its_space_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tree" / name).write_text("text")

    def copy(source: str, target: str, **_: object) -> None:
        Path(target).write_text("ha")
        raise full(target)

    def package(context: StepContext) -> dict[str, int]:
        shutil.copytree(tmp_path / "tree", context.folder / "tree", copy_function=copy)
        return {}

    with (
        BuildFolder(tmp_path / "out", {"board": "x"}) as folder,
        pytest.raises(OutputError, match=r"out: No space left on device while the step 'package'"),
    ):
        folder.run([Step("package", "package", package)], Progress(quiet=True))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".lock"]


def test_another_build_is_named_by_its_checkpoint(tmp_path: Path) -> None:
    def open_with(digest: str, file: str) -> None:
        with BuildFolder(tmp_path, {"board": "pynq-z2", "checkpoint": digest}, files={"checkpoint": file}) as folder:
            folder.run([Step("a", "a", lambda _: {})], Progress(quiet=True))

    open_with("f220" * 16, "/data/one.safetensors")
    open_with("f220" * 16, "/data/moved.safetensors")
    with pytest.raises(OutputError) as caught:
        open_with("ab12" * 16, "/data/two.safetensors")
    assert (
        "holds another build (checkpoint /data/one.safetensors (SHA-256 f220f220f220), "
        "asked for /data/two.safetensors (SHA-256 ab12ab12ab12))" in str(caught.value)
    )
