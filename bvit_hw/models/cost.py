"""What a network costs: parameters, binary weights, multiply-accumulates, from its configuration alone.

tests/network_counter.py counts the same on the networks themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription
from bvit_hw.models.presets import NAMES, preset_network


@dataclass(frozen=True, kw_only=True)
class NetworkCost:
    """Counts of one network for one image; a multiply-accumulate (MAC) is one product and its addition.

    ``parameters`` are all trained numbers. ``binary_macs`` are those of linear layers and patch merges with +-1
    weights and inputs, ``attention_macs`` both products of attention (binary in a BinaryViT), ``other_macs`` those of
    linear layers and convolutions at higher precision.
    """

    name: str
    summary: str
    parameters: int
    binary_weights: int
    binary_macs: int
    attention_macs: int
    other_macs: int

    @property
    def binary_mbit(self) -> float:
        """Binary weights in Mbit (10^6 bits)."""
        return self.binary_weights / 1e6

    def as_json(self) -> dict[str, Any]:
        """All counts, JSON-ready."""
        return asdict(self) | {"binary_mbit": self.binary_mbit}


@dataclass(frozen=True)
class _Part:
    """A part of a network: ``others`` are parameters that are no weights of its products."""

    binary: int = 0
    binary_macs: int = 0
    real: int = 0
    real_macs: int = 0
    attention_macs: int = 0
    others: int = 0


def _product(weights: int, tokens: int, *, real: bool) -> _Part:
    if real:
        return _Part(real=weights, real_macs=weights * tokens)
    return _Part(binary=weights, binary_macs=weights * tokens)


#: numbers a channel: of a norm, an RPReLU, an affine
_NORM, _RPRELU, _AFFINE = 2, 3, 2


def _unit(cols: int, rows: int, tokens: int, *, real: bool) -> Iterator[_Part]:
    """Move, product, norm, RPReLU."""
    yield _product(cols * rows, tokens, real=real)
    yield _Part(others=cols + (_NORM + _RPRELU) * rows)


def _stem(config: BinaryViTConfig) -> Iterator[_Part]:
    channels, patches = config.channels[0], (config.image_size // config.patch_size) ** 2
    yield _product(config.patch_size**2 * config.in_channels * channels, patches, real=True)
    per_channel = 1 + config.tokens(0) + (_NORM if config.stem_norm else 0) + (1 if config.class_token else 0)
    yield _Part(others=per_channel * channels)


def _block(config: BinaryViTConfig, stage: int) -> Iterator[_Part]:
    c, width, real = config.channels[stage], config.mlp_widths[stage], config.full_precision
    queries, reduction = config.tokens(stage), config.reductions[stage]
    keys = queries // reduction**2
    for tokens in (queries, queries, keys, keys, *([keys] if reduction > 1 else [])):  # q, o, k, v, r
        yield from _unit(c, c, tokens, real=real)
    yield from _unit(c, width, queries, real=real)
    yield from _unit(width, c, queries, real=real)
    yield _Part(attention_macs=2 * queries * keys * c)
    # Norms before, after and of the context with its RPReLU, the moves of q, k, v; the row's threshold.
    per_channel = 3 * _NORM + _RPRELU + 3 + (2 * _AFFINE if config.affine else 0)
    yield _Part(others=(per_channel + (4 * _AFFINE if config.pool_branches else 0)) * c + 1)


def _merge(config: BinaryViTConfig, stage: int) -> Iterator[_Part]:
    before, after, tokens = config.channels[stage - 1], config.channels[stage], config.tokens(stage)
    apart = config.full_precision_merges
    yield _product(4 * before * after, tokens, real=apart or config.full_precision)
    yield _Part(others=_NORM * before + (_NORM + tokens) * after)
    if not apart:
        yield _Part(others=before + _RPRELU * after)


def _parts(config: BinaryViTConfig) -> Iterator[_Part]:
    yield from _stem(config)
    for stage in config.block_stages:
        yield from _block(config, stage)
    for stage in range(1, config.stages):
        yield from _merge(config, stage)
    last = config.channels[-1]
    yield _product(last * config.classes, 1, real=True)
    yield _Part(others=_NORM * last + config.classes)


def network_cost(name: str, config: BinaryViTConfig, summary: str = "") -> NetworkCost:
    """The counts of a configuration."""
    parts = list(_parts(config))
    return NetworkCost(
        name=name,
        summary=summary,
        parameters=sum(part.binary + part.real + part.others for part in parts),
        binary_weights=sum(part.binary for part in parts),
        binary_macs=sum(part.binary_macs for part in parts),
        attention_macs=sum(part.attention_macs for part in parts),
        other_macs=sum(part.real_macs for part in parts),
    )


def teacher_cost() -> NetworkCost:
    """The counts of the full-precision teacher, DeiT-S/16 for 224 x 224 pictures and 1,000 classes."""
    c, blocks, patches, classes = 384, 12, 14 * 14, 1000
    tokens, cols = patches + 1, 16 * 16 * 3
    block = 12 * c * c  # query, key, value, output, and an MLP four times as wide
    return NetworkCost(
        name="deit-s-teacher",
        summary="teacher: full-precision DeiT-S (timm's deit_small_patch16_224)",
        # Biases of stem, block and classifier; two norms a block and one behind them; class token and positions.
        parameters=(cols + 1) * c + blocks * (block + (9 + 4) * c) + (2 + 1 + tokens) * c + (c + 1) * classes,
        binary_weights=0,
        binary_macs=0,
        attention_macs=blocks * 2 * tokens**2 * c,
        other_macs=patches * cols * c + blocks * tokens * block + c * classes,
    )


def all_costs() -> list[NetworkCost]:
    """Every preset and the teacher."""
    return [*(described_cost(preset_network(name)) for name in NAMES), teacher_cost()]


def described_cost(network: NetworkDescription) -> NetworkCost:
    """The counts of a network under its own name."""
    return network_cost(network.name, network.config, network.summary)
