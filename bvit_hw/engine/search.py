"""The engine for a board: the one that is quickest for some networks, of all that the board's budget allows.

The search is exhaustive and takes no time into account, so its answer is the same every time. Area is that of
``area.py``, cycles are those of compiled programmes by ``cycles.py``: neither is measured.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from bvit_hw.boards import Board
from bvit_hw.contract import FrozenGraph
from bvit_hw.engine.area import engine_resources
from bvit_hw.engine.bounds import least_cycles
from bvit_hw.engine.commands import Memory
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import ADDRESS_BITS, BLOCK_WORDS, CHANNELS, COLUMNS, MEMORIES, PORTS, EngineConfig
from bvit_hw.engine.cycles import RULES, frame_cycles
from bvit_hw.engine.footprint import memory_halves
from bvit_hw.engine.layout import strips
from bvit_hw.errors import BoardError, LimitError
from bvit_hw.targets.cost import Resources

#: memories of which every multiple of a block's words is tried: all others double
FINE = "values"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """An engine, what it takes by the model of area, and each network's cycles a frame by the model of cycles."""

    config: EngineConfig
    area: Resources
    cycles: Mapping[str, int]

    @property
    def order(self) -> tuple[float, float, str]:
        """The first is the best: cycles of all networks together, then LUTs."""
        return sum(self.cycles.values()), self.area.lut, repr(self.config)


def fits(area: Resources, budget: Resources) -> bool:
    """Whether nothing of the budget is exceeded."""
    return all(getattr(area, kind) <= getattr(budget, kind) for kind in ("lut", "ff", "bram18", "uram", "dsp"))


def shapes(graphs: Sequence[FrozenGraph], board: Board, *, ports: Sequence[int] = PORTS) -> list[EngineConfig]:
    """All lanes, rows and channels that the board holds, with memories of one block's depth each.

    Of lanes only so many as one of the networks uses: a lane more would hold nothing.
    """
    lanes = {max(x.lanes for x in strips(graph, most).values()) for graph in graphs for most in range(1, COLUMNS + 1)}
    least, budget = dict.fromkeys(MEMORIES, BLOCK_WORDS), board.limits
    found = []
    ultras = (0, 1) if board.limits.uram else (0,)
    for tokens, rows, channels, port, ultra in product(sorted(lanes), CHANNELS, CHANNELS, ports, ultras):
        if channels <= rows and port <= 8 * channels:
            config = EngineConfig(tokens=tokens, rows=rows, channels=channels, port=port, ultra=ultra, **least)
            if fits(engine_resources(config, board.target), budget):
                found.append(config)
    return found


def deepest(config: EngineConfig, board: Board) -> EngineConfig:
    """The same with memories as deep as addresses reach, or an UltraRAM is, however many blocks that takes."""
    return replace(config, **{name: _most(config, name, board) for name in MEMORIES})


def _most(config: EngineConfig, name: str, board: Board) -> int:
    """Words that a memory may have."""
    shape = board.target.memories.ultra_shape
    return shape[0] if config.ultra and name == "values" and shape is not None else 1 << ADDRESS_BITS


def depths(config: EngineConfig, most: Mapping[str, int], board: Board) -> list[EngineConfig]:
    """The same with all sets of depths, none above ``most``, that fit the board's blocks and of which no other one
    that fits has all the same memories or deeper ones.
    """
    blocks = board.limits.bram18
    ladders = {name: list(_ladder(min(most[name], _most(config, name, board)), name == FINE)) for name in MEMORIES}
    found: list[EngineConfig] = []
    for some in product(*(reversed(ladders[name]) for name in MEMORIES if name != FINE)):
        others = dict(zip((name for name in MEMORIES if name != FINE), some, strict=True))
        for depth in reversed(ladders[FINE]):
            given = replace(config, **others, **{FINE: depth})
            if sum(memory_halves(given, board.target.memories).values()) <= blocks:
                if not any(_covers(other, given) for other in found):
                    found.append(given)
                break
    return [one for one in found if not any(other is not one and _covers(other, one) for other in found)]


def _ladder(most: int, fine: bool) -> Iterator[int]:
    """Depths of whole blocks up to the first that is not below ``most``."""
    depth = BLOCK_WORDS
    while True:
        yield depth
        if depth >= min(most, 1 << ADDRESS_BITS):
            return
        depth += BLOCK_WORDS if fine else depth


def _covers(one: EngineConfig, other: EngineConfig) -> bool:
    return all(getattr(one, name) >= getattr(other, name) for name in MEMORIES)


def _compiled(graphs: Mapping[str, FrozenGraph], config: EngineConfig) -> dict[str, Compiled] | None:
    """Each network's programme; None where one of them does not fit the engine."""
    found = {}
    for name, graph in graphs.items():
        try:
            found[name] = compile_network(graph, config, fused=True)
        except LimitError as error:
            _log.info("%s: %s", config, error)
            return None
    return found


def _judged(config: EngineConfig, board: Board, compiled: Mapping[str, Compiled]) -> Found:
    cycles = {name: frame_cycles(config, RULES, x.programme.commands) for name, x in compiled.items()}
    found = Found(config, engine_resources(config, board.target), cycles)
    _log.info("%s: %s", config, cycles)
    return found


def search(graphs: Mapping[str, FrozenGraph], board: Board, *, ports: Sequence[int] = PORTS) -> list[Found]:
    """Engines that the board's budget allows and that run all networks, the best first.

    Shapes are gone through from the lowest bound on (``bounds.py``); one whose bound is not below the best engine so
    far is not looked at, nor are those behind it. Each is first judged with the deepest memories: one that is not
    quicker with those than another is with memories that the board has is left as well. BoardError where no engine
    fits, or none runs all networks.
    """
    bounds = sorted(
        ((sum(least_cycles(graph, shape) for graph in graphs.values()), repr(shape), shape)
         for shape in shapes(list(graphs.values()), board, ports=ports)),
        key=lambda one: one[:2],
    )  # fmt: skip
    found: list[Found] = []
    best: int | None = None
    for bound, _, shape in bounds:
        if best is not None and bound >= best:
            break
        wide = _compiled(graphs, deepest(shape, board))
        if wide is None or (best is not None and _total(deepest(shape, board), wide) >= best):
            continue
        most = {name: max(x.peaks[Memory[name.upper()]] for x in wide.values()) for name in MEMORIES}
        for config in depths(shape, most, board):
            compiled = _compiled(graphs, config)
            if compiled is not None:
                found.append(_judged(config, board, compiled))
                best = min(sum(one.cycles.values()) for one in found)
    if not found:
        raise BoardError(f"board {board.name}: no engine within its budget runs {', '.join(graphs)}; {len(bounds)} "
                         "shapes fit with memories of a block's depth")  # fmt: skip
    return sorted(found, key=lambda one: one.order)


def _total(config: EngineConfig, compiled: Mapping[str, Compiled]) -> int:
    return sum(frame_cycles(config, RULES, x.programme.commands) for x in compiled.values())
