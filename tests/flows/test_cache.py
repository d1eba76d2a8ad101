"""Caches that are elsewhere, cannot be written, or are full: worked around, or said."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError
from bvit_hw.flows import cache
from bvit_hw.flows.cache import cache_folder, cached, find_cached, recall, remember


def make(work: Path) -> None:
    (work / "thing").write_text("made")


def never(work: Path) -> None:
    raise AssertionError("is in the cache already")


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache/bvit-hw"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification has ignored
    assert cache_folder() == tmp_path / ".cache/bvit-hw"
    monkeypatch.setenv("BVIT_HW_CACHE", "~no-such-user/cache")
    with pytest.raises(OutputError, match="BVIT_HW_CACHE=~no-such-user/cache"):
        cache_folder()
    monkeypatch.delenv("BVIT_HW_CACHE")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder().parent == temporary


def test_a_cache_that_cannot_be_written_serves_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BVIT_HW_CACHE", str(tmp_path / "cache"))
    cached("kind", "old", "thing", make)
    remember("yosys", "old.json", "old")

    def refuse(number: int) -> None:
        def locked(path: Path) -> None:
            if path.is_relative_to(tmp_path / "cache"):
                raise OSError(number, os.strerror(number), str(path))
            return real(path)  # type: ignore[return-value]

        monkeypatch.setattr(cache, "locked", locked)

    real = cache.locked
    for number in (errno.EROFS, errno.EACCES):
        refuse(number)
        assert cached("kind", "old", "thing", never) == tmp_path / "cache/kind/old/thing"
        assert recall("yosys", "old.json") == "old"
        assert not caplog.records
        made = cached("kind", f"new{number}", "thing", make)
        assert made.is_relative_to(temporary) and made.read_text() == "made"
        assert cached("kind", f"new{number}", "thing", never) == made
        assert os.strerror(number) in caplog.text and "BVIT_HW_CACHE" in caplog.text
        assert str(tmp_path / "cache") in caplog.text
        caplog.clear()


@pytest.mark.parametrize("home", ["a file", "/proc/1/nowhere", "/dev/null"])
def test_a_home_that_cannot_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path, home: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / home))
    assert find_cached("kind", "name", "thing") is None
    made = cached("kind", "name", "thing", make)
    assert made.is_relative_to(temporary)
    assert stat.S_IMODE((temporary / f"bvit-hw-cache-{os.getuid()}").stat().st_mode) == 0o700
    assert cached("kind", "name", "thing", never) == made
    remember("yosys", "k.json", "1")
    assert recall("yosys", "k.json") == "1"
    assert "cannot be written" in caplog.text


def test_programs_are_not_taken_from_a_folder_that_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    folder = temporary / f"bvit-hw-cache-{os.getuid()}"
    cached("kind", "name", "thing", make)
    folder.chmod(0o777)
    with pytest.raises(OutputError, match=r"cache /dev/null/\.cache/bvit-hw: cannot be written: .*BVIT_HW_CACHE"):
        cached("kind", "name", "thing", never)
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    with pytest.raises(OutputError, match="BVIT_HW_CACHE"):
        cached("kind", "name", "thing", make)


def test_a_full_cache_is_named_and_holds_nothing_half_made(tmp_path: Path, temporary: Path) -> None:
    def fill(work: Path) -> None:
        (work / "thing").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as write(2) has it: without a name

    with pytest.raises(OutputError, match=rf"{tmp_path}/cache: No space left on device.*BVIT_HW_CACHE"):
        cached("kind", "name", "thing", fill, root=tmp_path / "cache")
    assert list((tmp_path / "cache" / "kind").iterdir()) == []
    assert cached("kind", "name", "thing", make, root=tmp_path / "cache").read_text() == "made"


@pytest.mark.parametrize("damage", ["a bit", "cut short", "a neighbour", "no sums", "empty sums", "a folder", "a file"])
def test_what_is_damaged_in_the_cache_is_made_again(tmp_path: Path, damage: str) -> None:
    """Programs and libraries are run out of it: a damaged one would crash, or compute something else."""

    def both(work: Path) -> None:
        make(work)
        (work / "neighbour").write_text("read by it")

    made = cached("kind", "name", "thing", both, root=tmp_path)
    assert cached("kind", "name", "thing", never, root=tmp_path) == made
    folder = made.parent
    if damage == "a bit":
        stamp = made.stat()
        made.write_text("madf")
        os.utime(made, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a disk's fault leaves no other time
    elif damage == "cut short":
        made.write_text("")
    elif damage == "a neighbour":
        (folder / "neighbour").unlink()
    elif damage == "no sums":
        (folder / "SHA256SUMS").unlink()
    elif damage == "empty sums":
        (folder / "SHA256SUMS").write_text("")
    elif damage == "a folder":
        made.unlink()
        made.mkdir()
    else:
        shutil.rmtree(folder)
        folder.write_text("")
    assert find_cached("kind", "name", "thing", root=tmp_path) is None
    assert cached("kind", "name", "thing", both, root=tmp_path).read_text() == "made"
    assert cached("kind", "name", "thing", never, root=tmp_path).read_text() == "made"
    assert (folder / "neighbour").read_text() == "read by it"


def test_a_damaged_result_is_not_recalled(tmp_path: Path) -> None:
    remember("yosys", "count", '{"lut": 57}', root=tmp_path)
    assert recall("yosys", "count", root=tmp_path) == '{"lut": 57}'
    file = tmp_path / "yosys/count"
    for text in (file.read_text().replace("57", "17"), file.read_text()[:-9], '{"lut": 57}', '{"lut": 57}\n', ""):
        file.write_text(text)
        assert recall("yosys", "count", root=tmp_path) is None
