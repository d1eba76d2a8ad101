"""Computing twice in place of waiting: which operators, what it saves, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.recompute_late import LEAST_SAVING, recompute_late
from bvit_hw.graph.waiting import plan_waiting


def test_norms_before_queries_are_computed_twice() -> None:
    """Keys read the first copy, queries the second; all tensors stay, and the copy's equals what it copies."""
    graph = hw_graph_of(random_frozen("cifar10"))
    image = random_images("cifar10", 1)[0]
    late = run_passes(graph, (recompute_late,), image)
    copies = [node for node in late.nodes if node.name.endswith(".late")]
    assert [node.name for node in copies] == ["b0.h.late"]
    values = late.execute(image.reshape(1, -1))
    for copy in copies:
        block = copy.name.partition(".")[0]
        assert np.array_equal(values[f"{block}.h.late"], values[f"{block}.h"])
        early, second = ({node.name for node, _ in late.consumers()[t]} for t in (f"{block}.h", copy.outputs[0]))
        assert early == {f"{block}.r_sum"} and second == {f"{block}.hq", f"{block}.q"}
    before, after = plan_waiting(graph).bits, plan_waiting(late).bits
    assert before - after >= LEAST_SAVING * len(copies)
    assert recompute_late(late).nodes == late.nodes


@pytest.mark.parametrize("name", ["tiny-digits"])
def test_small_networks_stay_as_they_are(name: str) -> None:
    """A copy would cost more than the few thousand bits that it saves."""
    graph = hw_graph_of(random_frozen(name))
    assert recompute_late(graph) is graph
