"""Loading over USB: what openFPGALoader is asked for, and what is said where it cannot be done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.usb import PROGRAM, load_over_usb, loader
from tests.command import bvit, refused

#: writes what it is called with; the bitstream says how it ends
_STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$ASKED"
for last; do :; done
case $(cat "$last") in
  gone) echo "unable to open ftdi device: -3 (device not found)"; exit 1 ;;
  bare) echo "error while loading shared libraries: libftdi1.so.2: cannot open shared object file"; exit 127 ;;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stand-in writes its arguments into."""
    program = tmp_path / "bin" / PROGRAM
    program.parent.mkdir()
    program.write_text(_STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def build(folder: Path, bits: str = "bits") -> dict[str, Path]:
    """The build in ``folder``, as far as loading goes; its files for the board."""
    (folder / "package" / "board").mkdir(parents=True)
    (folder / "package" / "board" / "programmer").write_text("ulx3s\n")
    (folder / "bvit_hw.bit").write_text(bits)
    return {"bvit_hw.bit": folder / "bvit_hw.bit"}


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_asked_for(asked: Path, odd: Path, keep: bool) -> None:
    assert load_over_usb(odd, build(odd), keep=keep) == "ulx3s"
    flash = ["--write-flash"] if keep else []
    assert asked.read_text().splitlines() == ["--board", "ulx3s", *flash, str(odd / "bvit_hw.bit")]


@pytest.mark.parametrize(
    ("bits", "says"),
    [("gone", r"exit code 1(.|\n)*is the board plugged in"), ("bare", r"exit code 127(.|\n)*apt install libusb-1\.0")],
)
def test_a_failure_says_what_to_do(asked: Path, tmp_path: Path, bits: str, says: str) -> None:
    with pytest.raises(ToolError, match=says):
        load_over_usb(tmp_path, build(tmp_path, bits))


def test_what_cannot_be_loaded_is_refused(asked: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not of a board that is loaded over USB"):
        load_over_usb(tmp_path, {})
    build(tmp_path)
    with pytest.raises(ToolError, match=r"holds no bvit_hw\.bit"):
        load_over_usb(tmp_path, {})
    assert not asked.exists()


def test_the_packages_program_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert os.access(loader(), os.X_OK), "the wheel brings it"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--host user@address, or --usb; one of them"),
        (("--usb", "--host", "a@b"), "--host user@address, or --usb; one of them"),
        (("--flash", "--host", "a@b"), "--flash: with --usb only"),
    ],
)
def test_the_command_wants_one_way(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    refused(bvit("deploy", *words, cwd=tmp_path), says)
