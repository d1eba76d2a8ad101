"""Folding, solved: the largest frame rate under a board's budget, or the least area at a rate asked for.

At a given number of cycles a frame, T, an operator may use any of its foldings that take at most T. Whether all fit
the budgets at once is an integer programme, and so is the cheapest choice (HiGHS, through SciPy). T is found by
bisection over the cycle counts that occur, with operators of equal shape counted together; the last step chooses for
each operator by itself and counts in FIFOs and width converters, so that neighbours get equal lanes where that pays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial

import numpy as np

from bvit_hw.boards import Board
from bvit_hw.errors import FoldingError
from bvit_hw.lower.border import OUTPUT_LANES, Border, border_of, values_of
from bvit_hw.lower.glue import duplicate_op, link_costs
from bvit_hw.lower.graph import HwGraph, HwNode
from bvit_hw.lower.insert_fifos import UNBUFFERED
from bvit_hw.lower.lag import held_fractions
from bvit_hw.lower.programme import Programme
from bvit_hw.lower.stitch_plan import SELF_BUFFERED, planned
from bvit_hw.ops.base import HwOp, Resources, Stream
from bvit_hw.ops.registry import GLUE

#: how often a solution that exceeds a limit with its real glue is solved again
_TIGHTENINGS = 6

log = logging.getLogger(__name__)

KINDS = tuple(f.name for f in fields(Resources))


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


@dataclass(frozen=True)
class _Choice:
    op: HwOp
    cycles: int
    cost: tuple[float, ...]
    lanes: tuple[int, ...]


def _vector(resources: Resources) -> tuple[float, ...]:
    return tuple(float(getattr(resources, kind)) for kind in KINDS)


@cache
def _choices(op: HwOp) -> tuple[_Choice, ...]:
    """Every folding of an operator with its cycles, cost and lanes; only itself for glue."""
    candidates = [op] if op.op_type in GLUE else list(op.foldings())
    if not candidates:
        raise FoldingError(f"{op.op_type}: has no legal folding")
    return tuple(
        _Choice(c, c.cycles, _vector(c.resources()), tuple(s.lanes for s in (*c.inputs, *c.outputs)))
        for c in candidates
    )


def _pareto(choices: Sequence[_Choice], *, by_lanes: bool) -> list[_Choice]:
    """Choices that no other one beats in every resource (among those of equal lanes, if ``by_lanes``)."""
    kept: list[_Choice] = []
    for c in sorted(choices, key=lambda c: (c.cost, c.cycles)):
        rivals = (k for k in kept if not by_lanes or k.lanes == c.lanes)
        if not any(all(a <= b for a, b in zip(k.cost, c.cost, strict=True)) for k in rivals):
            kept.append(c)
    return kept


def _weights(limits: tuple[float, ...]) -> np.ndarray:
    """Price of one unit of each resource: a part of the budget, a tenth of it for all but LUTs.

    It is full LUTs that make a design hard to route; blocks within their budget are there to be used, and flip-flops
    lie beside the LUTs.
    """
    return np.array(
        [(1.0 if kind == "lut" else 0.1) / max(limit, 1.0) for kind, limit in zip(KINDS, limits, strict=True)]
    )


def _budget_rows(programme: Programme, costs: Mapping[int, tuple[float, ...]], limits: tuple[float, ...]) -> None:
    for kind, limit in enumerate(limits):
        terms = [(column, cost[kind]) for column, cost in costs.items() if cost[kind]]
        if terms:
            programme.row(terms, -np.inf, limit)


class _Solver:
    """The programmes for one graph and one set of limits."""

    def __init__(self, graph: HwGraph, limits: Resources) -> None:
        self.graph = graph
        self.edge = border_of(graph, limits.bram18)
        self.border_links = _border_links(graph, self.edge)
        least = [np.min(list(costs.values()), axis=0) for costs in self.border_links.values()]
        self.border = tuple((np.array(_vector(self.edge.resources)) + sum(least)).tolist())
        self.limits = tuple(limit - part for limit, part in zip(_vector(limits), self.border, strict=True))
        self.weights = _weights(self.limits)
        self.held = held_fractions(graph)
        self.consumers = graph.consumers()
        self.shapes: dict[HwOp, int] = {}
        for node in graph.nodes:
            self.shapes[node.op] = self.shapes.get(node.op, 0) + 1
        ends = ((graph.input, self.edge.input_lanes), (graph.output, OUTPUT_LANES))
        self.border_cycles = max(-(-values_of(graph, tensor) // lanes) for tensor, lanes in ends)
        fastest = max(min(c.cycles for c in _choices(op)) for op in self.shapes)
        #: no folding is faster than this
        self.slowest_fastest = max(fastest, self.border_cycles)

    def candidates(self) -> list[int]:
        """All cycle counts worth asking for, ascending."""
        counts = {c.cycles for op in self.shapes for c in _choices(op)}
        return sorted({self.slowest_fastest, *(count for count in counts if count >= self.slowest_fastest)})

    def coarse(self, cycles: int) -> dict[HwOp, list[tuple[_Choice, int]]] | None:
        """Cheapest numbers of each choice for each shape at ``cycles``, width converters left out; None: none fits."""
        programme, columns, _ = self._coarse_programme(cycles, self.limits)
        values = programme.solve(gap=1e-3, seconds=20)
        if values is None:
            return None
        return {op: [(c, round(values[column])) for c, column in pairs] for op, pairs in columns.items()}

    def least(self, cycles: int, kind: int, limits: tuple[float, ...]) -> float | None:
        """The least of one resource with which the graph fits ``limits`` at ``cycles``; None where it does not."""
        programme, _, costs = self._coarse_programme(cycles, limits)
        programme.cost = [costs[column][kind] for column in range(len(programme.cost))]
        values = programme.solve(gap=1e-3, seconds=20)
        return None if values is None else float(np.dot(programme.cost, values))

    def _coarse_programme(
        self, cycles: int, limits: tuple[float, ...]
    ) -> tuple[Programme, dict[HwOp, list[tuple[_Choice, int]]], dict[int, tuple[float, ...]]]:
        """Programme, columns of the choices for each shape, and costs of all columns."""
        programme = Programme()
        costs: dict[int, tuple[float, ...]] = {}
        columns: dict[HwOp, list[tuple[_Choice, int]]] = {}
        for op, count in self.shapes.items():
            choices = _pareto([c for c in _choices(op) if c.cycles <= cycles], by_lanes=False)
            columns[op] = []
            for choice in choices:
                column = programme.variable(float(self.weights @ choice.cost), count, integer=True)
                costs[column] = choice.cost
                columns[op].append((choice, column))
            programme.row([(column, 1.0) for _, column in columns[op]], count, count)
        for node in self.graph.nodes:
            for port, tensor in enumerate(node.outputs):
                # One lane is the least that a stream can cost.
                for reader, reader_port in self.consumers.get(tensor, []):
                    stream = replace(node.op.outputs[port], lanes=1)
                    variants = link_costs(
                        stream, 1, self.held[tensor, reader.name, reader_port], buffered=_buffered(reader)
                    )
                    programme.row([(self._column(programme, costs, v), 1.0) for v in variants], 1, 1)
        _budget_rows(programme, costs, limits)
        return programme, columns, costs

    def short_of(self, cycles: int) -> list[str]:
        """Resources of which more alone would make it fit, with the budget and what they would have to be."""
        found = []
        for kind, limit in enumerate(self.limits):
            relaxed = list(self.limits)
            relaxed[kind] = np.inf
            needed = self.least(cycles, kind, tuple(relaxed))
            if needed is not None:
                border = self.border[kind]
                found.append(f"{KINDS[kind]} (budget {limit + border:.0f}, needed {needed + border:.0f})")
        return found

    def _column(self, programme: Programme, costs: dict[int, tuple[float, ...]], resources: Resources) -> int:
        """A continuous variable from 0 to 1 that costs ``resources``."""
        cost = _vector(resources)
        column = programme.variable(float(self.weights @ cost), 1, integer=False)
        costs[column] = cost
        return column

    def fit(self, cycles: int, board: Board) -> FoldingResult | None:
        """The cheapest folding at ``cycles`` whose stitched graph is within the limits; None where there is none.

        The programme's glue is a little off (FIFOs are split between memories), so where the stitched graph exceeds a
        limit, it is solved again with less and less.
        """
        limits = self.limits
        for attempt in range(1, _TIGHTENINGS + 1):
            chosen = self.fine(cycles, limits)
            if chosen is None:
                return None
            result = _result(self, board, chosen)
            excess = np.array(_vector(result.resources)) - np.array(_vector(board.limits))
            if np.all(excess <= 0):
                return result
            over = np.where(excess > 0, np.maximum(excess, 5e-4 * np.array(limits)), 0)
            limits = tuple(np.array(limits) - attempt * over)
        return None

    def fine(self, cycles: int, limits: tuple[float, ...]) -> dict[str, HwOp] | None:
        """Cheapest folding of every operator at ``cycles``, glue counted in; None where nothing fits."""
        programme = Programme()
        costs: dict[int, tuple[float, ...]] = {}
        columns: dict[str, list[tuple[_Choice, int]]] = {}
        for node in self.graph.nodes:
            choices = _pareto([c for c in _choices(node.op) if c.cycles <= cycles], by_lanes=True)
            columns[node.name] = []
            links = self.border_links.get(node.name, {})
            least = np.min(list(links.values()), axis=0) if links else 0.0
            for choice in choices:
                # The least that a link to the border can cost is taken off the limits already.
                cost = np.array(choice.cost) + (np.array(links[choice.lanes]) - least if links else 0.0)
                column = programme.variable(float(self.weights @ cost), 1, integer=True)
                costs[column] = tuple(cost.tolist())
                columns[node.name].append((choice, column))
            programme.row([(column, 1.0) for _, column in columns[node.name]], 1, 1)
        for node in self.graph.nodes:
            for port, tensor in enumerate(node.outputs):
                readers = self.consumers.get(tensor, [])
                index = len(node.op.inputs) + port
                ours = _by_lanes(columns[node.name], index)
                for reader, reader_port in readers:
                    theirs = _by_lanes(columns[reader.name], reader_port)
                    held = self.held[tensor, reader.name, reader_port]
                    link = partial(link_costs, held=held, buffered=_buffered(reader))
                    self._link(programme, costs, node.op.outputs[port], ours, theirs, link, len(readers))
        _budget_rows(programme, costs, limits)
        values = programme.solve(gap=2e-3, seconds=40)
        if values is None:
            return None
        return {name: max(pairs, key=lambda pair: values[pair[1]])[0].op for name, pairs in columns.items()}

    def _link(
        self,
        programme: Programme,
        costs: dict[int, tuple[float, ...]],
        stream: Stream,
        ours: Mapping[int, list[int]],
        theirs: Mapping[int, list[int]],
        link: Callable[[Stream, int], tuple[Resources, ...]],
        copies: int,
    ) -> None:
        """Variables for one stream, one for each pair of lanes: a transport problem between two operators."""
        pairs: dict[tuple[int, int], list[int]] = {}
        for a in ours:
            source = replace(stream, lanes=a)
            fork = duplicate_op(source, copies).resources() if copies > 1 else Resources()
            share = Resources(lut=fork.lut / copies, ff=fork.ff / copies)
            for b in theirs:
                pairs[a, b] = [self._column(programme, costs, cost + share) for cost in link(source, b)]
        for a, columns in ours.items():
            terms = [(c, 1.0) for b in theirs for c in pairs[a, b]]
            programme.row(terms + [(c, -1.0) for c in columns], 0, 0)
        for b, columns in theirs.items():
            terms = [(c, 1.0) for a in ours for c in pairs[a, b]]
            programme.row(terms + [(c, -1.0) for c in columns], 0, 0)


def _buffered(reader: HwNode) -> bool:
    return reader.op.op_type not in (*UNBUFFERED, *SELF_BUFFERED)


def _border_links(graph: HwGraph, border: Border) -> dict[str, dict[tuple[int, ...], tuple[float, ...]]]:
    """What the streams at the accelerator's border cost: by operator and by the lanes of all its streams."""
    found: dict[str, dict[tuple[int, ...], tuple[float, ...]]] = {}
    for edge in graph.edges():
        node = edge.sink if edge.source is None else edge.source if edge.sink is None else None
        if node is None:
            continue
        index = edge.sink_port if edge.source is None else len(node.op.inputs) + edge.source_port
        costs = found.setdefault(node.name, {})
        for lanes in {choice.lanes for choice in _choices(node.op)}:
            if edge.source is None:
                stream = edge.sink_stream
                values = stream.tokens * stream.channels
                wide = Stream(
                    tokens=1, channels=values, lanes=border.input_lanes, bits=stream.bits, signed=stream.signed
                )
                link = link_costs(wide, lanes[index], 0.0)[0]
            else:
                link = link_costs(replace(edge.source_stream, lanes=lanes[index]), OUTPUT_LANES, 0.0)[0]
            before = costs.get(lanes, (0.0,) * len(KINDS))
            costs[lanes] = tuple(a + b for a, b in zip(before, _vector(link), strict=True))
    return found


def _by_lanes(pairs: Sequence[tuple[_Choice, int]], index: int) -> dict[int, list[int]]:
    lanes: dict[int, list[int]] = {}
    for choice, column in pairs:
        lanes.setdefault(choice.lanes[index], []).append(column)
    return lanes


def _least(graph: HwGraph, limits: Resources) -> None:
    """Raise FoldingError where one resource alone is too small at every folding."""
    border = border_of(graph, limits.bram18).resources
    for kind in KINDS:
        limit = getattr(limits, kind)
        need = {n.name: min(getattr(c.op.resources(), kind) for c in _choices(n.op)) for n in graph.nodes}
        need["the accelerator's border"] = getattr(border, kind)
        total = sum(need.values())
        if total > limit:
            worst = sorted(need, key=lambda name: -need[name])[:3]
            most = ", ".join(f"{name} {need[name]:.0f}" for name in worst)
            raise FoldingError(
                f"{graph.name}: needs at least {total:.0f} {kind} at any folding, the budget is {limit:.0f}; "
                f"most of it: {most}"
            )


def _limited_by(solver: _Solver, cycles: int, resources: Resources, limits: Resources) -> str:
    if cycles == solver.border_cycles:
        return f"the accelerator's streams, which take {cycles} cycles for a frame's pixels and logits"
    if cycles == solver.slowest_fastest:
        name = next(n.name for n in solver.graph.nodes if min(c.cycles for c in _choices(n.op)) == cycles)
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
    solver = _Solver(graph, limits)
    candidates = solver.candidates()
    if target_fps is None:
        found = _first_fitting(solver, board, candidates[_bisect(solver, candidates) :])
        return _with_shortage(solver, found, candidates)
    allowed = int(board.cycles_at(target_fps))
    if allowed >= solver.slowest_fastest and solver.coarse(allowed) is not None:
        result = solver.fit(allowed, board)
        if result is not None:
            return result
    best = fold(graph, board)
    raise FoldingError(
        f"{graph.name}: {target_fps:g} frames a second at {board.clock_mhz:g} MHz leave {allowed} cycles a frame; the "
        f"best on {board.name} is {best.cycles} cycles, {board.clock_mhz * 1e6 / best.cycles:.0f} frames a second, "
        f"limited by {best.limited_by}"
    )


def _with_shortage(solver: _Solver, found: FoldingResult, candidates: Sequence[int]) -> FoldingResult:
    """``found`` with what the next faster folding lacks, where that is one resource alone."""
    if found.cycles in (solver.border_cycles, solver.slowest_fastest):
        return found
    faster = max((cycles for cycles in candidates if cycles < found.cycles), default=None)
    short = solver.short_of(faster) if faster is not None else []
    return replace(found, limited_by=f"{', '.join(short)} for {faster} cycles") if short else found


def require_fit(graph: HwGraph, board: Board) -> None:
    """Raise FoldingError where ``graph`` exceeds the board's budget at every folding; quick, glue hardly counted."""
    _least(graph, board.limits)
    solver = _Solver(graph, board.limits)
    _require_slowest(solver, solver.candidates()[-1])


def _require_slowest(solver: _Solver, cycles: int) -> None:
    if solver.coarse(cycles) is None:
        short = solver.short_of(cycles)
        raise FoldingError(
            f"{solver.graph.name}: does not fit the budget even at {cycles} cycles a frame, when every "
            f"operator is folded as far as it goes; too small: {', '.join(short) or 'several resources together'}"
        )


def _bisect(solver: _Solver, candidates: Sequence[int]) -> int:
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


def _first_fitting(solver: _Solver, board: Board, candidates: Sequence[int]) -> FoldingResult:
    """The first of ``candidates`` whose folding fits with glue; steps grow, then the last one is narrowed again."""
    low, step, index = -1, 1, 0
    best = solver.fit(candidates[index], board)
    while best is None:
        low = index
        if index == len(candidates) - 1:
            raise FoldingError(
                f"{solver.graph.name}: does not fit the budget of {board.name} with its FIFOs and width converters"
            )
        index = min(index + step, len(candidates) - 1)
        step *= 2
        best = solver.fit(candidates[index], board)
    while index - low > 1:
        middle = (low + index) // 2
        result = solver.fit(candidates[middle], board)
        if result is None:
            low = middle
        else:
            index, best = middle, result
    return best


def _result(solver: _Solver, board: Board, chosen: Mapping[str, HwOp]) -> FoldingResult:
    graph = solver.graph.with_ops(chosen)
    cycles = max(graph.cycles, solver.border_cycles)
    resources = planned(graph, board.limits.bram18).resources() + solver.edge.resources
    result = FoldingResult(
        graph=graph,
        cycles=cycles,
        resources=resources,
        limits=board.limits,
        limited_by=_limited_by(solver, cycles, resources, board.limits),
    )
    log.info(
        "folded %s: %d cycles a frame, %.0f LUT, %.0f BRAM18, %.0f DSP",
        graph.name, result.cycles, resources.lut, resources.bram18, resources.dsp,
    )  # fmt: skip
    return result
