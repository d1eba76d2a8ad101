"""A core whose FIFOs get their depths when a run starts; sim/fuzz compares it with cores of such depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bvit_hw.flows.limited_sim import LimitedSimulator, run_or_stuck
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.tight_fifos import try_depths
from bvit_hw.models.config import BinaryViTConfig

#: with which deep FIFOs are as full as they get
FRAMES = 40


def test_a_real_core_notices_a_beat_less(tmp_path: Path) -> None:
    """The least network with every FIFO far too deep: what is found is as fast, and the RTL's own FIFOs agree."""
    config = BinaryViTConfig.create(
        image_size=2, in_channels=1, patch_size=1, channels=(2,), depths=(1,), heads=(1,), mlp_widths=(2,),
        reductions=(2,), classes=2, pool_branches=False, affine=False, stem_norm=False, mean=(0.1,), std=(0.5,),
    )  # fmt: skip
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    glued = add_glue(hw_graph_of(random_frozen(config, 1)), image=images[0], clock_mhz=150.0)
    assert len([node for node in glued.nodes if node.op.is_die_border]) > 1, "registers that are no FIFOs"
    graph = with_depths(glued, {node.name: 60 for node in glued.fifos})
    simulator = LimitedSimulator(workdir=tmp_path, jobs=1, optimize="-O0")

    def run(limits: Mapping[str, int]) -> CoreRun | None:
        return run_or_stuck(replace(simulator, limits=limits), graph, images, frames=FRAMES, timing_only=True)

    base = run({})
    assert base is not None
    found = try_depths(graph, run, 1000)
    assert len(found) == len(list(graph.fifos))
    noticed = {name: trial for name, trial in found.items() if trial.below}
    assert noticed and len(noticed) < len(found)
    for name, trial in noticed.items():
        as_fast, less = run({name: trial.least}), run({name: trial.least - 1})
        assert as_fast is not None and as_fast.cycles_per_frame <= base.cycles_per_frame
        assert less is None or less.cycles_per_frame > base.cycles_per_frame
        assert (less is None) == (trial.below == "stuck")
