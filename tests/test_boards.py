"""Boards are data: the shipped ones load, and a wrong file is named with its fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.boards import board_names, load_board, read_board
from bvit_hw.errors import BoardError
from bvit_hw.resources import data_path


@pytest.mark.parametrize("name", board_names())
def test_shipped_board_loads_with_sources(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    for figure in (board.resources.lut, board.resources.ff, board.resources.bram18, board.resources.dsp):
        assert figure.count > 0
        assert "DS" in figure.source


def test_pynq_z2_is_the_7z020() -> None:
    board = load_board("pynq-z2")
    assert board.part == "xc7z020clg400-1"
    a = board.available
    assert (a.lut, a.ff, a.bram18, a.uram, a.dsp) == (53_200, 106_400, 280, 0, 220)
    assert board.limits.lut == pytest.approx(37_240)
    assert board.limits.bram18 == pytest.approx(224)
    assert board.limits.dsp == pytest.approx(176)
    assert board.cycles_at(100_000) == pytest.approx(1000)


def test_unknown_board_lists_the_known_ones() -> None:
    with pytest.raises(BoardError, match=r"'pynq-z9'.*pynq-z1, pynq-z2"):
        load_board("pynq-z9")


def test_path_is_not_a_board_name() -> None:
    with pytest.raises(BoardError, match="not known"):
        load_board("../boards/pynq-z2")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("clock_mhz = 100.0", "clock_mhz = -1.0", "clock_mhz"),
        ("clock_mhz = 100.0", "clock_mhz = 100.0\ncolour = 3", "colour"),
        ('family = "zynq-7000"', 'family = "spartan"', "family"),
        ('name = "pynq-z2"', 'name = "other"', "must be 'pynq-z2'"),
        ("lut = 0.70", "lut = 1.70", "budget.lut"),
        ('name = "pynq-z2"', 'name = "pynq-z2', "TOML"),
    ],
)
def test_wrong_file_is_named_with_its_fault(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (data_path("boards") / "pynq-z2.toml").read_text()
    assert old in text
    path = tmp_path / "pynq-z2.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardError, match=fault) as raised:
        read_board(path)
    assert str(path) in str(raised.value)


def test_missing_data_folder_is_an_error() -> None:
    from bvit_hw.errors import OutputError

    with pytest.raises(OutputError, match="nowhere"):
        data_path("nowhere")
