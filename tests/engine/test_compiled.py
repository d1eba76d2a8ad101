"""What a compiled network says of pictures and logits is what its programme has."""

from __future__ import annotations

import numpy as np
import pytest

from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.freeze import random_frozen
from bvit_hw.models.presets import preset


@pytest.mark.parametrize("name", ["tiny-digits", "cifar10", "fashion-mnist"])
def test_pictures_and_logits(name: str) -> None:
    config, network = EngineConfig(values=8192), preset(name)
    compiled = compile_network(random_frozen(name), config, fused=True)
    programme, facts = compiled.programme, compiled.facts
    assert compiled.picture == (network.image_size, network.image_size, network.in_channels)
    assert facts["picture"] == list(compiled.picture) and facts["logits"] == network.classes
    h, w = compiled.window
    strips = compiled.first.layout
    assert (strips.rows * h, strips.lanes * strips.strip * w) == compiled.picture[:2]
    image = np.random.default_rng(1).integers(0, 256, compiled.picture, dtype=np.uint8)
    frame = compiled.frame(image)
    assert len(frame) == programme.input_bytes
    # each pixel's value is there, as often as in the picture; what fills up groups is 0
    counts = np.bincount(np.frombuffer(frame, np.uint8), minlength=256)
    assert np.array_equal(counts[1:], np.bincount(image.ravel(), minlength=256)[1:])
    logits = compiled.logits(np.zeros(programme.output_bytes, np.uint8))
    assert logits.shape == (network.classes,) and not logits.any()
