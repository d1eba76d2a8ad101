"""Reading checkpoints of the paper's published code: names and shapes in, a BinaryViT out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from math import isqrt

import numpy as np
import torch
from torch import Tensor

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.config import BinaryViTConfig

State = Mapping[str, np.ndarray | Tensor]

_LAYER = "vit.encoder.layer"
_MERGE = "vit.encoder.patch_embed"
_POSITIONS = "vit.embeddings.position_embeddings"
_STEM = "vit.embeddings.patch_embeddings.projection.weight"
#: head size and key/value pooling of the paper's four stages; a plain ViT has no pooling
_PAPER_HEAD_DIM = 64
_PAPER_REDUCTIONS = {1: (1,), 4: (8, 4, 1, 1)}


def _same(x: Tensor) -> Tensor:
    return x


def _filter_rows(x: Tensor) -> Tensor:
    """Filters out x in x kh x kw as rows with columns in the order (ky, kx, channel)."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1)


Rule = tuple[str, Callable[[Tensor], Tensor]]


def _norm(ours: str, theirs: str) -> dict[str, Rule]:
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{ours}.{part}": (f"{theirs}.{part}", _same) for part in parts}


def _rprelu(ours: str, theirs: str) -> dict[str, Rule]:
    parts = {"move_1": "move1", "move_2": "move2", "slope": "prelu.weight"}
    return {f"{ours}.{part}": (f"{theirs}.{name}", _same) for part, name in parts.items()}


def _unit(ours: str, move: str, linear: str, norm: str, rprelu: str) -> dict[str, Rule]:
    rules: dict[str, Rule] = {
        f"{ours}.move": (move, _same),
        f"{ours}.linear.weight": (f"{linear}.weight", _same),
    }
    return rules | _norm(f"{ours}.norm", norm) | _rprelu(f"{ours}.rprelu", rprelu)


def _affine(ours: str, theirs: str) -> dict[str, Rule]:
    return {f"{ours}.{part}": (f"{theirs}.{part}", _same) for part in ("alpha", "move")}


def _block_rules(config: BinaryViTConfig, index: int) -> dict[str, Rule]:
    ours, theirs = f"blocks.{index}", f"{_LAYER}.{index}"
    attn, inner, out = f"{ours}.attn", f"{theirs}.attention.attention", f"{theirs}.attention.output"
    linears = {"q": "query", "k": "key", "v": "value"}
    if config.reductions[config.block_stages[index]] > 1:
        linears["r"] = "reduction"
    rules = _norm(f"{ours}.norm_before", f"{theirs}.layernorm_before")
    for part, linear in linears.items():
        norm = f"{inner}.norm_r" if part == "r" else f"{inner}.norm{part}"
        rules |= _unit(f"{attn}.{part}", f"{inner}.move{part}", f"{inner}.{linear}", norm, f"{inner}.rprelu{part}")
    rules |= {f"{attn}.move_{part}": (f"{inner}.move{part}2", _same) for part in "qkv"}
    rules[f"{attn}.clip"] = (f"{inner}.att_prob_clip", _same)
    rules |= _norm(f"{attn}.norm_ctx", f"{inner}.norm_context")
    rules |= _rprelu(f"{attn}.rprelu_ctx", f"{inner}.rprelu_context")
    rules |= _norm(f"{ours}.norm_after", f"{theirs}.layernorm_after")
    for unit, part in ((f"{attn}.o", out), (f"{ours}.f", f"{theirs}.intermediate"), (f"{ours}.z", f"{theirs}.output")):
        rules |= _unit(unit, f"{part}.move", f"{part}.dense", f"{part}.norm", f"{part}.rprelu")
    if config.affine:
        rules |= _affine(f"{ours}.affine_1", f"{out}.layerscale")
        rules |= _affine(f"{ours}.affine_2", f"{theirs}.output.layerscale")
    if config.pool_branches:
        for branch in ("h3", "w3", "h5", "w5"):
            rules |= _affine(f"{ours}.pools.{branch}", f"{theirs}.layerscale_{branch}")
    return rules


def _rules(config: BinaryViTConfig) -> dict[str, Rule]:
    """Our tensor name -> (the paper code's name, how to bring it into our shape)."""
    rules: dict[str, Rule] = {
        "stem.conv.weight": (_STEM, _filter_rows),
        "stem.conv.bias": ("vit.embeddings.patch_embeddings.projection.bias", _same),
        "stem.position": (_POSITIONS, lambda x: x[0]),
    }
    if config.stem_norm:
        rules |= _norm("stem.conv.norm", "vit.embeddings.norm")
    if config.class_token:
        rules["stem.class_token"] = ("vit.embeddings.cls_token", _same)
    for index in range(sum(config.depths)):
        rules |= _block_rules(config, index)
    for stage in range(1, config.stages):
        ours, theirs = f"merges.{stage - 1}", f"{_MERGE}{stage}"
        rules[f"{ours}.position"] = (f"{theirs}.position_embeddings", lambda x: x[0])
        rules |= _norm(f"{ours}.norm_0", f"{theirs}.norm0")
        if config.full_precision_merges:
            rules[f"{ours}.conv.weight"] = (f"{theirs}.proj.weight", _filter_rows)
            rules |= _norm(f"{ours}.conv.norm", f"{theirs}.norm")
        else:
            rules[f"{ours}.move"] = (f"{theirs}.move", torch.flatten)
            rules[f"{ours}.linear.weight"] = (f"{theirs}.proj.weight", _filter_rows)
            rules |= _norm(f"{ours}.norm", f"{theirs}.norm") | _rprelu(f"{ours}.rprelu", f"{theirs}.rprelu")
    rules |= _norm("head.norm", "vit.layernorm")
    return rules | {f"head.classifier.{p}": (f"classifier.{p}", _same) for p in ("weight", "bias")}


def _shape(state: State, name: str) -> tuple[int, ...]:
    if name not in state:
        raise CheckpointError(f"paper checkpoint: tensor {name} is missing")
    return tuple(state[name].shape)


def _dims(state: State, name: str, rank: int) -> tuple[int, ...]:
    shape = _shape(state, name)
    if len(shape) != rank:
        raise CheckpointError(f"paper checkpoint: {name} has shape {shape}; expected {rank} dimensions")
    return shape


def _choice(label: str, given: Sequence[int] | None, default: tuple[int, ...] | None, stages: int) -> tuple[int, ...]:
    chosen = default if given is None else tuple(given)
    if chosen is None:
        raise CheckpointError(f"paper checkpoint: {label} of {stages} stages cannot be inferred; pass {label}=")
    if len(chosen) != stages:
        raise CheckpointError(f"paper checkpoint: {label}={chosen} given; the network has {stages} stages")
    return chosen


def _block_widths(state: State, channels: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Blocks and MLP width of each stage, and the first block of each."""
    found = {int(m.group(1)) for name in state if (m := re.match(rf"{re.escape(_LAYER)}\.(\d+)\.", name))}
    if found != set(range(len(found))):
        raise CheckpointError(f"paper checkpoint: blocks {sorted(found)} are not numbered from 0 without a gap")
    if any(a == b for a, b in itertools.pairwise(channels)):
        raise CheckpointError(f"paper checkpoint: stages of {channels} channels cannot be told apart by their blocks")
    depths, widths, first, stage = [0] * len(channels), [0] * len(channels), [0] * len(channels), 0
    for index in range(len(found)):
        name = f"{_LAYER}.{index}.intermediate.dense.weight"
        width, block_channels = _dims(state, name, 2)
        if block_channels != channels[stage] and stage + 1 < len(channels):
            stage += 1
        if block_channels != channels[stage]:
            raise CheckpointError(
                f"paper checkpoint: {name} has {block_channels} columns; its stage has {channels[stage]} channels"
            )
        if depths[stage] == 0:
            widths[stage], first[stage] = width, index
        elif width != widths[stage]:
            raise CheckpointError(
                f"paper checkpoint: {name} has {width} rows; block {first[stage]} of its stage has {widths[stage]}"
            )
        depths[stage] += 1
    if 0 in depths:
        raise CheckpointError(f"paper checkpoint: stages of {channels} channels have {depths} blocks; each needs one")
    return tuple(depths), tuple(widths), first


def config_from_paper_state(
    state: State, *, heads: Sequence[int] | None = None, reduction: Sequence[int] | None = None
) -> BinaryViTConfig:
    """Infer the configuration behind a state from its names and shapes; see :func:`from_paper_state`."""
    stem_channels, in_channels, patch, _ = _dims(state, _STEM, 4)
    stages = 1
    while any(name.startswith(f"{_MERGE}{stages}.") for name in state):
        stages += 1
    channels = [stem_channels]
    channels += [_dims(state, f"{_MERGE}{s}.position_embeddings", 3)[2] for s in range(1, stages)]
    depths, widths, first = _block_widths(state, channels)
    class_token = "vit.embeddings.cls_token" in state
    grid_tokens = _dims(state, _POSITIONS, 3)[1] - class_token
    if isqrt(grid_tokens) ** 2 != grid_tokens:
        raise CheckpointError(f"paper checkpoint: {_POSITIONS} has {grid_tokens} grid tokens; expected a square number")
    heads = _choice("heads", heads, tuple(max(c // _PAPER_HEAD_DIM, 1) for c in channels), stages)
    reductions = _choice("reduction", reduction, _PAPER_REDUCTIONS.get(stages), stages)
    for stage, block in enumerate(first):
        name = f"{_LAYER}.{block}.attention.attention.reduction.weight"
        if (name in state) != (reductions[stage] > 1):
            word = "is there" if name in state else "is missing"
            raise CheckpointError(f"paper checkpoint: reduction={reductions} but {name} {word}")
    try:
        return BinaryViTConfig.create(
            image_size=isqrt(grid_tokens) * patch,
            in_channels=in_channels,
            patch_size=patch,
            channels=tuple(channels),
            depths=depths,
            heads=heads,
            mlp_widths=widths,
            reductions=reductions,
            classes=_dims(state, "classifier.weight", 2)[0],
            full_precision_merges=stages > 1 and f"{_MERGE}1.move" not in state,
            stem_norm="vit.embeddings.norm.weight" in state,
            class_token=class_token,
            pool_branches=f"{_LAYER}.0.layerscale_h3.alpha" in state,
            affine=f"{_LAYER}.0.output.layerscale.alpha" in state,
            mean=(0.5,) * in_channels,
            std=(0.5,) * in_channels,
        )
    except ConfigError as error:
        raise CheckpointError(f"paper checkpoint: {error}") from error


def from_paper_state(
    state: State, *, heads: Sequence[int] | None = None, reduction: Sequence[int] | None = None
) -> BinaryViT:
    """A model in float-residual, eval mode from the published code's tensors, {name: array}.

    Sizes follow from the shapes. ``heads`` and ``reduction`` (key/value pooling), one entry a stage, cannot be
    inferred: by default head size 64, and pooling 8, 4, 1, 1 (none in a plain ViT). A tensor missing, left over or
    misshapen raises :class:`CheckpointError` naming it; BatchNorm's batch counters may be missing.
    """
    config = config_from_paper_state(state, heads=heads, reduction=reduction)
    model = BinaryViT(config)
    rules = _rules(config)
    left = sorted(set(state) - {theirs for theirs, _ in rules.values()})
    if left:
        raise CheckpointError(f"paper checkpoint: {len(left)} tensors have no place in the network, first {left[0]}")
    target = model.state_dict()
    for ours, (theirs, convert) in rules.items():
        if theirs.endswith("num_batches_tracked") and theirs not in state:
            continue
        shape, wanted = _shape(state, theirs), target[ours].shape
        value = state[theirs]
        tensor: Tensor | None = value.detach() if isinstance(value, Tensor) else torch.from_numpy(np.array(value))
        try:
            tensor = convert(tensor)
        except (RuntimeError, IndexError):
            tensor = None
        if tensor is None or tensor.shape != wanted:
            raise CheckpointError(f"paper checkpoint: {theirs} has shape {shape}, no fit for {ours} of {tuple(wanted)}")
        target[ours].copy_(tensor)
    return model.eval()
