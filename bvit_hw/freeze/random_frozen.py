"""Frozen graphs with random but plausible numbers, for tests and benches that need no trained model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from bvit_hw.contract import FrozenGraph, FrozenTensor
from bvit_hw.contract.builder import Builder, Numbers, Scale
from bvit_hw.contract.fixed_point import FloatArray, RealAffine
from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.presets import preset


@cache
def _shapes(config: BinaryViTConfig) -> BinaryViT:
    """The network without values, which knows its nodes all the same."""
    with torch.device("meta"):
        return BinaryViT(config)


class RandomNumbers(Numbers):
    """Draws every number from one generator, so that tensors neither vanish nor saturate all the time."""

    def __init__(self, config: BinaryViTConfig, seed: int) -> None:
        self.config = config
        self.rng = np.random.default_rng(seed)

    def token(self, own: Callable[[], FloatArray], channels: int) -> FloatArray:
        return self.rng.normal(0.0, 0.3, channels)

    def exponent(self, scale: Scale) -> int:
        return int(self.rng.integers(-6, -3)) - (self.config.act_bits - 8)

    def move(self, own: Callable[[], FloatArray], channels: int) -> FloatArray:
        return self.rng.normal(0.0, 0.3, channels)

    def binary_weights(self, own: Callable[[], np.ndarray], rows: int, cols: int) -> np.ndarray:
        return self.rng.choice(np.array([-1, 1], dtype=np.int8), (rows, cols))

    def int_weights(
        self, own: Callable[[], tuple[np.ndarray, int]], x: FrozenTensor, rows: int
    ) -> tuple[np.ndarray, int]:
        cols, limit = x.channels, 2 ** (self.config.weight_bits - 1) - 1
        weights = np.clip(np.rint(self.rng.normal(0.0, limit / 3, (rows, cols))), -limit, limit).astype(np.int32)
        # Values of about +-64 (pixels: half of 255) add up to a sum of order 1.
        return weights, -int(np.log2(64 * limit / 3 * cols**0.5))

    def offset(self, own: Callable[[], RealAffine], tokens: int, channels: int) -> RealAffine:
        return RealAffine(factors=(1.0,), bias=self._bias(tokens, channels))

    def norm(self, own: Callable[[], RealAffine], channels: int) -> RealAffine:
        bias = self._bias(1, channels)
        return RealAffine(factors=(self._spread(channels),), bias=bias)

    def rprelu(self, own: Callable[[], RealAffine], inputs: tuple[FrozenTensor, ...], tokens: int) -> RealAffine:
        channels = inputs[0].channels
        bias2 = self._bias(tokens, channels)
        # A sum of about 2**(bits - 1) signs has a standard deviation of its square root.
        first = self._spread(channels) * 2.0 ** (-(inputs[0].bits - 1) / 2)
        slope = self.rng.uniform(-0.2, 1.2, channels)
        factors = (first, *(1.0 for _ in inputs[1:]))
        return RealAffine(factors=factors, bias=self._bias(1, channels), slope=slope, bias2=bias2)

    def residual(self, own: Callable[[], RealAffine], inputs: tuple[FrozenTensor, ...]) -> RealAffine:
        channels = inputs[0].channels
        bias = self._bias(1, channels)
        self._spread(channels)  # nobody's; the numbers that follow stay those of earlier versions
        first = self._spread(channels) * 0.5 if self.config.affine else 1.0
        return RealAffine(factors=(first, *(1.0 for _ in inputs[1:])), bias=bias)

    def _bias(self, tokens: int, channels: int) -> FloatArray:
        return self.rng.normal(0.0, 0.3, (tokens, channels))

    def _spread(self, channels: int) -> FloatArray:
        return self.rng.uniform(0.5, 1.5, channels) * self.rng.choice([-1.0, 1.0, 1.0], channels)

    def pools(self, own: Callable[[], tuple[FloatArray, FloatArray]], channels: int) -> tuple[FloatArray, FloatArray]:
        return self.rng.normal(0.0, 0.3, (4, channels)), self.rng.normal(0.0, 0.1, channels)

    def clip(self, own: Callable[[], float], keys: int) -> float:
        return float(min(2.0 / keys * self.rng.uniform(0.4, 1.2), 1.6))


def random_frozen(
    config: BinaryViTConfig | str = "tiny-digits", seed: int = 0, *, coef_bits: int = 8, slope_bits: int = 8
) -> FrozenGraph:
    """A valid frozen graph of ``config`` (or of the preset so called); the same seed gives the same graph."""
    if isinstance(config, str):
        config = preset(config)
    builder = Builder(RandomNumbers(config, seed), coef_bits=coef_bits, slope_bits=slope_bits)
    return _shapes(config).freeze(builder)


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
