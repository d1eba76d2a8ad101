"""Output folders that are wrong in unlikely ways: one sentence each, never a traceback."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError
from bvit_hw.pipeline.engine import MANIFEST, BuildFolder, output_errors


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
