"""What the report says of a graph."""

from __future__ import annotations

from bvit_hw.freeze import random_frozen
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.report import fifo_memory
from bvit_hw.targets.xcup import TARGET as XCUP
from tests.frozen_factory import CONFIGS


def test_fifos_are_told_by_their_memory() -> None:
    glued = add_glue(hw_graph_of(random_frozen(CONFIGS["plain"], seed=3)).on(XCUP))
    names = sorted((n.name for n in glued.fifos), key=lambda name: -glued.node(name).op.inputs[0].width)
    depths = dict.fromkeys(names, 2) | {names[0]: 33, names[1]: 4000, names[2]: 4000}
    sized = with_depths(glued, depths)
    one = place_fifos(sized, sized.resources() + Resources(uram=1))
    graph = place_fifos(one, one.resources() + Resources(bram18=100))
    told = {memory.kind: memory for memory in fifo_memory(graph, {})}
    assert {kind: memory.fifos for kind, memory in told.items()} == {
        "registers": len(names) - 3, "LUT RAM": 1, "block RAM": 1, "UltraRAM": 1,
    }  # fmt: skip
    widths = {name: glued.node(name).op.inputs[0].width for name in names}
    assert told["LUT RAM"].bits == 33 * widths[names[0]]
    assert sum(memory.bits for memory in told.values()) == sum(depths[name] * widths[name] for name in names)
    assert (told["UltraRAM"].resource, told["UltraRAM"].model, told["UltraRAM"].synthesized) == ("uram", 1, None)
    assert told["block RAM"].model == graph.resources().bram18 - glued.resources().bram18
    counted = {name: {"ff": 1.0, "lut": 2.0, "bram18": 3.0, "uram": 4.0} for name in names}
    found = {memory.kind: memory.synthesized for memory in fifo_memory(graph, counted)}
    assert found == {"registers": len(names) - 3.0, "LUT RAM": 2.0, "block RAM": 3.0, "UltraRAM": 4.0}
    assert "UltraRAM" not in {memory.kind for memory in fifo_memory(sized, {})}
