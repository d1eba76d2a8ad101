"""Strips of columns in lanes; tensors are found again where they lie."""

from __future__ import annotations

import numpy as np
import pytest

from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Bits, Layout, Values, strips
from bvit_hw.errors import ConfigError
from bvit_hw.freeze.random_frozen import random_frozen
from tests.other_networks import NETWORKS


def test_seven_lanes_hold_all_stages_of_the_pyramid() -> None:
    """Strips of 8, 4, 2, 1 columns: merges and pools of keys stay within a lane."""
    sizes = dict(NETWORKS["small-224"].sizes) | {"image_size": 224, "patch_size": 4, "reductions": (8, 4, 1, 1)}
    graph = random_frozen(type(NETWORKS["small-224"].config).create(**sizes))
    found = strips(graph, 7)
    assert {grid: (v.strip, v.lanes) for grid, v in found.items() if grid != (1, 1)} == {
        (56, 56): (8, 7), (28, 28): (4, 7), (14, 14): (2, 7), (7, 7): (1, 7),
    }  # fmt: skip


def test_a_small_grid_takes_the_lanes_that_its_windows_leave() -> None:
    found = strips(random_frozen("tiny-digits"), 7)
    assert found[8, 8] == Layout(8, 8, 1) and found[1, 1] == Layout(1, 1, 1)


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_values_and_bits_are_read_from_their_places(extra: bool, signed: bool) -> None:
    layout = Layout(2, 3, 2, extra)
    rng, (lane, slot) = np.random.default_rng(1), layout.places()
    assert len(set(zip(lane, slot, strict=True))) == 12 + extra and layout.slots == 6 + extra
    values, bits = Values(5, layout, 11, 2, signed), Bits(3, layout, 70, 2)
    x = rng.integers(-(1 << 15) if signed else 0, 1 << 15, (len(lane), 11))
    b = rng.integers(0, 2, (len(lane), 70))
    memory, words = np.zeros((64, 2, 8), dtype=np.uint8), np.zeros((64, 2, 64), dtype=np.uint8)
    for token in range(len(lane)):
        for c in range(11):
            for plane in range(2):
                memory[values.at(slot[token], c // 8) + plane, lane[token], c % 8] = x[token, c] >> 8 * plane & 255
        for c in range(70):
            at = bits.octet(slot[token], c)
            words[at // 8, lane[token], at % 8 * 8 + c % 8] = b[token, c]
    assert np.array_equal(values.read(memory), x) and np.array_equal(bits.read(words), b)


@pytest.mark.parametrize(
    ("field", "value"), [("tokens", 65), ("rows", 24), ("channels", 24), ("taps", 100), ("ultra", 2)]
)
def test_an_engine_that_cannot_be_is_refused(field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"engine: {field}={value}"):
        EngineConfig(**{field: value})


@pytest.mark.parametrize(("channels", "port", "allowed"), [(8, 128, "64"), (16, 256, "64, 128")])
def test_words_are_whole_beats(channels: int, port: int, allowed: str) -> None:
    with pytest.raises(ConfigError, match=rf"engine: port={port}; allowed with channels={channels}: {allowed}$"):
        EngineConfig(channels=channels, port=port)
    assert EngineConfig(channels=16, port=128).slices == 2


def test_rows_hold_a_whole_group_of_channels() -> None:
    with pytest.raises(ConfigError, match=r"engine: rows=16; allowed with channels=32: 32, 64"):
        EngineConfig(rows=16, channels=32)
