"""A small accelerator's files as the step ``package`` lays them out, for tests of what is generated around it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bvit_hw.boards import Board
from bvit_hw.codegen.design import design
from bvit_hw.codegen.engine_top import engine_sources, engine_top
from bvit_hw.engine.config import EngineConfig
from bvit_hw.flows.vivado import IpContents, kernel_folder
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.border import border_of
from bvit_hw.graph.dies import with_cuts
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.rtl_library import source_paths
from tests.frozen_factory import CONFIGS

TOP = "bvit_accelerator"
MODEL_HASH = "ab" * 32


def write_kernels(folder: Path, board: Board, cut: Sequence[str] = ()) -> list[IpContents]:
    """Write sources and memories of a random tiny network, unfolded, into ``folder``; nothing of a vendor's.

    It is one kernel, or one more for each tensor at which it is ``cut``.
    """
    config = CONFIGS["pyramid"]
    graph = run_passes(hw_graph_of(random_frozen(config, seed=1)), board_passes(board))
    graph = with_cuts(graph, cut)
    border = border_of(graph, board.limits.bram18)
    size = config.image_size
    made = design(
        planned(graph, *board.rooms),
        name=TOP,
        model_hash=MODEL_HASH,
        image=(size, size, config.in_channels),
        border=border,
        logits_exponent=-4,
    )
    contents = [
        IpContents(
            top=kernel.module, sources=sources, model_hash=MODEL_HASH, streams=kernel.streams,
            frame_bytes=border.frame_bytes, classes=border.classes,
        )
        for kernel, sources in zip(made.kernels, made.sources.values(), strict=True)
    ]  # fmt: skip
    for ip, core, kernel in zip(contents, made.cores, made.kernels, strict=True):
        target = kernel_folder(folder, contents, ip) / "ip"
        core.write(target, target / "mem")
        kernel.write(target)
        for source in source_paths(kernel.library):
            shutil.copyfile(source, target / source.name)
    return contents


def write_engine(folder: Path, board: Board) -> IpContents:
    """Sources of a single engine, as small as they come, into ``folder``; nothing of a vendor's."""
    assert board.vivado
    config = EngineConfig(tokens=2, rows=8, bits=16, values=256, weights=16, params=16, steps=16, taps=16)
    ip = folder / "ip"
    ip.mkdir(parents=True)
    for source in source_paths(engine_sources()):
        shutil.copyfile(source, ip / source.name)
    (ip / f"{TOP}.v").write_text(engine_top(config, name=TOP, memory_bits=board.vivado.address_bits))
    files = (*engine_sources(), f"{TOP}.v")
    return IpContents(top=TOP, sources=files, model_hash="", streams={}, master_bits=config.port)


def write_accelerator(folder: Path, board: Board) -> IpContents:
    """As :func:`write_kernels`, in one kernel."""
    (contents,) = write_kernels(folder, board)
    return contents
