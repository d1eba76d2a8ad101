"""The packed executor against frozen PyTorch: the same integers from code that shares nothing with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bvit_hw.contract import FrozenGraph
from bvit_hw.errors import ConfigError, FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.execute.packed import PackedBinaryViT
from bvit_hw.execute.packed.executor import pack_bits, unpack_bits
from bvit_hw.freeze import random_frozen
from bvit_hw.models import BinaryViTConfig
from tests.frozen_factory import CONFIGS, random_pixels


def differences(graph: FrozenGraph, images: np.ndarray) -> list[str]:
    """Named tensors in which the two executions differ, in order."""
    want = FrozenBinaryViT(graph).trace(torch.from_numpy(images))
    got = PackedBinaryViT(graph).trace(images)
    assert list(got) == list(want)
    return [name for name in want if not np.array_equal(got[name], want[name].numpy())]


@pytest.mark.parametrize("name", CONFIGS)
def test_equal_at_every_named_tensor(name: str) -> None:
    images = random_pixels(CONFIGS[name], 5, seed=3)
    images[0], images[1] = 0, 255
    assert differences(random_frozen(CONFIGS[name], seed=2), images) == []


@settings(max_examples=15, deadline=None)
@given(
    side=st.integers(1, 7),
    head_size=st.integers(1, 5).map(lambda n: 2 * n),
    heads=st.integers(1, 3),
    ratio=st.sampled_from([1, 2, 3, 8]),
    classes=st.integers(2, 17),
    count=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_equal_for_any_widths(
    side: int, head_size: int, heads: int, ratio: int, classes: int, count: int, seed: int
) -> None:
    """Channels that are no multiple of 64, rows that are no multiple of four, one key or many."""
    channels = heads * head_size
    config = BinaryViTConfig.create(
        image_size=4 * side, channels=(channels,), depths=(1,), heads=(heads,), mlp_widths=(ratio * channels,),
        reductions=(side if seed % 2 else 1,), classes=classes,
    )  # fmt: skip
    assert differences(random_frozen(config, seed), random_pixels(config, count, seed)) == []


def test_wide_heads_reach_over_words() -> None:
    config = BinaryViTConfig.create(
        image_size=36, channels=(210,), depths=(1,), heads=(3,), mlp_widths=(210,), reductions=(1,), classes=3
    )
    assert differences(random_frozen(config, 5), random_pixels(config, 2)) == []


def test_logits_and_labels_do_not_depend_on_the_batch() -> None:
    config = CONFIGS["pyramid"]
    packed, images = PackedBinaryViT(random_frozen(config, seed=4)), random_pixels(config, 7)
    together = packed.logits(images, batch_size=7)
    assert np.array_equal(together, packed.logits(images, batch_size=2))
    assert np.array_equal(packed.predict(images), together.argmax(axis=1))
    assert packed.logits(images[:0]).shape == (0, config.classes)


def test_a_changed_weight_is_seen() -> None:
    """One sign turned over in one weight of a matrix: that tensor is the first to differ, and by 2 wherever it does."""
    graph, images = random_frozen(CONFIGS["plain"], seed=4), random_pixels(CONFIGS["plain"], 2)
    index = next(i for i, node in enumerate(graph.nodes) if node.op == "BinaryLinear")
    weights = graph.nodes[index].params["weights"].copy()
    weights[1, 2] *= -1
    nodes = list(graph.nodes)
    nodes[index] = dataclasses.replace(nodes[index], params={"weights": weights})
    changed = PackedBinaryViT(dataclasses.replace(graph, nodes=tuple(nodes))).trace(images)
    before = PackedBinaryViT(graph).trace(images)
    name = graph.nodes[index].output
    assert next(n for n in before if not np.array_equal(before[n], changed[n])) == name
    assert set(np.unique(np.abs(changed[name] - before[name])[..., 1])) == {2}


@given(st.integers(1, 200), st.integers(0, 100))
def test_packing_round_trip(channels: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (3, channels), dtype=np.uint8)
    words = pack_bits(bits)
    assert np.array_equal(unpack_bits(words, channels), bits)
    assert int(words[0, 0]) & 1 == bits[0, 0]


def test_wrong_images_and_operations_are_refused() -> None:
    graph = random_frozen(CONFIGS["plain"], seed=1)
    with pytest.raises(ConfigError, match=r"float64 of shape \(1, 12, 12, 3\) given; expected uint8"):
        PackedBinaryViT(graph).logits(np.zeros((1, 12, 12, 3)))
    nodes = (dataclasses.replace(graph.nodes[0], op="Sort"), *graph.nodes[1:])
    with pytest.raises(FreezeError, match="'Sort' is not in the integer contract"):
        PackedBinaryViT(dataclasses.replace(graph, nodes=nodes))
