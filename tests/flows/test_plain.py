"""Paths that AMD's tools do not take as they are: worked around, or said."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from bvit_hw.boards import load_board
from bvit_hw.errors import ToolError
from bvit_hw.flows import plain, vitis_hls
from bvit_hw.flows.plain import by_hand, is_plain, vendor_base, vendor_copy
from tests.accelerator_package import write_accelerator
from tests.odd_names import ODD


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
    vitis.write_kernels(card, load_board("u250"), 250.0, [write_accelerator(card, load_board("u250"))])
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
