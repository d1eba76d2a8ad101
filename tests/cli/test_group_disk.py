"""What no command expects of the disk."""

from __future__ import annotations

import errno
import os

import pytest

from bvit_hw.cli import cli, main


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
