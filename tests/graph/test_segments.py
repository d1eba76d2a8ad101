"""Parts of a stitched graph: together they are the whole, and nothing but one stream goes from one to the next."""

from __future__ import annotations

from functools import cache

import numpy as np

from bvit_hw.codegen.stitch import stitch
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.segments import LEAST_NODES, segments
from bvit_hw.graph.stitch_plan import add_glue
from tests.frozen_factory import CONFIGS, random_pixels


@cache
def glued() -> HwGraph:
    return add_glue(hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=6)))


def test_every_operator_is_in_one_part_in_order() -> None:
    parts = segments(glued())
    assert len(parts) > 4
    assert [part.names[node.name] for part in parts for node in part.graph.nodes] == [n.name for n in glued().nodes]
    assert all(len(part.graph.nodes) >= LEAST_NODES for part in parts)
    for part in parts:
        part.graph.check(stitched=True)
        assert part.graph.fifos
    assert len(segments(glued(), least=len(glued().nodes))) == 1


def test_parts_one_after_the_other_compute_what_the_whole_does() -> None:
    image = random_pixels(CONFIGS["pyramid"], 1, seed=2)[0]
    wanted = glued().execute(image.reshape(1, -1))
    stream = image.reshape(1, -1)
    for part in segments(glued()):
        found = part.graph.execute(stream)
        for tensor, values in found.items():
            assert np.array_equal(values.reshape(-1), wanted[part.names[tensor]].reshape(-1)), part.names[tensor]
        stream = found[part.graph.output]
    assert np.array_equal(stream.reshape(-1), wanted[glued().output].reshape(-1))


def test_the_text_of_a_part_does_not_know_its_place() -> None:
    """Blocks of equal operators are compiled once."""
    part = segments(glued())[1]
    text = stitch(part.graph).text
    assert not any(name in text for name in part.names.values() if "." in name)
