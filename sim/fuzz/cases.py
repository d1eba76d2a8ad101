"""A case: a random small network, how it is folded, and how its core is run. Seed and number decide all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from bvit_hw.errors import ConfigError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.ops.base import divisors

T = TypeVar("T")
#: cycles a frame that a case may be folded to: the smaller, the more RTL there is to compile
CYCLES = (150, 2500)
#: values of a patch, tokens of the first stage, channels of any stage at most
_PATCH_VALUES, _TOKENS, _CHANNELS = 48, 36, 24


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one run of the fuzz does. ``seed`` and ``number`` give it again.

    ``folding`` is how foldings are chosen: each operator's at random, or all by the solver for ``board``; ``cycles`` is
    the pace asked for, which the network may not reach or not need. ``real`` says which depths, beside those of a
    build, the RTL's own FIFOs are built with: the found minimum, or in one FIFO a beat less than the least depth that
    is as fast.
    """

    seed: int
    number: int
    config: BinaryViTConfig
    coef_bits: int
    slope_bits: int
    weights: int
    images: int
    board: str
    folding: str
    cycles: int
    bram18: int
    real: str
    source_chance: int
    sink_chance: int
    uram: int

    @property
    def name(self) -> str:
        """As its folder is called."""
        return f"{self.seed}-{self.number}"

    def rng(self) -> np.random.Generator:
        """For what is drawn later: foldings, the tight FIFO."""
        return np.random.default_rng([self.seed, self.number, 1])

    def as_json(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self) | {"config": self.config.model_dump(mode="json")}


def draw(seed: int, number: int) -> Case:
    """Case ``number`` of ``seed``."""
    rng = np.random.default_rng([seed, number])
    config = None
    while config is None:
        try:
            config = BinaryViTConfig.create(**_sizes(rng))
        except ConfigError:
            continue
    low, high = np.log(CYCLES)
    return Case(
        seed=seed,
        number=number,
        config=config,
        coef_bits=int(rng.integers(4, 13)),
        slope_bits=int(rng.integers(4, 13)),
        weights=int(rng.integers(1 << 30)),
        images=int(rng.integers(1 << 30)),
        board=_pick(rng, ["pynq-z2", "pynq-z2", "kv260"]),
        folding=_pick(rng, ["random", "random", "solver"]),
        cycles=int(np.exp(rng.uniform(low, high))),
        bram18=_pick(rng, [0, 4, 200]),
        real=_pick(rng, ["least", "below", "below"]),
        source_chance=int(rng.integers(30, 257)),
        sink_chance=int(rng.integers(30, 257)),
        uram=_pick(rng, [0, 2, 50]),
    )


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _sizes(rng: np.random.Generator) -> dict[str, Any]:
    """Every field of the configuration; some draws contradict themselves and are drawn again."""
    stages = _pick(rng, [1, 1, 1, 2, 2, 3])
    side = _pick(rng, {1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3], 3: [1]}[stages]) << (stages - 1)
    in_channels = _pick(rng, [1, 1, 2, 3, 3, 4])
    patches = [patch for patch in (1, 2, 3, 4, 5) if patch**2 * in_channels <= _PATCH_VALUES]
    patch = _pick(rng, patches)
    channels = [int(rng.integers(1, _CHANNELS // 2 + 1))]
    while len(channels) < stages:
        channels.append(min(channels[-1] * _pick(rng, [1, 2, 2, 3]), _CHANNELS // channels[-1] * channels[-1]))
    # one stage, no pools, no reduction: where a class token may be
    plain = stages == 1 and rng.random() < 0.2
    sides = [side >> stage for stage in range(stages)]
    return {
        "image_size": side * patch,
        "in_channels": in_channels,
        "patch_size": patch,
        "channels": tuple(channels),
        "depths": tuple(_pick(rng, [1, 1, 1, 2]) if stages == 1 else 1 for _ in channels),
        "heads": tuple(_pick(rng, divisors(c)) for c in channels),
        "mlp_widths": tuple(c * _pick(rng, [1, 1, 2, 3, 4]) for c in channels),
        "reductions": tuple(1 if plain else _pick(rng, divisors(s)) for s in sides),
        "classes": _pick(rng, [1, 2, int(rng.integers(3, 13))]),
        "full_precision_merges": bool(rng.random() < 0.4),
        "stem_norm": bool(rng.random() < 0.7),
        "class_token": bool(plain and rng.random() < 0.5),
        "pool_branches": bool(not plain and rng.random() < 0.8),
        "affine": bool(rng.random() < 0.7),
        "act_bits": int(rng.integers(2, 11)),
        "residual_bits": int(rng.integers(2, 13)),
        "weight_bits": int(rng.integers(2, 11)),
        "table_bits": int(rng.integers(4, 16)),
        "mean": tuple(float(m) for m in rng.uniform(-0.5, 1.0, in_channels).round(3)),
        "std": tuple(float(s) for s in rng.uniform(0.1, 1.0, in_channels).round(3)),
    }
