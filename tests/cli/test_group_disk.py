"""What no command expects of the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bvit_hw.cli import cli, main
from tests.command import bvit, refused


def test_what_no_command_expects_of_the_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/data/file")

    monkeypatch.setattr(cli, "main", refuse)
    with pytest.raises(SystemExit) as stop:
        main(["boards"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: /data/file: Read-only file system\n"


@pytest.mark.parametrize("words", [("train",), ("build", "--board", "pynq-z2")])
def test_an_output_folder_that_is_a_file(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    refused(bvit(*words, "--out", "out", cwd=tmp_path), "out", "cannot be used", "it is a file, no folder")
    assert (tmp_path / "out").read_text() == "mine"
