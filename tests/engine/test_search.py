"""The search for a board's engine: nothing that fits is better, and it says so where nothing fits."""

from __future__ import annotations

from itertools import product

import pytest

from bvit_hw.boards import Board, load_board
from bvit_hw.engine.area import engine_resources
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import CHANNELS, MEMORIES, EngineConfig
from bvit_hw.engine.cycles import RULES, frame_cycles
from bvit_hw.engine.footprint import memory_halves
from bvit_hw.engine.search import depths, fits, search, shapes
from bvit_hw.errors import BoardError, LimitError
from bvit_hw.freeze.random_frozen import random_frozen
from tests.other_networks import NETWORKS

GRAPH = random_frozen(NETWORKS["three-stages"].config)


def small_board(lut: int, halves: int) -> Board:
    """A PYNQ-Z2 of which an engine may take so much."""
    board = load_board("pynq-z2")
    there, part = board.resources, board.budget
    less = there.model_copy(update={
        "lut": there.lut.model_copy(update={"count": round(lut / part.lut)}),
        "bram18": there.bram18.model_copy(update={"count": round(halves / part.bram18)}),
    })  # fmt: skip
    return board.model_copy(update={"resources": less})


def test_all_shapes_that_fit_are_there() -> None:
    board = small_board(20_000, 100)
    found = shapes([GRAPH], board, ports=[64])
    lanes = {config.tokens for config in found}
    least = dict.fromkeys(MEMORIES, 512)
    wanted = {
        config
        for tokens, rows, channels in product(lanes, CHANNELS, CHANNELS) if channels <= rows
        if fits(engine_resources(
            config := EngineConfig(tokens=tokens, rows=rows, channels=channels, **least), board.target
        ), board.limits)
    }  # fmt: skip
    assert set(found) == wanted and len(found) == len(wanted) > 2


def test_no_set_of_depths_could_be_deeper() -> None:
    board, config = load_board("pynq-z2"), EngineConfig(tokens=2, rows=16, channels=8)
    most = {"bits": 900, "values": 2000, "weights": 3000, "params": 600, "steps": 512, "taps": 100}
    found = depths(config, most, board)
    limits = {"bits": 1024, "values": 2048, "weights": 4096, "params": 1024, "steps": 512, "taps": 512}
    blocks = board.limits.bram18
    for one in found:
        assert sum(memory_halves(one, board.target.memories).values()) <= blocks
        assert all(getattr(one, name) <= limits[name] for name in MEMORIES)
    assert len(found) == len(set(found)) > 0
    small = small_board(30_000, 80)
    several = depths(config, most, small)
    assert len(several) > 1
    for one in several:
        assert not any(
            other != one and all(getattr(other, name) >= getattr(one, name) for name in MEMORIES) for other in several
        )


def test_the_best_is_found_and_is_the_same_again() -> None:
    """Of a small budget, against all shapes with all sets of depths."""
    board = small_board(9_500, 60)
    found = search({"net": GRAPH}, board, ports=[64])
    assert found == search({"net": GRAPH}, board, ports=[64])
    assert [one.order for one in found] == sorted(one.order for one in found)
    best = found[0]
    assert best.area == engine_resources(best.config, board.target) and fits(best.area, board.limits)
    deep = dict.fromkeys(MEMORIES, 4096)
    for shape in shapes([GRAPH], board, ports=[64]):
        for config in depths(shape, deep, board):
            try:
                commands = compile_network(GRAPH, config, fused=True).programme.commands
            except LimitError:
                continue
            assert frame_cycles(config, RULES, commands) >= best.cycles["net"]


def test_a_board_without_room_is_refused() -> None:
    with pytest.raises(BoardError, match=r"board pynq-z2: no engine within its budget runs net; 0 shapes fit"):
        search({"net": GRAPH}, small_board(1000, 60))
