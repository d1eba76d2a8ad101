"""Output folders that are wrong in unlikely ways: one sentence each, never a traceback."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError
from bvit_hw.pipeline.engine import MANIFEST, BuildFolder, Step, StepContext, output_errors
from bvit_hw.pipeline.progress import Progress


@pytest.mark.parametrize("text", ['{"identity": 3}', '{"identity": {}, "steps": 7}', "[", '{"identity": {"a": "b"}}'])
def test_manifests_of_another_making(tmp_path: Path, text: str) -> None:
    """Alone in its folder a damaged manifest is written anew; beside other files the folder is left alone."""
    (tmp_path / MANIFEST).write_text(text)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt|holds another build"), BuildFolder(tmp_path, {"a": "c"}):
        pass


def test_what_the_disk_refuses_is_said(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "report.json"))
    with pytest.raises(OutputError, match=r"No space left.*'report' was writing"), output_errors(tmp_path, "report"):
        raise full
    locked = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "fold/folding.json"))
    with pytest.raises(OutputError, match=r"fold/folding\.json: Permission denied"), output_errors(tmp_path, "fold"):
        raise locked
    elsewhere = PermissionError(errno.EACCES, "Permission denied", "/nowhere/else")
    with pytest.raises(PermissionError), output_errors(tmp_path, "fold"):
        raise elsewhere


def test_a_manifest_that_is_a_folder_and_entries_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "one" / MANIFEST).mkdir(parents=True)
    with pytest.raises(OutputError, match="not written by bvit-hw"), BuildFolder(tmp_path / "one", {}):
        pass
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / MANIFEST).write_text('{"identity": {}, "steps": {"freeze": 3, "fold": {"key": "x"}}}')
    with BuildFolder(tmp_path / "two", {}) as folder:
        assert folder.results == {}


def test_results_that_were_changed_are_not_believed(tmp_path: Path) -> None:
    """One bit of the manifest: the step runs again, or the folder is refused; no other figure is reported."""
    runs = []

    def step(context: StepContext) -> dict[str, object]:
        runs.append(1)
        (context.folder / "model.bin").write_bytes(b"0")
        return {"cycles": 1024, "share": 0.1, "names": ("a", "b"), "counts": {10: 1, 9: 2}}

    def build() -> object:
        with BuildFolder(tmp_path, {"board": "x"}) as folder:
            folder.run([Step("count", "count", step)], Progress(quiet=True))
            return folder.results["count"]

    first = json.loads(json.dumps(build()))
    assert build() == first and len(runs) == 1
    whole = (tmp_path / MANIFEST).read_bytes()
    refusals = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / MANIFEST).write_bytes(damaged)
        try:
            assert json.loads(json.dumps(build())) == first, bytes(damaged[place - 20 : place + 20])
        except OutputError as error:
            assert "holds another build" in str(error) or f"its {MANIFEST} is damaged" in str(error)
            refusals += 1
        (tmp_path / MANIFEST).write_bytes(whole)
    assert len(runs) > 100 and refusals > 100
