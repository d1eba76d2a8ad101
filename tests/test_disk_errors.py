"""What disks refuse is said in one sentence, with the folder's name."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bvit_hw.disk import disk_errors, full_disk, scratch
from bvit_hw.errors import OutputError
from bvit_hw.pipeline.engine import output_errors
from tests.faults import full


def test_the_disk_that_is_full_is_named(tmp_path: Path, temporary: Path) -> None:
    """Inside a build's step: the temporary folder, the cache, or the output folder, whichever it was."""
    with pytest.raises(OutputError, match=rf"{temporary}/bvit-.*No space left.*TMPDIR"):  # noqa: SIM117
        with output_errors(tmp_path / "out", "generate"), scratch("bvit-"):
            raise full()
    assert list(temporary.iterdir()) == []
    with pytest.raises(OSError, match="elsewhere"), output_errors(tmp_path / "out", "generate"):
        raise full("/elsewhere/file")
    with pytest.raises(OSError, match="elsewhere"), disk_errors(tmp_path, "advice"):
        raise full("/elsewhere/file")
    with pytest.raises(OutputError, match="No space left on device; advice"), disk_errors(tmp_path, "advice"):
        raise full(str(tmp_path / "file"))


def test_no_temporary_folder_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/tmp")
    monkeypatch.setenv("TMPDIR", "/dev/null/tmp")
    with pytest.raises(OutputError, match=r"/dev/null/tmp: no temporary folder can be made.*TMPDIR"), scratch("bvit-"):
        pass


def test_programs_that_meet_a_full_disk(tmp_path: Path) -> None:
    said = full_disk("as: error writing /x/cc.s: No space left on device", tmp_path)
    assert f"{tmp_path} has " in said and tempfile.gettempdir() in said and "TMPDIR" in said
    assert full_disk("error: expected ';'", tmp_path) == ""
