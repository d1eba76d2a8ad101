"""A frozen network to a programme: lines of tensors in tiles, as high as the engine's memories allow.

``plan`` says what is one command, ``schedule`` in which order tiles are made, ``tasks`` makes commands of them,
``residence`` says when weights and parameters are loaded, ``cycles`` how long that takes. Here the heights of the tiles
are found, and where tensors lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bvit_hw.contract import FrozenGraph
from bvit_hw.engine.commands import Command, Kind, Memory, View
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES, Rules, frame_cycles
from bvit_hw.engine.emitter import Emitter, room_depths
from bvit_hw.engine.layout import Layout, Values, strips
from bvit_hw.engine.plan import plan_network, tensor_layouts
from bvit_hw.engine.residence import Contents
from bvit_hw.engine.rooms import EndlessRoom, PlannedRoom, Room, RoomError, planned
from bvit_hw.engine.tasks import TaskCompiler
from bvit_hw.errors import LoweringError


def compile_network(
    graph: FrozenGraph, config: EngineConfig, *, fused: bool = False, heights: Mapping[int, int] | None = None,
    rules: Rules = RULES,
) -> Compiled:  # fmt: skip
    """The programme of a network for the engine ``config``.

    With ``fused`` products and attention, the affine that reads them, a threshold and a pool behind it are one command;
    what is between them is nowhere in memory. ``heights``: the most lines of a tile, by lines of a grid. Tiles are
    as high as the memories allow, and as is quickest by ``rules``.

    Raises LimitError, naming limit, given and allowed, for a network beyond a memory or a field of the engine.
    """
    grids = strips(graph, config.tokens)
    layouts = set(tensor_layouts(graph, graph.nodes, grids).values())
    tops = {layout: min(layout.lines, (heights or {}).get(layout.lines, layout.lines)) for layout in layouts}
    contents, depths = Contents(), room_depths(config)

    def attempt(tiles: Mapping[Layout, int], *, dry: bool, rooms: Mapping[str, Room]) -> TaskCompiler:
        plan = plan_network(graph, config, grids, tiles, fused)
        return TaskCompiler(graph, Emitter(config, contents, dry=dry, rooms=rooms), plan, tiles)

    def fit(tiles: Mapping[Layout, int]) -> dict[str, list[int]]:
        """Places in the memories for which first fit does not do; _FullError where nothing does."""
        places: dict[str, list[int]] = {}
        while True:
            c = attempt(tiles, dry=True, rooms=_rooms(depths, places))
            try:
                c.run()
                return places
            except RoomError as error:
                name = error.memory
            endless = {name: EndlessRoom(name) for name in depths}
            attempt(tiles, dry=True, rooms=endless).run()
            try:
                places[name] = planned(name, depths[name], endless[name].stays)
            except RoomError as error:
                raise _FullError(error, _cut(c, name, tiles)) from error

    def whole(tiles: Mapping[Layout, int], places: Mapping[str, Sequence[int]]) -> Compiled:
        c = attempt(tiles, dry=False, rooms=_rooms(depths, places))
        c.run()
        return _compiled(c)

    tiles = dict(tops)
    while True:
        try:
            found = whole(tiles, fit(tiles))
            break
        except _FullError as full:
            if full.lower is None:
                raise full.error from None
            tiles[full.lower] = -(-tiles[full.lower] // 2)
    # What was cut may have been the wrong one: each grid's tiles grow again while that fits and is quicker.
    for layout in sorted(tiles, key=lambda layout: (-layout.lines, -layout.slots)):
        while tiles[layout] < tops[layout]:
            higher = {**tiles, layout: min(tops[layout], 2 * tiles[layout])}
            try:
                other = whole(higher, fit(higher))
            except _FullError:
                break
            before, behind = (frame_cycles(config, rules, one.programme.commands) for one in (found, other))
            if behind >= before:
                break
            found, tiles = other, higher
    return found


class _FullError(Exception):
    """A memory is too shallow for these tiles: ``error`` says so; the grid whose tiles may be ``lower``, if any."""

    def __init__(self, error: RoomError, lower: Layout | None) -> None:
        super().__init__(str(error))
        self.error, self.lower = error, lower


def _rooms(depths: Mapping[str, int], places: Mapping[str, Sequence[int]]) -> dict[str, Room]:
    return {name: PlannedRoom(name, depths[name], found) for name, found in places.items()}


def _cut(c: TaskCompiler, memory: str, heights: Mapping[Layout, int]) -> Layout | None:
    """The grid of which most words lie in a memory that is full, and whose tiles may be lower; None: no such grid."""
    words: dict[Layout, int] = {layout: 0 for layout, height in heights.items() if height > 1}
    for (name, _), tile in c.tiles.items():
        layout = c.plan.layouts[name]
        if layout in words and isinstance(tile, Values) == (memory == "values"):
            words[layout] += tile.line * tile.layout.lines
    return max(words, key=lambda layout: (words[layout], layout.slots), default=None)


def _compiled(c: TaskCompiler) -> Compiled:
    e, stem = c.e, c.graph.nodes[0]
    last = c.tiles[c.graph.output, 0]
    if not isinstance(last, Values) or last.layout.slots > 1:
        raise LoweringError(f"engine: {c.graph.output} has {last.layout.slots} tokens; allowed: 1")
    e.add(Command(
        kind=Kind.STORE, operand0=View(last.base), words=last.words, slices=e.config.channels // 8
    ))  # fmt: skip
    patch, layout = c.plan.tensors[stem.output], c.plan.layouts[stem.output]
    first = Values(0, layout, patch.channels, 1, patch.signed, e.config.channels)
    size = first.words * first.layout.lanes * e.config.channels
    programme, found = e.finish(size, last.words * e.config.channels)
    behind = [0, *found.behind]
    peaks = {Memory.BITS: e.bits.peak, Memory.VALUES: e.values.peak, **found.peaks}
    places = tuple(replace(made, behind=behind[made.behind]) for made in c.places)
    tasks = tuple((behind[drafts], name) for drafts, name in c.done)
    window = stem.attrs["window_h"], stem.attrs["window_w"]
    return Compiled(programme, first, window, last, places, tasks, c.schedule.heights, peaks)
