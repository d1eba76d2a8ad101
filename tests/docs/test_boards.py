"""docs/tutorials/add_a_board.md: its files are listed, folded for, and given to the vendor's tools."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bvit_hw import boards
from bvit_hw.boards import load_board
from bvit_hw.cli.boards import boards_command
from bvit_hw.flows import vitis, vivado
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.vendor_releases import RELEASES
from tests.accelerator_package import write_accelerator
from tests.frozen_factory import CONFIGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "add_a_board.md").read_text()
#: a block's first line says which file it is
FILES = dict(re.findall(r"^```toml\n# boards/(\S+)\.toml\n(.*?)^```", PAGE, re.M | re.S))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, in the place of boards/."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    monkeypatch.setattr(boards, "data_path", lambda name: {"boards": tmp_path}[name])
    return tmp_path


def test_they_are_listed() -> None:
    lines = CliRunner().invoke(boards_command).output.splitlines()
    assert list(FILES) == ["zcu102", "u50-fast"]
    for name in FILES:
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        limits = load_board(name).limits
        counts = (limits.lut, limits.ff, limits.bram18, limits.uram, limits.dsp)
        assert line.split()[-5:] == [f"{n:,.0f}" for n in counts]


@pytest.mark.parametrize("name", FILES)
def test_a_network_is_folded_within_their_budget(name: str) -> None:
    board = load_board(name)
    result = fold(run_passes(hw_graph_of(random_frozen(CONFIGS["plain"], seed=1)), board_passes(board)), board)
    assert {node.op.target for node in result.graph.nodes} == {board.target}
    assert all(0 <= share <= 1 for share in result.utilisation.values())


def test_the_zynqs_project_is_complete(tmp_path: Path) -> None:
    """Vivado's emulation runs the script and finds no fault in the design."""
    pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")
    from tests.emulators.vivado_emulation import VivadoEmulation

    board, package = load_board("zcu102"), tmp_path / "package"
    vivado.write_scripts(package, board, board.clock_mhz, write_accelerator(package, board))
    design = VivadoEmulation(RELEASES[0], ("xilinx.com:zcu102:part0:3.4",), 2)
    design.run(package / "build_zynq.tcl")
    assert design.faults() == []
    assert design.parameters["clock"]["CLKOUT1_REQUESTED_OUT_FREQ"] == "200"
    assert (package / "bvit_hw.bit").is_file()


def test_the_cards_kernel_is_linked_for_its_platform(tmp_path: Path) -> None:
    board, package = load_board("u50-fast"), tmp_path / "package"
    vitis.write_kernels(package, board, board.clock_mhz, [write_accelerator(package, board)])
    assert board.vitis is not None
    script, link = (package / "build_alveo.sh").read_text(), (package / "link.cfg").read_text()
    assert all(platform in script for platform in board.vitis.platforms.values())
    assert "HBM[0]" in link and "HBM[1]" in link and "300" in script + link
