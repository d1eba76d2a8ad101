"""Freezing: a trained and calibrated BinaryViT becomes a FrozenGraph; floating point ends here."""

from __future__ import annotations

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.builder import Builder
from bvit_hw.errors import FreezeError
from bvit_hw.models.binaryvit import BinaryViT


def freeze(model: BinaryViT, *, coef_bits: int = 8, slope_bits: int = 8) -> FrozenGraph:
    """The integers that ``model`` computes in eval mode, as a graph proven exact.

    Per-channel factors become mantissas of ``coef_bits``, slopes of ``slope_bits``. Raises :class:`FreezeError` for a
    model without exponents, or with numbers that do not fit the contract (names tensor and bound).
    """
    if not bool(model.calibrated):
        raise FreezeError(
            "the model has no activation exponents: call calibrate() with images, or load a QAT checkpoint"
        )
    return model.freeze(Builder(coef_bits=coef_bits, slope_bits=slope_bits))
