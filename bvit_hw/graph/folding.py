"""Folding, solved: the largest frame rate under a board's budget, or the least area at a rate asked for.

At a given number of cycles a frame, T, an operator may use any of its foldings that take at most T. Whether all fit
the budgets at once is an integer programme, and so is the cheapest choice (folding_solver.py). T is found by bisection
over the cycle counts that occur, by coarse programmes; the last steps are fine ones, with all glue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.boards import Board, board_names, load_board
from bvit_hw.errors import FoldingError
from bvit_hw.graph.border import border_of
from bvit_hw.graph.dies import kernels, overfull, with_cuts
from bvit_hw.graph.folding_choices import KINDS, choices_of, vector
from bvit_hw.graph.folding_solver import Part, Solver
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import GraphPass, run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources

#: how often a solution that exceeds a limit with its real glue is solved again
_TIGHTENINGS = 6

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FoldingResult:
    """The folded graph, its predicted ``cycles`` a frame, and its cost with estimated glue against the limits."""

    graph: HwGraph
    cycles: int
    resources: Resources
    limits: Resources
    limited_by: str

    @property
    def utilisation(self) -> dict[str, float]:
        """Fraction of each limit that is used (kinds that the FPGA has)."""
        return {
            kind: getattr(self.resources, kind) / getattr(self.limits, kind)
            for kind in KINDS
            if getattr(self.limits, kind) > 0
        }


def _least(graph: HwGraph, limits: Resources) -> None:
    """Raise FoldingError where one resource alone is too small at every folding."""
    border = border_of(graph, limits.bram18).resources
    for index, kind in enumerate(KINDS):
        limit = getattr(limits, kind)
        need = {n.name: min(choice.cost[index] for choice in choices_of(n.op)) for n in graph.nodes}
        need["the accelerator's border"] = getattr(border, kind)
        total = sum(need.values())
        if total > limit:
            worst = sorted(need, key=lambda name: -need[name])[:3]
            most = ", ".join(f"{name} {need[name]:.0f}" for name in worst)
            raise FoldingError(
                f"{graph.name}: needs at least {total:.0f} {kind} at any folding, the budget is {limit:.0f}; "
                f"most of it: {most}"
            )


def _limited_by(solver: Solver, cycles: int, resources: Resources, limits: Resources) -> str:
    if cycles == solver.border_cycles:
        return f"the accelerator's streams, which take {cycles} cycles for a frame's pixels and logits"
    if cycles == solver.slowest_fastest:
        name = next(n.name for n in solver.graph.nodes if min(c.cycles for c in choices_of(n.op)) == cycles)
        return f"{name}, which takes {cycles} cycles at its widest folding"
    fractions = {k: getattr(resources, k) / getattr(limits, k) for k in KINDS if getattr(limits, k) > 0}
    kind = max(fractions, key=lambda k: fractions[k])
    return f"{kind} ({getattr(resources, kind):.0f} of {getattr(limits, kind):.0f} in the budget)"


def fold(graph: HwGraph, board: Board, *, target_fps: float | None = None) -> FoldingResult:
    """Fold every operator of ``graph`` (without glue) for ``board``.

    Without ``target_fps`` the frame rate is the largest that the board's budgets allow; with it, the cheapest folding
    that reaches it at the board's clock. Raises FoldingError, naming the best rate and what limits it, if the rate
    cannot be had, or if not even the slowest folding fits.
    """
    limits = board.limits
    _least(graph, limits)
    solver = Solver(graph, limits)
    candidates = solver.candidates()
    if target_fps is None:
        found = _first_fitting(solver, board, candidates[_bisect(solver, candidates) :])
        return _with_shortage(solver, found, candidates)
    allowed = int(board.cycles_at(target_fps))
    if allowed >= solver.slowest_fastest and solver.coarse(allowed) is not None:
        result = _fit(solver, allowed, board)
        if result is not None:
            return result
    best = fold(graph, board)
    raise FoldingError(
        f"{graph.name}: {target_fps:g} frames a second at {board.clock_mhz:g} MHz leave {allowed} cycles a frame; the "
        f"best on {board.name} is {best.cycles} cycles, {board.clock_mhz * 1e6 / best.cycles:.0f} frames a second, "
        f"limited by {best.limited_by}"
    )


def _with_shortage(solver: Solver, found: FoldingResult, candidates: Sequence[int]) -> FoldingResult:
    """``found`` with what the next faster folding lacks, where that is one resource alone."""
    if found.cycles in (solver.border_cycles, solver.slowest_fastest):
        return found
    faster = max((cycles for cycles in candidates if cycles < found.cycles), default=None)
    short = solver.short_of(faster) if faster is not None else []
    return replace(found, limited_by=f"{', '.join(short)} for {faster} cycles") if short else found


def require_fit(graph: HwGraph, board: Board) -> None:
    """Raise FoldingError where ``graph`` exceeds the board's budget at every folding; quick, glue hardly counted."""
    _least(graph, board.limits)
    solver = Solver(graph, board.limits)
    slowest = solver.candidates()[-1]
    _require_slowest(solver, slowest)
    uncut = _uncut(solver, slowest, board)
    if uncut:
        raise FoldingError(f"{graph.name}: does not fit {board.name}{uncut}")


def boards_that_fit(graph: HwGraph, passes: Callable[[Board], Sequence[GraphPass]]) -> list[str]:
    """Names of the known boards on which :func:`require_fit` finds room for ``graph`` after each board's ``passes``."""
    found = []
    for board in map(load_board, board_names()):
        with suppress(FoldingError):
            require_fit(run_passes(graph, passes(board)), board)
            found.append(board.name)
    return found


def _require_slowest(solver: Solver, cycles: int) -> None:
    if solver.coarse(cycles) is None:
        short = solver.short_of(cycles)
        raise FoldingError(
            f"{solver.graph.name}: does not fit the budget even at {cycles} cycles a frame, when every "
            f"operator is folded as far as it goes; too small: {', '.join(short) or 'several resources together'}"
        )


def _bisect(solver: Solver, candidates: Sequence[int]) -> int:
    """Index of the smallest cycle count that fits without width converters."""
    low, high = 0, len(candidates) - 1
    _require_slowest(solver, candidates[high])
    while low < high:
        middle = (low + high) // 2
        if solver.coarse(candidates[middle]) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _first_fitting(solver: Solver, board: Board, candidates: Sequence[int]) -> FoldingResult:
    """The first of ``candidates`` whose folding fits with glue; steps grow, then the last one is narrowed again."""
    low, step, index = -1, 1, 0
    best = _fit(solver, candidates[index], board)
    while best is None:
        low = index
        if index == len(candidates) - 1:
            raise FoldingError(
                f"{solver.graph.name}: does not fit the budget of {board.name} with its FIFOs and width converters"
                f"{_uncut(solver, candidates[index], board)}"
            )
        index = min(index + step, len(candidates) - 1)
        step *= 2
        best = _fit(solver, candidates[index], board)
    while index - low > 1:
        middle = (low + index) // 2
        result = _fit(solver, candidates[middle], board)
        if result is None:
            low = middle
        else:
            index, best = middle, result
    return best


def _fit(solver: Solver, cycles: int, board: Board) -> FoldingResult | None:
    """The cheapest folding at ``cycles`` whose stitched graph is within the limits; None where there is none."""
    dies = list(board.die_limits.values())
    found = (_fit_cut(solver, cycles, board, cut) for cut in (solver.cuts(cycles, dies) if dies else [[]]))
    return next((result for result in found if result is not None), None)


def _fit_cut(solver: Solver, cycles: int, board: Board, cut: Sequence[str]) -> FoldingResult | None:
    """The same, cut into kernels at the tensors ``cut``.

    The programme's glue is a little off (FIFOs are split between memories), so where the stitched graph exceeds a
    limit, or a kernel its die, it is solved again with less and less.
    """
    limits, dies = solver.limits, list(board.die_limits.values())
    room = [np.array(vector(die)) for die in dies]
    everything = frozenset(node.name for node in solver.graph.nodes)
    for attempt in range(1, _TIGHTENINGS + 1):
        chosen = solver.fine(cycles, _parts(solver, cut, room) if room else [Part(everything, limits)])
        if chosen is None:
            return None
        result, stitched = _result(solver, board, with_cuts(solver.graph.with_ops(chosen), cut))
        excess = np.array(vector(result.resources)) - np.array(vector(board.limits))
        too_much = overfull(stitched, solver.edge.resources, dies)
        if np.all(excess <= 0) and not too_much:
            return result
        over = np.where(excess > 0, np.maximum(excess, 5e-4 * np.array(limits)), 0)
        limits = tuple(np.array(limits) - attempt * over)
        times = np.array([too_much.get(kind, 1.0) for kind in KINDS])
        room = [die * (1 - attempt * (1 - 1 / times)) for die in room]
    return None


def _uncut(solver: Solver, cycles: int, board: Board) -> str:
    """That no cut into kernels fits the dies at ``cycles``, in words; nothing where one does."""
    dies = board.die_limits
    if not dies or solver.cuts(cycles, list(dies.values())):
        return ""
    return f"; nowhere can it be cut into a kernel for each of {', '.join(dies)} that fits there"


def _parts(solver: Solver, cut: Sequence[str], room: Sequence[np.ndarray]) -> list[Part]:
    """The operators between the places of ``cut`` with the room on their dies, the border's taken off the first."""
    found = []
    for number, (kernel, limits) in enumerate(zip(kernels(with_cuts(solver.graph, cut)), room, strict=False)):
        names = frozenset(node.name for node in kernel.nodes if not node.op.is_glue)
        left = limits - np.array(solver.border) if number == 0 else limits
        found.append(Part(names, tuple(left.tolist())))
    return found


def _result(solver: Solver, board: Board, graph: HwGraph) -> tuple[FoldingResult, HwGraph]:
    """``graph``, folded, with its cost, and the same with its glue."""
    cycles = max(graph.cycles, solver.border_cycles)
    stitched = planned(graph, *board.rooms)
    resources = stitched.resources() + solver.edge.resources
    result = FoldingResult(
        graph=graph,
        cycles=cycles,
        resources=resources,
        limits=board.limits,
        limited_by=_limited_by(solver, cycles, resources, board.limits),
    )
    log.info(
        "folded %s: %d cycles a frame, %.0f LUT, %.0f BRAM18, %.0f UltraRAM, %.0f DSP",
        graph.name, result.cycles, resources.lut, resources.bram18, resources.uram, resources.dsp,
    )  # fmt: skip
    return result, stitched
