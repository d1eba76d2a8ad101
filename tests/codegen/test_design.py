"""What is generated of an accelerator, in one kernel or several: every file has its place, none is there twice."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bvit_hw.codegen.design import Design, design
from bvit_hw.flows.verilator import lint
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.border import border_of
from bvit_hw.graph.dies import with_cuts
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources
from bvit_hw.rtl_library import source_paths
from tests.frozen_factory import CONFIGS

CUT = ("b0.y", "t1.x")


@cache
def made(*cut: str) -> Design:
    config = CONFIGS["pyramid"]
    graph = planned(with_cuts(hw_graph_of(random_frozen(config, seed=6)), cut), Resources(bram18=224))
    size = (config.image_size, config.image_size, config.in_channels)
    return design(
        graph, name="top", model_hash="ab" * 32, image=size, border=border_of(graph, 224.0), logits_exponent=-3
    )


def test_one_kernel_is_simulated_as_it_is(tmp_path: Path) -> None:
    alone = made()
    assert alone.simulated_top == "top" and not alone.others and len(alone.cores) == 1
    assert alone.write_linked(tmp_path) == []
    assert set(alone.first.streams) == {"s_axis", "m_axis"}
    assert not {"bvit_reset_chain.sv", "bvit_entry_register.sv"} & set(alone.library)


def test_kernels_share_no_memory_and_all_operators_are_in_one() -> None:
    whole, parts = made(), made(*CUT)
    assert [kernel.module for kernel in parts.kernels] == ["top", "top_die1", "top_die2"]
    memories = [name for core in parts.cores for name in core.memories]
    assert sorted(memories) == sorted(set(memories)) == sorted(whole.cores[0].memories)
    assert len({core.module for core in parts.cores}) == 3
    units = [unit for core in parts.cores for unit in re.findall(r"\) (u_(?!check_)\w+) \(", core.text)]
    alone = re.findall(r"\) (u_(?!check_)\w+) \(", whole.cores[0].text)
    glue = re.compile(r"_(fifo|fork|fork\d|width|leaves)$")
    assert sorted(unit for unit in units if not glue.search(unit)) == sorted(u for u in alone if not glue.search(u))
    # The registers on the side that is left; those on the other one are the kernel's own.
    assert {"u_b0_y_leaves", "u_t1_x_leaves"} <= set(units)
    assert not {"u_b0_y_enters", "u_t1_x_enters"} & set(units)


@pytest.mark.sim
def test_the_written_kernels_are_sound_alone_and_connected(tmp_path: Path) -> None:
    parts = made(*CUT)
    parts.write(tmp_path, tmp_path / "mem")
    models = source_paths(parts.cell_models)
    generated = {name for names in parts.sources.values() for name in names} - set(parts.library)
    assert {path.name for path in tmp_path.glob("*.*v")} == generated
    for kernel, names in parts.sources.items():
        files = [tmp_path / n if n in generated else source_paths([n])[0] for n in names]
        assert files[-1].name == f"{kernel}.v"
        lint([*models, *files], kernel)
    sources = [tmp_path / name for name in generated]
    lint([*models, *source_paths(parts.library), *sources, *parts.write_linked(tmp_path)], parts.simulated_top)
