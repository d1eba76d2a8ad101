"""Folding, solved: the largest frame rate under a board's budget, or the least area at a rate asked for.

At a given number of cycles a frame, T, an operator may use any of its foldings that take at most T. Whether all fit
the budgets at once is an integer programme, and so is the cheapest choice (folding_solver.py). T is found by bisection
over the cycle counts that occur, by coarse programmes; the last steps are fine ones, with all glue.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.boards import Board
from bvit_hw.errors import FoldingError
from bvit_hw.graph.border import border_of
from bvit_hw.graph.dies import Cut, best_cut, kernels, with_cuts
from bvit_hw.graph.folding_choices import KINDS, choices_of, vector
from bvit_hw.graph.folding_solver import DiePart, Solver
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources

#: how often a solution that exceeds a limit with its real glue is solved again
_TIGHTENINGS = 6
#: part of a die's limits that the programme may use: its glue is a little off, and there are few operators to make up
_DIE_SHARE = 0.985

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
    for kind in KINDS:
        limit = getattr(limits, kind)
        need = {n.name: min(getattr(c.op.resources(), kind) for c in choices_of(n.op)) for n in graph.nodes}
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
    _require_slowest(solver, solver.candidates()[-1])


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
                f"{_crowded(solver, candidates[index], board)}"
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
    """The cheapest folding at ``cycles`` whose stitched graph is within the limits; None where there is none.

    The programme's glue is a little off (FIFOs are split between memories), so where the stitched graph exceeds a
    limit, it is solved again with less and less. Where a die does not hold its kernel, it is solved again with that cut
    and the dies' limits, and cut anew.
    """
    limits, parts = solver.limits, ()
    for attempt in range(1, _TIGHTENINGS + 1):
        chosen = solver.fine(cycles, limits, parts)
        if chosen is None:
            return None
        result, cut = _result(solver, board, solver.graph.with_ops(chosen))
        if cut.short:
            before, parts = parts, _parts(solver, board, result.graph)
            if parts == before:
                return None
            continue
        excess = np.array(vector(result.resources)) - np.array(vector(board.limits))
        if np.all(excess <= 0):
            return result
        over = np.where(excess > 0, np.maximum(excess, 5e-4 * np.array(limits)), 0)
        limits = tuple(np.array(limits) - attempt * over)
    return None


def _parts(solver: Solver, board: Board, graph: HwGraph) -> tuple[DiePart, ...]:
    """The kernels of ``graph``, which is cut, with what each may take of its die."""
    border = np.array(vector(solver.edge.resources))
    found = []
    for number, (kernel, limits) in enumerate(zip(kernels(graph), board.die_limits.values(), strict=False)):
        left = _DIE_SHARE * (np.array(vector(limits)) - (border if number == 0 else 0))
        names = tuple(node.name for node in kernel.nodes if not node.op.is_glue)
        found.append(DiePart(names, tuple(left.tolist())))
    return tuple(found)


def _crowded(solver: Solver, cycles: int, board: Board) -> str:
    """What a die lacks at ``cycles`` with the best cut into kernels, in words; nothing where dies are not what is short."""
    chosen = solver.fine(cycles, solver.limits)
    if chosen is None or not board.die_limits:
        return ""
    _, cut = _result(solver, board, solver.graph.with_ops(chosen))
    short = ", ".join(f"{100 * (times - 1):.0f} % too few {kind}" for kind, times in cut.short.items())
    return f"; cut into a kernel for each of its {len(board.die_limits)} dies, one has {short}" if short else ""


def _result(solver: Solver, board: Board, graph: HwGraph) -> tuple[FoldingResult, Cut]:
    """``graph``, cut into a kernel a die where it has to be, with its cost; and the cut."""
    cycles = max(graph.cycles, solver.border_cycles)
    stitched, dies = planned(graph, *board.rooms), list(board.die_limits.values())
    cut = best_cut(graph, stitched, solver.edge.resources, dies) if dies else Cut()
    if cut.tensors:
        graph = with_cuts(graph, cut.tensors)
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
    return result, cut
