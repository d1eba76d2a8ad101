"""Programmes: a network compiled for the single engine of a board (docs/engine.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bvit_hw.api.hardware import as_board
from bvit_hw.api.networks import Network, as_network
from bvit_hw.boards import Board

if TYPE_CHECKING:
    from bvit_hw.freeze.calibrate import CalibrationReport


@dataclass(frozen=True)
class CompiledProgramme:
    """A programme's file, made by :func:`compile_programme`: ``commands`` in it, its size in ``bytes``.

    ``cycles`` are those of a frame by the model, not simulated. ``checked`` says whether the golden machine gave the
    network's logits for a picture.
    """

    path: Path
    name: str
    board: Board
    commands: int
    bytes: int
    cycles: int
    checked: bool
    calibration: CalibrationReport | None
    notes: tuple[str, ...]

    @property
    def frames_per_second(self) -> float:
        """By the model at the clock of the board's engine."""
        return self.board.engine_clock_mhz * 1e6 / self.cycles


def compile_programme(
    network: Network | str | Path,
    out: str | Path,
    *,
    board: Board | str,
    calibrate: str | None = None,
    check: bool = True,
    overwrite: bool = False,
) -> CompiledProgramme:
    """Write ``network`` as a programme (.prog) for the single engine of ``board``.

    With ``check`` the golden machine carries it out for a picture, and its logits must be the network's: LoweringError
    otherwise. ``calibrate`` is that of :func:`bvit_hw.api.freeze`. Raises BoardError for a board without an engine,
    LimitError, which names the limit, for a network beyond it, OutputError for ``out``.
    """
    from bvit_hw.engine.board_engine import engine_of

    found = as_board(board)
    config = engine_of(found)
    from bvit_hw.engine.check import check_programme
    from bvit_hw.engine.compiler import compile_network
    from bvit_hw.engine.programme import save_programme
    from bvit_hw.network_file import load_graph, network_record, refuse_calibration
    from bvit_hw.outputs import writable_output
    from bvit_hw.pipeline.engine_programme import network_programme
    from bvit_hw.pipeline.random_network import random_notes

    given, path = as_network(network), Path(out)
    if given.is_frozen:
        refuse_calibration(given.path, calibrate)
    writable_output(path, given.path, overwrite=overwrite)
    graph, report = load_graph(given.path, calibrate)
    compiled = compile_network(graph, config, fused=True)
    if check:
        check_programme(graph, compiled, config)
    programme = network_programme(graph, compiled, config, name=given.name, record=network_record(given.path))
    save_programme(programme, config, path)
    return CompiledProgramme(
        path=path,
        name=given.name,
        board=found,
        commands=len(programme.commands),
        bytes=path.stat().st_size,
        cycles=int(str(programme.facts["cycles"])),
        checked=check,
        calibration=report,
        notes=tuple(random_notes(given.path)),
    )
