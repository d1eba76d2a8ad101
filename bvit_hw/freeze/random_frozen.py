"""Frozen graphs with random but plausible numbers, for tests and benches that need no trained model."""

from __future__ import annotations

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenTensor
from bvit_hw.contract.fixed_point import FloatArray, RealAffine
from bvit_hw.freeze.builder import build_graph
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.presets import preset

#: ChannelAffine nodes with an RPReLU
_RPRELU = frozenset({"q", "g", "k", "v", "ctx", "o", "f", "z"})


class RandomSource:
    """Draws every number from one generator, so that tensors neither vanish nor saturate all the time."""

    def __init__(self, config: BinaryViTConfig, seed: int) -> None:
        self.config = config
        self.rng = np.random.default_rng(seed)

    def token(self, tensor: str, channels: int) -> FloatArray:
        return self.rng.normal(0.0, 0.3, channels)

    def exponent(self, tensor: str) -> int:
        return int(self.rng.integers(-6, -3)) - (self.config.act_bits - 8)

    def move(self, tensor: str, channels: int) -> FloatArray:
        return self.rng.normal(0.0, 0.3, channels)

    def binary_weights(self, tensor: str, rows: int, cols: int) -> np.ndarray:
        return self.rng.choice(np.array([-1, 1], dtype=np.int8), (rows, cols))

    def int_weights(self, tensor: str, rows: int, cols: int) -> tuple[np.ndarray, int]:
        limit = 2 ** (self.config.weight_bits - 1) - 1
        weights = np.clip(np.rint(self.rng.normal(0.0, limit / 3, (rows, cols))), -limit, limit).astype(np.int32)
        # Values of about +-64 (pixels: half of 255) add up to a sum of order 1.
        return weights, -int(np.log2(64 * limit / 3 * cols**0.5))

    def affine(self, tensor: str, inputs: tuple[FrozenTensor, ...], tokens: int, channels: int) -> RealAffine:
        kind = tensor.rpartition(".")[2]
        merge = tensor.startswith("t") and kind == "x"
        embedded = tensor in ("stem.x", "stem.grid") or merge
        rows = tokens if embedded else 1
        position = self.rng.normal(0.0, 0.3, (rows, channels))
        if len(inputs) == 1 and (kind == "logits" or embedded):
            return RealAffine(factors=(1.0,), bias=position)
        if kind in ("h", "h2") or tensor == "head.f":
            return RealAffine(factors=(self._spread(channels),), bias=position)
        first: float | FloatArray = self._spread(channels)
        if inputs[0].name.endswith("acc") or kind == "ctx":
            # A sum of about 2**(bits - 1) signs has a standard deviation of its square root.
            first = first * 2.0 ** (-(inputs[0].bits - 1) / 2)
        elif self.config.affine:
            first = self._spread(channels) * 0.5
        else:
            first = 1.0
        factors = (first, *(1.0 for _ in inputs[1:]))
        if kind not in _RPRELU and not merge:
            return RealAffine(factors=factors, bias=position)
        slope = self.rng.uniform(-0.2, 1.2, channels)
        bias = self.rng.normal(0.0, 0.3, (1, channels))
        return RealAffine(factors=factors, bias=bias, slope=slope, bias2=position)

    def _spread(self, channels: int) -> FloatArray:
        return self.rng.uniform(0.5, 1.5, channels) * self.rng.choice([-1.0, 1.0, 1.0], channels)

    def pools(self, tensor: str, channels: int) -> tuple[FloatArray, FloatArray]:
        return self.rng.normal(0.0, 0.3, (4, channels)), self.rng.normal(0.0, 0.1, channels)

    def clip(self, tensor: str) -> float:
        stage = self.config.block_stages[int(tensor.partition(".")[0][1:])]
        keys = (self.config.side(stage) // self.config.reductions[stage]) ** 2
        return float(min(2.0 / keys * self.rng.uniform(0.4, 1.2), 1.6))


def random_frozen(
    config: BinaryViTConfig | str = "tiny-digits", seed: int = 0, *, coef_bits: int = 8, slope_bits: int = 8
) -> FrozenGraph:
    """A valid frozen graph of ``config`` (or of the preset so called); the same seed gives the same graph."""
    if isinstance(config, str):
        config = preset(config)
    return build_graph(config, RandomSource(config, seed), coef_bits=coef_bits, slope_bits=slope_bits)


def random_images(config: BinaryViTConfig | str, count: int, seed: int = 0) -> np.ndarray:
    """Random pixels, count x H x W x channels, uint8: smooth blobs with noise rather than noise alone."""
    if isinstance(config, str):
        config = preset(config)
    rng = np.random.default_rng(seed)
    side, cells = config.image_size, 4
    coarse = rng.uniform(0, 255, (count, cells, cells, config.in_channels))
    index = np.arange(side) * cells // side
    images = coarse[:, index][:, :, index] + rng.normal(0, 20, (count, side, side, config.in_channels))
    return np.clip(images, 0, 255).astype(np.uint8)
