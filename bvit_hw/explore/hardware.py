"""What the hardware of a network is on a board: without training, in a few seconds.

Of a streaming accelerator it is the folding at a wish for the rate. A board's single engine is the same for all
networks: Yosys counts it once, in minutes, and the network is compiled for it.

Cycles follow from the sizes. The cost model's LUTs depend a little on the weights, too, whose sums decide how wide some
values are. So a network that is not trained yet has the random weights that `bvit-hw build` gives it; one that is
trained is folded as it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bvit_hw import __version__
from bvit_hw.boards import Board
from bvit_hw.contract import FrozenGraph
from bvit_hw.disk import write_aside
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.cycles import RULES, frame_cycles
from bvit_hw.errors import BvitError, ConfigError, FoldingError, OutputError, ToolError
from bvit_hw.flows.engine_area import analyse_engine, engine_counts
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.network_file import load_graph
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.architecture import ENGINE, STREAMING, required_engine
from bvit_hw.pipeline.steps.fold import with_margin
from bvit_hw.targets.cost import KINDS

log = logging.getLogger(__name__)

Limit = Annotated[float, Field(gt=0, strict=False)] | None


class Constraints(BaseModel):
    """What a point must keep, beside fitting its board."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min_fps: Limit = None
    max_lut: Limit = None
    max_ff: Limit = None
    max_bram18: Limit = None
    max_uram: Limit = None
    max_dsp: Limit = None

    def broken(self, point: Point) -> str:
        """Which of them ``point`` breaks, in words; nothing where it keeps all."""
        said = []
        if self.min_fps is not None and point.rate < self.min_fps:
            said.append(f"{point.rate:,.0f} frames/s, at least {self.min_fps:,.0f} are asked for")
        for kind in ("lut", "ff", "bram18", "uram", "dsp"):
            most, taken = getattr(self, f"max_{kind}"), getattr(point, kind)
            if most is not None and taken > most:
                said.append(f"{taken:,.0f} {kind}, at most {most:,.0f} are allowed")
        return "; ".join(said)


@dataclass(frozen=True, kw_only=True)
class Point:
    """The cheapest folding at a rate, by the cost model, or the board's engine; at the board's assumed clock."""

    board: str
    #: what `bvit-hw build --target-fps` is given; None: the fastest
    target_fps: float | None
    cycles: int
    rate: float
    lut: float
    ff: float
    bram18: float
    uram: float
    dsp: float
    limited_by: str
    architecture: str = STREAMING

    @property
    def place(self) -> str:
        """The board, and the architecture where it is not the usual one."""
        return self.board if self.architecture == STREAMING else f"{self.board} ({self.architecture})"


def fastest_part(wish: str | float) -> int | None:
    """N of a wish for ``fastest/N`` (1: the fastest); None for a rate in frames/s. Raises :class:`ConfigError`."""
    if isinstance(wish, str):
        found = re.fullmatch(r"fastest(?:/([1-9][0-9]{0,5}))?", wish)
        if found:
            return int(found[1] or 1)
    elif not isinstance(wish, bool) and 0.001 <= wish < math.inf:
        return None
    raise ConfigError(f"target_fps {wish!r}: allowed are frames/s from 0.001 on, 'fastest', and 'fastest/N'")


@lru_cache(maxsize=2)
def _frozen(config: BinaryViTConfig, checkpoint: Path | None) -> FrozenGraph:
    """The integers that a build takes: of the checkpoint, or a build's random weights."""
    return random_frozen(config) if checkpoint is None else load_graph(checkpoint)[0]


@lru_cache(maxsize=2)
def _lowered(config: BinaryViTConfig, checkpoint: Path | None) -> HwGraph:
    """The graph that a build folds."""
    return hw_graph_of(_frozen(config, checkpoint))


class Hardware:
    """Points by network, board and wish; each is computed once, and kept in ``folder`` for other workers there."""

    def __init__(self, boards: Mapping[str, Board], folder: Path | None = None) -> None:
        self.boards, self.folder = boards, folder
        self._known: dict[str, Point | str] = {}
        self._engines: dict[str, Resources] = {}

    def point(
        self, config: BinaryViTConfig, board: str, wish: str | float | None, checkpoint: Path | None = None
    ) -> Point:
        """Fold ``config``, with the weights of ``checkpoint``, for ``board``; without a ``wish``: for its engine.

        Raises :class:`FoldingError` with the reason where there is no such point, ToolError where an engine cannot be
        counted.
        """
        key = self._key(config, board, wish, checkpoint)
        found = self._known.get(key) or self._read(key)
        if found is None:
            try:
                if wish is None:
                    required_engine(self.boards[board])
                    taken = self._engine_takes(self.boards[board])
                    found = self._compile(config, self.boards[board], taken, checkpoint)
                else:
                    found = self._fold(config, self.boards[board], wish, checkpoint)
            except (ToolError, OutputError):
                raise
            except BvitError as error:  # not to be frozen, lowered or folded: whatever the weights
                found = str(error)
            self._write(key, found)
        self._known[key] = found
        if isinstance(found, str):
            raise FoldingError(found)
        return found

    def _fold(self, config: BinaryViTConfig, board: Board, wish: str | float, checkpoint: Path | None) -> Point:
        part = fastest_part(wish)
        target = None
        if part is None:
            target = float(wish)
        elif part > 1:
            target = rounded_down(self.point(config, board.name, "fastest", checkpoint).rate / part)
        graph = run_passes(_lowered(config, checkpoint), board_passes(board))
        result = fold(graph, with_margin(board), target_fps=target)
        r = result.resources
        return Point(
            board=board.name,
            target_fps=target,
            cycles=result.cycles,
            rate=board.clock_mhz * 1e6 / result.cycles,
            lut=r.lut,
            ff=r.ff,
            bram18=r.bram18,
            uram=r.uram,
            dsp=r.dsp,
            limited_by=result.limited_by,
        )

    def _compile(self, config: BinaryViTConfig, board: Board, taken: Resources, checkpoint: Path | None) -> Point:
        """The network on the board's engine, which takes ``taken``."""
        short = [kind for kind in KINDS if getattr(taken, kind) > getattr(board.available, kind)]
        if short:
            raise FoldingError(f"board {board.name}: its engine takes more {' and '.join(short)} than there is")
        engine = required_engine(board)
        commands = compile_network(_frozen(config, checkpoint), engine, fused=True).programme.commands
        cycles = frame_cycles(engine, RULES, commands)
        return Point(
            board=board.name,
            target_fps=None,
            cycles=cycles,
            rate=board.engine_clock_mhz * 1e6 / cycles,
            **asdict(taken),
            limited_by="the engine, which does one command after the other",
            architecture=ENGINE,
        )

    def _engine_takes(self, board: Board) -> Resources:
        """By Yosys' count, as a build's report has it; minutes where the engine was never counted before."""
        if board.name not in self._engines:
            log.info("board %s: Yosys counts its engine, once, in minutes", board.name)
            with tempfile.TemporaryDirectory(prefix="bvit-engine-") as work:
                counts = engine_counts(board, analyse_engine(board, Path(work), processes=1))
            self._engines[board.name] = sum(counts.values(), Resources())
        return self._engines[board.name]

    def _key(self, config: BinaryViTConfig, board: str, wish: str | float | None, checkpoint: Path | None) -> str:
        weights = hashlib.sha256(checkpoint.read_bytes()).hexdigest() if checkpoint is not None else "random"
        said = [__version__, config.model_dump(mode="json"), self.boards[board].model_dump(mode="json"), wish, weights]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    def _read(self, key: str) -> Point | str | None:
        if self.folder is None:
            return None
        try:
            found: dict[str, Any] = json.loads((self.folder / f"{key}.json").read_text())
            return Point(**found["point"]) if "point" in found else str(found["reason"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _write(self, key: str, found: Point | str) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            kept = {"reason": found} if isinstance(found, str) else {"point": asdict(found)}
            write_aside(self.folder / f"{key}.json", json.dumps(kept))


def rounded_down(rate: float) -> float:
    """A rate with few digits, not above ``rate``, so that the command printed is what was folded."""
    digits = max(0, 3 - math.floor(math.log10(rate))) if rate > 0 else 0
    scale: int = 10**digits
    return math.floor(rate * scale) / scale
