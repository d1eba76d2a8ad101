"""Boards are data: the shipped ones load, and a wrong file is named with its fault."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bvit_hw.boards import board_names, load_board, read_board
from bvit_hw.errors import BoardError, ConfigError
from bvit_hw.resources import data_path


@pytest.mark.parametrize("name", board_names())
def test_shipped_board_loads_with_sources(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    for figure in (board.resources.lut, board.resources.ff, board.resources.bram18, board.resources.dsp):
        assert figure.count > 0
        assert re.match(r"(AMD DS\d+|Lattice FPGA-DS-\d+), .+: ", figure.source)  # a document and what of it
    assert re.match(r"AMD DS\d+|Lattice FPGA-DS-\d+", board.resources.uram.source)
    # a slice of AMD's has two registers a LUT, one of Lattice's has one
    assert board.resources.ff.count == (1 if board.nextpnr else 2) * board.resources.lut.count


def test_pynq_z2_is_the_7z020() -> None:
    board = load_board("pynq-z2")
    assert board.part == "xc7z020clg400-1"
    a = board.available
    assert (a.lut, a.ff, a.bram18, a.uram, a.dsp) == (53_200, 106_400, 280, 0, 220)
    assert board.limits.lut == pytest.approx(37_240)
    assert board.limits.bram18 == pytest.approx(224)
    assert board.limits.dsp == pytest.approx(176)
    assert board.cycles_at(100_000) == pytest.approx(1000)


#: part, LUTs, 36-Kbit block RAMs, UltraRAMs, DSPs: typed a second time from the product tables
PRODUCTS = {
    "kv260": ("xck26-sfvc784-2LV-c", 117_120, 144, 64, 1_248),
    "pynq-z1": ("xc7z020clg400-1", 53_200, 140, 0, 220),
    "pynq-z2": ("xc7z020clg400-1", 53_200, 140, 0, 220),
    "u200": ("xcu200-fsgd2104-2-e", 1_182_240, 2_160, 960, 6_840),
    "u250": ("xcu250-figd2104-2L-e", 1_728_000, 2_688, 1_280, 12_288),
    "u280": ("xcu280-fsvh2892-2L-e", 1_303_680, 2_016, 960, 9_024),
    "u50": ("xcu50-fsvh2104-2-e", 871_680, 1_344, 640, 5_952),
    "u55c": ("xcu55c-fsvh2892-2L-e", 1_303_680, 2_016, 960, 9_024),
    "ulx3s-85f": ("LFE5U-85F-6BG381C", 83_640, 104, 0, 156),
    "ultra96-v2": ("xczu3eg-sbva484-1-i", 70_560, 216, 0, 360),
    "zcu104": ("xczu7ev-ffvc1156-2-e", 230_400, 312, 96, 1_728),
}


def test_figures_are_those_of_the_product_tables() -> None:
    """Of block RAMs the table counts pairs of 18 Kbit, as AMD does."""
    assert board_names() == sorted(PRODUCTS)
    for name, (part, lut, bram36, uram, dsp) in PRODUCTS.items():
        board, a = load_board(name), load_board(name).available
        assert (board.part, a.lut, a.bram18, a.uram, a.dsp) == (part, lut, 2 * bram36, uram, dsp)


#: dies of the cards, typed a second time from their data sheets
DIES = {"u200": 3, "u250": 4, "u280": 3, "u50": 2, "u55c": 3}


def test_dies_of_the_cards() -> None:
    for name in board_names():
        board, total = load_board(name), load_board(name).available
        assert len(board.die_limits) == DIES.get(name, 0)
        if board.dies:
            left = list(board.dies.left.values())
            for kind in ("lut", "ff", "bram18", "uram", "dsp"):
                together = sum(getattr(die, kind) for die in left)
                assert 0.7 * getattr(total, kind) < together <= getattr(total, kind), (name, kind)
                assert getattr(board.limits, kind) == pytest.approx(getattr(board.budget, kind) * together)
            assert board.rooms == tuple(board.die_limits.values())
        else:
            assert board.rooms == (board.limits,)
    assert list(load_board("u250").die_limits) == ["SLR0", "SLR1", "SLR2", "SLR3"]


def test_kernels_go_away_from_the_die_of_the_images(tmp_path: Path) -> None:
    text = (data_path("boards") / "u200.toml").read_text().replace('name = "u200"', 'name = "other"')
    path = tmp_path / "other.toml"
    path.write_text(text.replace('slr = "SLR0"', 'slr = "SLR2"'))
    assert list(load_board(str(path)).die_limits) == ["SLR2", "SLR1", "SLR0"]
    path.write_text(text.replace('slr = "SLR0"', 'slr = "SLR1"'))
    with pytest.raises(BoardError, match=r"vitis.slr='SLR1'; allowed: the first or the last of \[dies.left\]"):
        load_board(str(path))


def test_a_card_without_dies_is_refused(tmp_path: Path) -> None:
    text = (data_path("boards") / "u200.toml").read_text()
    path = tmp_path / "u200.toml"
    path.write_text(text[: text.index("# What the platform leaves")] + text[text.index("[vitis]") :])
    with pytest.raises(BoardError, match=r"a board of family alveo needs a table \[dies\]"):
        load_board(str(path))
    zynq = (data_path("boards") / "zcu104.toml").read_text().replace('name = "zcu104"', 'name = "with-dies"')
    path = tmp_path / "with-dies.toml"
    left = "SLR0 = { lut = 1, ff = 2, bram18 = 3, uram = 4, dsp = 5 }"
    path.write_text(f"{zynq}\n[dies]\nsource = 'none'\n[dies.left]\n{left}\n")
    with pytest.raises(BoardError, match=r"has no table \[dies\]"):
        load_board(str(path))


def test_the_command_lists_every_board_with_its_budget() -> None:
    from bvit_hw.cli.boards import boards_command

    lines = CliRunner().invoke(boards_command).output.splitlines()
    for name in board_names():
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        limits = dataclasses.astuple(load_board(name).limits)
        assert line.split()[-5:] == [f"{n:,.0f}" for n in limits]


def test_a_new_board_is_one_file(tmp_path: Path) -> None:
    text = (data_path("boards") / "zcu104.toml").read_text().replace('name = "zcu104"', 'name = "zcu106"')
    path = tmp_path / "zcu106.toml"
    path.write_text(text)
    board = load_board(str(path))
    assert board.name == "zcu106"
    assert board.limits == load_board("zcu104").limits


def test_unknown_board_lists_the_known_ones() -> None:
    with pytest.raises(BoardError, match=r"'pynq-z9'.*kv260, pynq-z1, pynq-z2.*path of its .toml"):
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
        ("[vivado]", "[vitis]", r"vitis\.platforms"),
        ("size_mb = 512", "size_mb = 500", "power of two"),
        ("lut = { count = 53200", "lut = 53200 #", r"resources\.lut: a figure is a count.*given: 53200"),
        ("count = 53200", "count = -1", r"resources\.lut\.count: .*greater than or equal to 0; given: -1"),
        ("clock_mhz = 100.0", "clock_mhz = nan", r"clock_mhz: .*given: nan"),
        ("lut = 0.70", "lut = 70", r"budget\.lut: .*less than or equal to 1; given: 70"),
        ("offset = 0x0000_0000", "offset = 0x0010_0000", "multiple of 512 MiB"),
        ('family = "zynq-7000"', 'family = "alveo"', r"needs a table \[vitis\]"),
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


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"HBM[0]"', '"DDR[0]"', r"images_bank='DDR\[0\]'; allowed: HBM\[0\] to HBM\[31\]"),
        ('logits_bank = "HBM[1]"', 'logits_bank = "HBM[32]"', r"logits_bank='HBM\[32\]'"),
        ('"2024.2" =', '"2023.1" =', r"needed: one for each of \['2022.2', '2024.2'\]"),
        ("[vitis]", "[vivado]", "vivado"),
    ],
)
def test_wrong_alveo_file_is_named_with_its_fault(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (data_path("boards") / "u50.toml").read_text()
    assert old in text
    path = tmp_path / "u50.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardError, match=fault):
        read_board(path)


def test_missing_data_folder_is_an_error() -> None:
    from bvit_hw.errors import OutputError

    with pytest.raises(OutputError, match="nowhere"):
        data_path("nowhere")


def test_a_board_of_ones_own_can_be_built_for(tmp_path: Path) -> None:
    from bvit_hw.pipeline.options import resolve

    text = (data_path("boards") / "ultra96-v2.toml").read_text().replace('name = "ultra96-v2"', 'name = "my-board"')
    path = tmp_path / "my-board.toml"
    path.write_text(text.replace("clock_mhz = 150.0", "clock_mhz = 175.0"))
    options = resolve(
        board=str(path),
        preset_name=None,
        checkpoint=None,
        data=None,
        clock_mhz=None,
        target_fps=None,
        simulated_images=1,
        jobs=1,
    )
    assert (options.board.name, options.clock_mhz) == ("my-board", 175.0)


def test_alveo_clocks_are_whole() -> None:
    from bvit_hw.pipeline.options import resolve

    with pytest.raises(ConfigError, match=r"--clock-mhz 187\.5: u50 takes whole MHz only"):
        resolve(
            board="u50", preset_name=None, checkpoint=None, data=None, clock_mhz=187.5, target_fps=None,
            simulated_images=1, jobs=1,
        )  # fmt: skip


@pytest.mark.parametrize(
    "name", [n if n in ("ultra96-v2", "u50") else pytest.param(n, marks=pytest.mark.slow) for n in board_names()]
)
def test_every_board_has_a_folding_in_its_budget(name: str) -> None:
    from bvit_hw.freeze import random_frozen
    from bvit_hw.graph.board_passes import board_passes
    from bvit_hw.graph.folding import fold
    from bvit_hw.graph.from_contract import hw_graph_of
    from bvit_hw.graph.passes import run_passes
    from tests.frozen_factory import CONFIGS

    board = load_board(name)
    result = fold(run_passes(hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=1)), board_passes(board)), board)
    for kind, share in result.utilisation.items():
        assert 0 <= share <= 1, kind


def test_a_ball_is_of_one_signal(tmp_path: Path) -> None:
    path = tmp_path / "ulx3s-85f.toml"
    text = (data_path("boards") / path.name).read_text()
    path.write_text(text)
    assert read_board(path).nextpnr is not None
    for old, new, fault in (
        ('receive = "M1"', 'receive = "L4"', "ball L4 is given to more than one signal"),
        ('clock = "G2"', 'clock = "G-2"', r"nextpnr\.clock: String should match pattern"),
        ("[nextpnr]", "[vivado]", "no table|needs a table|Field required"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(BoardError, match=fault):
            read_board(path)
