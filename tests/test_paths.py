"""Paths that tools do not take as they are, caches that cannot be written, full disks: worked around, or said."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bvit_hw.boards import load_board
from bvit_hw.cli import cli, main
from bvit_hw.disk import disk_errors, full_disk, scratch
from bvit_hw.errors import OutputError, ToolError
from bvit_hw.flows import cache, plain, vitis_hls
from bvit_hw.flows.cache import cache_folder, cached, find_cached, recall, remember
from bvit_hw.flows.gxx import Toolchain, compile_program
from bvit_hw.flows.plain import by_hand, is_plain, vendor_base, vendor_copy
from bvit_hw.pipeline.engine import BuildFolder, Step, StepContext, output_errors
from bvit_hw.pipeline.progress import Progress
from bvit_hw.runtime.errors import DeviceError
from bvit_hw.runtime.lock import DeviceLock
from bvit_hw.train.journal import Journal
from tests.accelerator_package import write_accelerator
from tests.odd_names import ODD


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    folder = tmp_path / ODD
    folder.mkdir()
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary ones of this test's own; no variable names a cache."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name in ("BVIT_HW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    cache._warn.cache_clear()
    yield folder
    cache._warn.cache_clear()


def make(work: Path) -> None:
    (work / "thing").write_text("made")


def never(work: Path) -> None:
    raise AssertionError("is in the cache already")


# ---------------------------------------------------------------- odd paths


def test_a_compiler_works_in_any_folder(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(odd))
    program = compile_program("int main() { return 7; }\n", "seven", Toolchain(level=0), root=odd)
    assert subprocess.run([program], check=False).returncode == 7


@pytest.mark.parametrize("name", ["a b", "it's", "f(1)", "$x", "[x]", "é", "a\tb", "a;b", "a&b", "a\\b", 'a"b', "a{b"])
def test_what_amds_tools_do_not_take(tmp_path: Path, name: str) -> None:
    assert not is_plain(tmp_path / name)
    assert is_plain(tmp_path / "A-z_0.9~@+")
    (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / name)
    assert not is_plain(tmp_path / "link" / "package")  # the tools see where it leads


def test_they_work_in_a_copy(odd: Path, tmp_path: Path) -> None:
    (odd / "package").mkdir()
    (odd / "package" / "a").write_text("1")
    for base in (odd, tmp_path):
        with vendor_copy(odd / "package", base / "vendor") as place:
            assert is_plain(place) and (place / "a").read_text() == "1"
            (place / "b").write_text("2")
        assert sorted(f.name for f in (base / "vendor").iterdir()) == ["a", "b"]
        assert base == tmp_path or not place.parent.exists()


def test_without_a_place_for_them_the_path_is_named(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    assert is_plain(vendor_base(odd / "out"))  # there is /var/tmp
    monkeypatch.setattr(plain.os, "access", lambda *_: False)
    with pytest.raises(ToolError, match=r"\$x \[é\]/out: AMD's tools take letters.*--out.*TMPDIR"):
        vendor_base(odd / "out")


@pytest.mark.parametrize("place", ["plain", ODD])
def test_the_printed_command_runs_in_a_shell(tmp_path: Path, place: str) -> None:
    package, tools = tmp_path / place / "package", tmp_path / "tools"
    package.mkdir(parents=True)
    (package / "build_zynq.tcl").write_text("the script")
    tools.mkdir()
    (tools / "vivado").write_text('#!/bin/sh\npwd > where; cat "$4" > bvit_hw.bit; echo > bvit_hw.hwh\n')
    (tools / "vivado").chmod(0o755)
    command = by_hand(package, "vivado -mode batch -source build_zynq.tcl", ("bvit_hw.bit", "bvit_hw.hwh"))
    done = subprocess.run(
        ["sh", "-c", f"{command} && pwd"],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (package / "bvit_hw.bit").read_text() == "the script"
    where = Path(done.stdout.strip())
    assert is_plain(where)
    if place == ODD:
        shutil.rmtree(where)


def test_scripts_refuse_a_folder_that_the_tools_do_not_take(odd: Path) -> None:
    tkinter = pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")
    from bvit_hw.flows import vitis, vivado
    from tests.emulators.vitis_emulation import install

    zynq, card = odd / "zynq", odd / "card"
    vivado.write_scripts(zynq, load_board("pynq-z2"), 100.0, write_accelerator(zynq, load_board("pynq-z2")))
    vitis.write_kernel(card, load_board("u250"), 250.0, write_accelerator(card, load_board("u250")))
    for script in (zynq / "build_zynq.tcl", zynq / "ip" / "package_ip.tcl"):
        interpreter = tkinter.Tcl()
        with pytest.raises(tkinter.TclError, match="the tools take letters"):
            interpreter.call("source", str(script))
    tools = install(odd.parent / "tools")
    done = subprocess.run(
        ["bash", "build_alveo.sh"], cwd=card, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and f"{card}: the tools take letters" in done.stderr


def test_the_script_of_an_hls_project_refuses_it_too(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tkinter = pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")
    script = vitis_hls._TEMPLATES.get_template("run_hls.tcl.j2").render(
        top="top", project="p", part="xc7z020", period_ns="10", version="1", plain=plain.PLAIN, taken=plain.TAKEN
    )
    (odd.parent / "fine").mkdir()
    for folder, begun in ((odd, "0"), (odd.parent / "fine", "1")):
        monkeypatch.chdir(folder)
        interpreter = tkinter.Tcl()
        interpreter.eval("proc exit {code} {error $code}; proc puts args {}; proc open_project args {set ::begun 1}")
        (folder / "run_hls.tcl").write_text(script)
        with pytest.raises(tkinter.TclError, match="1"):
            interpreter.eval("source run_hls.tcl")
        assert str(interpreter.eval("info exists ::begun")) == begun


# ---------------------------------------------------------------- caches


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


# ---------------------------------------------------------------- full disks


def full(name: str | None = None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([] if name is None else [name]))


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


def test_programs_that_meet_a_full_disk(tmp_path: Path) -> None:
    said = full_disk("as: error writing /x/cc.s: No space left on device", tmp_path)
    assert f"{tmp_path} has " in said and tempfile.gettempdir() in said and "TMPDIR" in said
    assert full_disk("error: expected ';'", tmp_path) == ""


def test_a_disk_that_fills_under_tensorboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its thread meets it; the journal says it, once, and the lines of metrics.jsonl are whole."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    def flush(self: object) -> None:
        raise full()

    journal = Journal(tmp_path, 0)
    monkeypatch.setattr(RecordWriter, "flush", flush)
    with pytest.raises(OutputError, match=rf"{tmp_path}: metrics.*tensorboard.*No space left on device; what"), journal:
        for step in range(1, 100):
            journal.add(step, loss=0.5)
            journal.flush()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, len(lines) + 1))
    assert "Traceback" not in capsys.readouterr().err


def test_a_disk_that_is_full_when_the_journal_closes(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):  # noqa: SIM117
        with Journal(tmp_path, 0, tensorboard=False) as journal:
            journal._file.close()
            journal._file = Path("/dev/full").open("w")  # noqa: SIM115
            journal.add(1, loss=0.5)


def test_a_lock_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/tmp")
    with pytest.raises(DeviceError, match=r"/dev/null/tmp.*TMPDIR"):
        DeviceLock("name")


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
