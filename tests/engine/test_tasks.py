"""Every kind of node becomes commands, and the networks that are tried have all kinds."""

from __future__ import annotations

from bvit_hw.contract.operators import OPERATORS
from bvit_hw.engine.layout import strips
from bvit_hw.engine.tasks import NODES
from bvit_hw.freeze.random_frozen import random_frozen
from tests.other_networks import NETWORKS


def test_the_networks_have_every_kind_of_node_and_tensors_in_one_and_in_many_lanes() -> None:
    graphs = [random_frozen(each.config) for name, each in NETWORKS.items() if name != "full-width"]
    assert set(NODES) == set(OPERATORS) == {node.op for graph in graphs for node in graph.nodes}
    lanes = {layout.lanes for graph in graphs for layout in strips(graph, 7).values()}
    assert {1, 2, 4, 7} <= lanes
