"""The integer programmes of the folding: for a graph, a number of cycles a frame and limits, the cheapest choices.

A coarse one counts operators of equal shape together and lets every stream have one lane; a fine one chooses for each
operator by itself and counts in FIFOs and width converters, so that neighbours get equal lanes where that pays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import chain

import numpy as np

from bvit_hw.graph.border import OUTPUT_LANES, Border, border_of, values_of
from bvit_hw.graph.dies import balanced_places
from bvit_hw.graph.folding_choices import KINDS, Choice, by_lanes_of, choices_of, pareto, unconverted, vector
from bvit_hw.graph.glue import duplicate_op, least_link_costs, link_costs
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.programme import Programme
from bvit_hw.graph.segments import crossings
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.ops.base import HwOp, Intake, Resources, Stream

#: nodes of the search tree at most; the shipped networks are solved at the first one
COARSE_NODES, FINE_NODES, DIES_NODES = 10_000, 2_000, 500
#: how far from the cheapest a fine solution may be; on a die that is nearly full the search for a nearer one is long
FINE_GAP, DIES_GAP = 2e-3, 2e-2
#: part of a die that a coarse solution may fill where there are further dies: width converters are not in it
COMFORTABLE = 0.9
#: pairs of lanes at the two ends of all streams beyond which a fine programme takes minutes, or hours: DeiT has 384
#: and 1,536 channels, which have many divisors. Then foldings that only spare neighbours a converter are left out.
MOST_PAIRS = 60_000


def unit_prices(limits: tuple[float, ...]) -> np.ndarray:
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


@dataclass(frozen=True)
class Part:
    """Operators with what they may take together: all, or those that are to be on one die."""

    names: frozenset[str]
    limits: tuple[float, ...]


class Solver:
    """The programmes for one graph and one set of limits."""

    def __init__(self, graph: HwGraph, limits: Resources) -> None:
        self.graph = graph
        self.edge = border_of(graph, limits.bram18)
        self.border_links = _border_links(graph, self.edge)
        least = [np.min(list(costs.values()), axis=0) for costs in self.border_links.values()]
        self.border = tuple((np.array(vector(self.edge.resources)) + sum(least)).tolist())
        self.limits = tuple(limit - part for limit, part in zip(vector(limits), self.border, strict=True))
        #: whether FIFOs may be in UltraRAM
        self.ultra = limits.uram > 0
        self.weights = unit_prices(self.limits)
        self.held = plan_waiting(graph).own(graph)
        self.consumers = graph.consumers()
        self.shapes: dict[HwOp, int] = {}
        for node in graph.nodes:
            self.shapes[node.op] = self.shapes.get(node.op, 0) + 1
        ends = ((graph.input, self.edge.input_lanes), (graph.output, OUTPUT_LANES))
        self.border_cycles = max(-(-values_of(graph, tensor) // lanes) for tensor, lanes in ends)
        fastest = max(min(c.cycles for c in choices_of(op)) for op in self.shapes)
        #: no folding is faster than this
        self.slowest_fastest = max(fastest, self.border_cycles)

    def candidates(self) -> list[int]:
        """All cycle counts worth asking for, ascending."""
        counts = {c.cycles for op in self.shapes for c in choices_of(op)}
        return sorted({self.slowest_fastest, *(count for count in counts if count >= self.slowest_fastest)})

    def coarse(self, cycles: int) -> dict[HwOp, list[tuple[Choice, int]]] | None:
        """Cheapest numbers of each choice for each shape at ``cycles``, width converters left out; None: none fits."""
        programme, columns, _ = self._coarse_programme(cycles, self.limits)
        values = programme.solve(gap=1e-3, nodes=COARSE_NODES)
        if values is None:
            return None
        return {op: [(c, round(values[column])) for c, column in pairs] for op, pairs in columns.items()}

    def cuts(self, cycles: int, dies: Sequence[Resources]) -> list[list[str]]:
        """Tensors at which the graph may be cut for ``dies``: into few kernels first, then into one for each die.

        None can fit, whatever the foldings, where there is no way. Each kernel is judged as the coarse programme sees
        it, with choices and links in parts, so few kernels have to leave some room.
        """
        at = crossings(self.graph)
        places = [0, *(place for place, tensor in at.items() if tensor != self.graph.input), len(self.graph.nodes)]
        choices = {
            op: pareto([c for c in choices_of(op) if c.cycles <= cycles], by_lanes=False) for op in self.shapes
        }

        @cache
        def fullness(die: int, begin: int, end: int) -> float:
            return self._fullness(choices, self.graph.nodes[begin:end], dies[die], with_border=die == 0)

        few = balanced_places(places, len(dies), fullness, most=COMFORTABLE)
        every = balanced_places(places, len(dies), fullness, least=min(len(dies), len(places) - 1))
        ways = [[at[place] for place in bounds[1:-1]] for bounds in (few, every) if bounds is not None]
        return ways[:1] if ways[:1] == ways[1:] else ways

    def _fullness(
        self, choices: Mapping[HwOp, Sequence[Choice]], nodes: Sequence[HwNode], limits: Resources, *, with_border: bool
    ) -> float:
        """The least part of ``limits`` with which ``nodes`` can do, choices and links in parts."""
        programme, costs = Programme(), dict[int, tuple[float, ...]]()
        full = programme.variable(1.0, np.inf, integer=False)
        for op, count in Counter(node.op for node in nodes).items():
            columns = [programme.variable(0.0, count, integer=False) for _ in choices[op]]
            costs.update(zip(columns, (choice.cost for choice in choices[op]), strict=True))
            programme.row([(column, 1.0) for column in columns], count, count)
        for variants, count in Counter(links for node in nodes for links in self._links_to[node.name]).items():
            columns = [programme.variable(0.0, count, integer=False) for _ in variants]
            costs.update(zip(columns, map(vector, variants), strict=True))
            programme.row([(column, 1.0) for column in columns], count, count)
        around = self.border if with_border else (0.0,) * len(KINDS)
        for kind, (limit, fixed) in enumerate(zip(vector(limits), around, strict=True)):
            terms = [(column, cost[kind]) for column, cost in costs.items() if cost[kind]]
            programme.row([*terms, (full, -limit)], -np.inf, -fixed)
        values = programme.solve(gap=0.0, nodes=1)
        return np.inf if values is None else float(values[full])

    @cached_property
    def _links_to(self) -> dict[str, list[tuple[Resources, ...]]]:
        """What streams to each operator cost at least, by its name."""
        found: dict[str, list[tuple[Resources, ...]]] = {node.name: [] for node in self.graph.nodes}
        for node in self.graph.nodes:
            for port, tensor in enumerate(node.outputs):
                for reader, reader_port in self.consumers.get(tensor, []):
                    found[reader.name].append(
                        least_link_costs(
                            replace(node.op.outputs[port], lanes=1),
                            self.held[tensor, reader.name, reader_port],
                            target=self.graph.target,
                            buffered=_buffered(reader),
                            ultra=self.ultra,
                        )
                    )
        return found

    def least(self, cycles: int, kind: int, limits: tuple[float, ...]) -> float | None:
        """The least of one resource with which the graph fits ``limits`` at ``cycles``; None where it does not."""
        programme, _, costs = self._coarse_programme(cycles, limits)
        programme.cost = [costs[column][kind] for column in range(len(programme.cost))]
        values = programme.solve(gap=1e-3, nodes=COARSE_NODES)
        return None if values is None else float(np.dot(programme.cost, values))

    def _coarse_programme(
        self, cycles: int, limits: tuple[float, ...]
    ) -> tuple[Programme, dict[HwOp, list[tuple[Choice, int]]], dict[int, tuple[float, ...]]]:
        """Programme, columns of the choices for each shape, and costs of all columns."""
        programme = Programme()
        costs: dict[int, tuple[float, ...]] = {}
        columns: dict[HwOp, list[tuple[Choice, int]]] = {}
        for op, count in self.shapes.items():
            choices = pareto([c for c in choices_of(op) if c.cycles <= cycles], by_lanes=False)
            columns[op] = []
            for choice in choices:
                column = programme.variable(float(self.weights @ choice.cost), count, integer=True)
                costs[column] = choice.cost
                columns[op].append((choice, column))
            programme.row([(column, 1.0) for _, column in columns[op]], count, count)
        for variants in chain.from_iterable(self._links_to.values()):
            programme.row([(self._column(programme, costs, v), 1.0) for v in variants], 1, 1)
        _budget_rows(programme, costs, limits)
        return programme, columns, costs

    def short_of(self, cycles: int) -> list[str]:
        """Resources of which more alone would make it fit, with the budget and what they would have to be.

        None where it fits but for what is not counted here, width converters.
        """
        found = []
        for kind, limit in enumerate(self.limits):
            relaxed = list(self.limits)
            relaxed[kind] = np.inf
            needed = self.least(cycles, kind, tuple(relaxed))
            if needed is not None and needed > limit:
                border = self.border[kind]
                found.append(f"{KINDS[kind]} (budget {limit + border:.0f}, needed {needed + border:.0f})")
        return found

    def _column(self, programme: Programme, costs: dict[int, tuple[float, ...]], resources: Resources) -> int:
        """A continuous variable from 0 to 1 that costs ``resources``."""
        cost = vector(resources)
        column = programme.variable(float(self.weights @ cost), 1, integer=False)
        costs[column] = cost
        return column

    def _worthwhile(self, cycles: int) -> dict[HwOp, tuple[Choice, ...]]:
        """Choices of each shape at ``cycles`` for the fine programme: fewer where it would have too many columns."""
        found = {
            op: tuple(pareto([c for c in choices_of(op) if c.cycles <= cycles], by_lanes=True)) for op in self.shapes
        }
        pairs = 0
        for edge in self.graph.edges():
            if edge.source is not None and edge.sink is not None:
                port = len(edge.source.op.inputs) + edge.source_port
                ours = {choice.lanes[port] for choice in found[edge.source.op]}
                theirs = {choice.lanes[edge.sink_port] for choice in found[edge.sink.op]}
                pairs += len(ours) * len(theirs)
        return found if pairs <= MOST_PAIRS else {op: unconverted(choices) for op, choices in found.items()}

    def fine(self, cycles: int, parts: Sequence[Part]) -> dict[str, HwOp] | None:
        """Cheapest folding of every operator at ``cycles``, glue counted in; None where a part does not fit its limits.

        Several parts, each on a die, are solved one after the other, for they share nothing but the streams between
        them: the converter behind one is chosen with the part that reads it.
        """
        worthwhile = self._worthwhile(cycles)
        if len(parts) > 1:
            programmes = (self._fine_programme(part, worthwhile, {})[0] for part in parts)
            if not all(programme.may_fit() for programme in programmes):
                return None
        chosen: dict[str, HwOp] = {}
        for part in parts:
            programme, columns = self._fine_programme(part, worthwhile, chosen)
            gap, nodes = (FINE_GAP, FINE_NODES) if len(parts) == 1 else (DIES_GAP, DIES_NODES)
            values = programme.solve(gap=gap, nodes=nodes)
            if values is None:
                return None
            chosen |= {name: max(pairs, key=lambda pair: values[pair[1]])[0].op for name, pairs in columns.items()}
        return chosen

    def _fine_programme(
        self, part: Part, worthwhile: Mapping[HwOp, Sequence[Choice]], chosen: Mapping[str, HwOp]
    ) -> tuple[Programme, dict[str, list[tuple[Choice, int]]]]:
        """The programme of one part, and the columns of the choices for each of its operators.

        Streams from other parts count where their operators are ``chosen``.
        """
        programme = Programme()
        costs: dict[int, tuple[float, ...]] = {}
        columns: dict[str, list[tuple[Choice, int]]] = {}
        for node in self.graph.nodes:
            if node.name not in part.names:
                continue
            columns[node.name] = []
            links = self.border_links.get(node.name, {})
            least = np.min(list(links.values()), axis=0) if links else 0.0
            for choice in worthwhile[node.op]:
                # The least that a link to the border can cost is taken off the limits already.
                cost = np.array(choice.cost) + (np.array(links[choice.lanes]) - least if links else 0.0)
                column = programme.variable(float(self.weights @ cost), 1, integer=True)
                costs[column] = tuple(cost.tolist())
                columns[node.name].append((choice, column))
            programme.row([(column, 1.0) for _, column in columns[node.name]], 1, 1)
        for node in self.graph.nodes:
            for port, tensor in enumerate(node.outputs):
                readers = self.consumers.get(tensor, [])
                here = [(reader, reader_port) for reader, reader_port in readers if reader.name in columns]
                if node.name in columns:
                    ours = by_lanes_of(columns[node.name], len(node.op.inputs) + port)
                elif node.name in chosen and here:
                    ours = {chosen[node.name].outputs[port].lanes: [self._settled(programme, costs)]}
                else:
                    continue
                for reader, reader_port in here:
                    theirs = by_lanes_of(columns[reader.name], reader_port)
                    link = partial(
                        link_costs,
                        held=self.held[tensor, reader.name, reader_port],
                        target=self.graph.target,
                        buffered=_buffered(reader),
                        ultra=self.ultra,
                    )
                    self._link(programme, costs, node.op.outputs[port], ours, theirs, link, len(readers))
        _budget_rows(programme, costs, part.limits)
        return programme, columns

    def _settled(self, programme: Programme, costs: dict[int, tuple[float, ...]]) -> int:
        """A column of a choice that is made already."""
        column = self._column(programme, costs, Resources())
        programme.row([(column, 1.0)], 1, 1)
        return column

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
            fork = duplicate_op(source, copies, target=self.graph.target).resources() if copies > 1 else Resources()
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
    return reader.op.intake not in (Intake.FLOWS, Intake.STORES)


def _border_links(graph: HwGraph, border: Border) -> dict[str, dict[tuple[int, ...], tuple[float, ...]]]:
    """What the streams at the accelerator's border cost: by operator and by the lanes of all its streams."""
    found: dict[str, dict[tuple[int, ...], tuple[float, ...]]] = {}
    for edge in graph.edges():
        node = edge.sink if edge.source is None else edge.source if edge.sink is None else None
        if node is None:
            continue
        index = edge.sink_port if edge.source is None else len(node.op.inputs) + edge.source_port
        costs = found.setdefault(node.name, {})
        for lanes in {choice.lanes for choice in choices_of(node.op)}:
            if edge.source is None:
                stream = edge.sink_stream
                values = stream.tokens * stream.channels
                wide = Stream(
                    tokens=1, channels=values, lanes=border.input_lanes, bits=stream.bits, signed=stream.signed
                )
                link = link_costs(wide, lanes[index], 0.0, target=graph.target)[0]
            else:
                narrow = replace(edge.source_stream, lanes=lanes[index])
                link = link_costs(narrow, OUTPUT_LANES, 0.0, target=graph.target)[0]
            before = costs.get(lanes, (0.0,) * len(KINDS))
            costs[lanes] = tuple(a + b for a, b in zip(before, vector(link), strict=True))
    return found
