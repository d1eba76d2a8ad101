"""Files written aside: whole or as they were, nothing left beside them, with the permissions of any other file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bvit_hw.disk import aside, write_aside


def test_a_file_is_written_whole_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with aside(path) as temporary:
        temporary.write_text("half")
        assert not path.exists() and temporary.parent == tmp_path  # the same disk: a rename, not a copy
        temporary.write_text("whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]
    write_aside(path, "\u00b5s\n")
    assert path.read_bytes() == b"\xc2\xb5s\n"
    write_aside(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sole", [False, True])
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, sole: bool) -> None:
    path = tmp_path / "out.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), aside(path, sole=sole, keep=tmp_path / "kept") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_refusal_is_the_systems_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "file").touch()
    with pytest.raises(IsADirectoryError):
        write_aside(folder, "text")
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError):
        write_aside(tmp_path / "nowhere" / "file", "text")


def test_permissions_are_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_aside(tmp_path / "out.txt", "text", sync=True)
    finally:
        os.umask(before)
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o640


def test_what_was_there_is_kept_where_asked(tmp_path: Path) -> None:
    path, kept = tmp_path / "state", tmp_path / "state.previous"
    for number in range(3):
        write_aside(path, str(number), sync=True, sole=True, keep=kept)
    assert (path.read_text(), kept.read_text()) == ("2", "1") and len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with aside(tmp_path / "state", sole=True) as temporary:
            temporary.write_text("a long text of a process that is killed")
            os._exit(9)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    write_aside(tmp_path / "state", "new", sole=True)
    assert [file.name for file in tmp_path.iterdir()] == ["state"] and (tmp_path / "state").read_text() == "new"


def test_two_processes_write_under_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with aside(path) as temporary:
        child = os.fork()
        if child == 0:
            write_aside(path, "theirs")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        temporary.write_text("ours")
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours"


def test_synced_means_file_before_rename_and_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "state", os.fsync
    synced: list[tuple[int, bool]] = []

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, path.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_aside(path, "text", sync=True)
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]
