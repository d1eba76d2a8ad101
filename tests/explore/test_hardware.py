"""Points: what folding gives for a network, a board and a wish."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.boards import Board, load_board
from bvit_hw.contract.file import save_frozen
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.cycles import RULES, frame_cycles
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.explore import hardware
from bvit_hw.explore.hardware import Constraints, Hardware, Point, fastest_part, rounded_down
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.steps.fold import with_margin
from tests.explore.tiny import TINY


@pytest.fixture(scope="module")
def u250() -> Hardware:
    return Hardware({"u250": load_board("u250")})


def test_a_point_is_the_folding_of_a_build(u250: Hardware, tmp_path: Path) -> None:
    """Of its random weights, or of a checkpoint's; cycles are the same, and LUTs are nearly."""
    board = load_board("u250")
    checkpoint = tmp_path / "net.safetensors"
    frozen = random_frozen(TINY, seed=7)
    save_frozen(frozen, checkpoint, {}, "net")
    fastest, half, own = (
        u250.point(TINY, "u250", wish, path)
        for wish, path in (("fastest", None), ("fastest/2", None), ("fastest", checkpoint))
    )
    for point, weights in ((fastest, random_frozen(TINY)), (half, random_frozen(TINY)), (own, frozen)):
        graph = run_passes(hw_graph_of(weights), board_passes(board))
        built = fold(graph, with_margin(board), target_fps=point.target_fps)
        assert (built.cycles, built.resources.lut) == (point.cycles, point.lut)
    assert own.cycles == fastest.cycles and own.lut != fastest.lut
    assert fastest.target_fps is None and half.target_fps is not None
    assert fastest.rate / 2 >= half.target_fps and half.rate >= half.target_fps
    assert half.cycles > fastest.cycles and half.lut < fastest.lut


def test_an_engine_is_counted_once_and_programmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles are the compiled programme's; Yosys' count is of the board, whatever the network."""
    counted: list[str] = []
    taken = {"unit": Resources(lut=30000, ff=20000, dsp=100), "memories": Resources(bram18=200)}

    def analyses(board: Board, work: Path, *, processes: int) -> str:
        counted.append(board.name)
        return "what Yosys said"

    def counts(board: Board, found: str) -> dict[str, Resources]:
        assert found == "what Yosys said"
        return taken

    monkeypatch.setattr(hardware, "analyse_engine", analyses)
    monkeypatch.setattr(hardware, "engine_counts", counts)
    board = load_board("pynq-z2")
    boards = Hardware({name: load_board(name) for name in ("pynq-z2", "u250")})
    other = TINY.model_copy(update={"mlp_widths": (32,)})
    points = [boards.point(config, "pynq-z2", None) for config in (TINY, other)]
    engine = engine_of(board)
    for config, point in zip((TINY, other), points, strict=True):
        commands = compile_network(random_frozen(config), engine, fused=True).programme.commands
        assert point.cycles == frame_cycles(engine, RULES, commands)
        assert (point.lut, point.ff, point.bram18, point.dsp) == (30000, 20000, 200, 100)
        assert (point.architecture, point.target_fps, point.place) == ("engine", None, "pynq-z2 (engine)")
    assert points[0].cycles != points[1].cycles and counted == ["pynq-z2"]
    with pytest.raises(FoldingError, match=r"u250: its file has no table \[engine\]"):
        boards.point(TINY, "u250", None)
    taken["unit"] = Resources(lut=60000)
    with pytest.raises(FoldingError, match="its engine takes more lut than there is"):
        Hardware({"pynq-z2": board}).point(TINY, "pynq-z2", None)


def test_a_point_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = {"u250": load_board("u250")}
    first = Hardware(boards, tmp_path).point(TINY, "u250", "fastest")
    with pytest.raises(FoldingError, match="1e\\+09 frames a second"):
        Hardware(boards, tmp_path).point(TINY, "u250", 1e9)
    monkeypatch.setattr(hardware, "fold", None)
    again = Hardware(boards, tmp_path)
    assert again.point(TINY, "u250", "fastest") == first
    with pytest.raises(FoldingError, match="1e\\+09 frames a second"):
        again.point(TINY, "u250", 1e9)


def test_constraints_say_what_is_broken() -> None:
    point = Point(board="b", target_fps=None, cycles=100, rate=1000.0, lut=500.0, ff=1.0, bram18=3.0, uram=0.0,
                  dsp=4.0, limited_by="")  # fmt: skip
    assert Constraints(min_fps=1000, max_lut=500, max_dsp=4).broken(point) == ""
    said = Constraints(min_fps=1001, max_lut=499).broken(point)
    assert said == "1,000 frames/s, at least 1,001 are asked for; 500 lut, at most 499 are allowed"


def test_wishes() -> None:
    assert [fastest_part(wish) for wish in ("fastest", "fastest/8", 20000)] == [1, 8, None]
    for wrong in ("fastest/0", "slow", 0, True, float("inf")):
        with pytest.raises(ConfigError, match="target_fps"):
            fastest_part(wrong)
    assert rounded_down(48828.125) == 48828 and rounded_down(2.0359) == 2.035
