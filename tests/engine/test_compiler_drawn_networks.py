"""Networks and engines that are drawn: what fits gives the contract's tensors, and what does not is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bvit_hw.boards import load_board
from bvit_hw.contract.reference import Reference
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import CHANNELS, EngineConfig
from bvit_hw.errors import LimitError
from bvit_hw.freeze import random_images
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models import BinaryViTConfig
from bvit_hw.models.presets import preset
from tests.engine.compiled import carry_out


def drawn_network(draw: random.Random) -> BinaryViTConfig:
    """Any depth, width, heads, windows and variant, on a grid of at most 12 x 12 tokens."""
    stages = draw.choice([1, 1, 2, 3])
    base = draw.randint(1, 12 >> stages - 1) << stages - 1
    channels = [draw.choice([2, 3, 5, 6, 8, 12, 16, 20, 24, 40])]
    for _ in range(1, stages):
        channels.append(channels[-1] * draw.randint(1, 3))
    sides = [base >> stage for stage in range(stages)]
    patch = draw.choice([2, 3, 4])
    token = stages == 1 and draw.random() < 0.3
    sizes: dict[str, Any] = {
        "image_size": base * patch, "patch_size": patch, "channels": channels,
        "classes": draw.choice([1, 2, 10, 17, 100]),
        "heads": [draw.choice([d for d in range(1, 9) if c % d == 0 and c // d <= 64]) for c in channels],
        "depths": [draw.randint(1, 2) for _ in channels], "mlp_widths": [c * draw.randint(1, 5) for c in channels],
        "reductions": [1 if token else draw.choice([d for d in range(1, s + 1) if s % d == 0]) for s in sides],
        "class_token": token, "pool_branches": not token and draw.random() < 0.7, "affine": draw.random() < 0.7,
        "full_precision_merges": draw.random() < 0.3, "stem_norm": draw.random() < 0.6,
        "act_bits": draw.choice([4, 6, 8, 9]), "residual_bits": draw.choice([8, 9, 11]),
        "weight_bits": draw.choice([3, 4, 8]),
    }  # fmt: skip
    return BinaryViTConfig.create(**sizes)


def drawn_engine(draw: random.Random) -> EngineConfig:
    """Few or many lanes, rows and channels; memories that some networks exceed."""
    rows = draw.choice(CHANNELS)
    return EngineConfig(
        tokens=draw.choice([1, 2, 3, 5, 7, 14]), rows=rows, channels=draw.choice([c for c in CHANNELS if c <= rows]),
        bits=draw.choice([1024, 4096]), values=draw.choice([4096, 16384]), weights=draw.choice([256, 1024]),
        params=draw.choice([128, 1024]),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(16))
def test_a_drawn_network_on_a_drawn_engine(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    network, engine, fused = drawn_network(draw), drawn_engine(draw), draw.random() < 0.5
    graph = random_frozen(network)
    try:
        compiled = compile_network(graph, engine, fused=fused)
    except LimitError as error:
        # What is too large for a memory fits when that memory is larger.
        assert "engine: the memory" in str(error)
        engine = EngineConfig(tokens=engine.tokens, rows=engine.rows, channels=engine.channels, bits=8192, values=65536)
        compiled = compile_network(graph, engine, fused=fused)
    found = carry_out(graph, compiled, engine, tmp_path, random_images(network, 1, seed)[0])
    assert found.wrong == [] and np.array_equal(found.logits, found.wanted[graph.output].ravel())


@pytest.mark.slow
@pytest.mark.parametrize("fused", [False, True], ids=["whole", "fused"])
def test_the_papers_network_whole(fused: bool, tmp_path: Path) -> None:
    """224 x 224, all blocks: fused on an engine that a PYNQ-Z2 holds; else on one whose memories no board has."""
    deep = EngineConfig(channels=64, rows=64, values=65536, bits=8192, weights=4096)
    engine = engine_of(load_board("pynq-z2")) if fused else deep
    graph, image = random_frozen("small-224"), random_images(preset("small-224"), 1, 3)[0]
    found = carry_out(graph, compile_network(graph, engine, fused=fused), engine, tmp_path, image)
    assert found.wrong == [] and len(found.given) > (400 if fused else 600)
    wanted = Reference(graph).logits_int(image[None])[0]
    assert np.array_equal(found.logits, wanted) and len(np.unique(wanted)) > 500
