"""Checkpoints of the paper's published code: its names and shapes to a BinaryViT, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bvit_hw.contract.file import is_frozen
from bvit_hw.errors import CheckpointError
from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.checkpoint import is_checkpoint
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.torch_file import bad_values, misfits, read_state
from bvit_hw.paper.config import EMBEDDINGS, LAYER, MERGE, config_from_paper_shapes

State = Mapping[str, np.ndarray | Tensor]


@dataclass(frozen=True)
class Rule:
    """A tensor's name in the published code, and how its layout there differs from ours.

    ``same``: not at all. ``filters``: out x in x window x window there, out x (window window in) here. ``position``:
    one leading axis there. ``plane``: 1 x C x 1 x 1 there, C here.
    """

    theirs: str
    layout: Literal["same", "filters", "position", "plane"] = "same"
    window: int = 1

    def to_ours(self, x: Tensor) -> Tensor:
        """A tensor as published in our layout."""
        match self.layout:
            case "filters":
                return x.permute(0, 2, 3, 1).flatten(1)
            case "position":
                return x[0]
            case "plane":
                return x.flatten()
        return x

    def to_theirs(self, x: Tensor) -> Tensor:
        """Our tensor in the published layout."""
        match self.layout:
            case "filters":
                return x.reshape(len(x), self.window, self.window, -1).permute(0, 3, 1, 2)
            case "position":
                return x[None]
            case "plane":
                return x[None, :, None, None]
        return x


def _norm(ours: str, theirs: str) -> dict[str, Rule]:
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{ours}.{part}": Rule(f"{theirs}.{part}") for part in parts}


def _rprelu(ours: str, theirs: str) -> dict[str, Rule]:
    parts = {"move_1": "move1", "move_2": "move2", "slope": "prelu.weight"}
    return {f"{ours}.{part}": Rule(f"{theirs}.{name}") for part, name in parts.items()}


def _unit(ours: str, move: str, linear: str, norm: str, rprelu: str) -> dict[str, Rule]:
    rules: dict[str, Rule] = {
        f"{ours}.move": Rule(move),
        f"{ours}.linear.weight": Rule(f"{linear}.weight"),
    }
    return rules | _norm(f"{ours}.norm", norm) | _rprelu(f"{ours}.rprelu", rprelu)


def _affine(ours: str, theirs: str) -> dict[str, Rule]:
    return {f"{ours}.{part}": Rule(f"{theirs}.{part}") for part in ("alpha", "move")}


def _block_rules(config: BinaryViTConfig, index: int) -> dict[str, Rule]:
    ours, theirs = f"blocks.{index}", f"{LAYER}.{index}"
    attn, inner, out = f"{ours}.attn", f"{theirs}.attention.attention", f"{theirs}.attention.output"
    linears = {"q": "query", "k": "key", "v": "value"}
    if config.reductions[config.block_stages[index]] > 1:
        linears["r"] = "reduction"
    rules = _norm(f"{ours}.norm_before", f"{theirs}.layernorm_before")
    for part, linear in linears.items():
        norm = f"{inner}.norm_r" if part == "r" else f"{inner}.norm{part}"
        rules |= _unit(f"{attn}.{part}", f"{inner}.move{part}", f"{inner}.{linear}", norm, f"{inner}.rprelu{part}")
    rules |= {f"{attn}.move_{part}": Rule(f"{inner}.move{part}2") for part in "qkv"}
    rules[f"{attn}.clip"] = Rule(f"{inner}.att_prob_clip")
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


def paper_rules(config: BinaryViTConfig) -> dict[str, Rule]:
    """Where each of our tensors is in a checkpoint of the published code, by our names."""
    projection = f"{EMBEDDINGS}.patch_embeddings.projection"
    rules: dict[str, Rule] = {
        "stem.conv.weight": Rule(f"{projection}.weight", "filters", config.patch_size),
        "stem.conv.bias": Rule(f"{projection}.bias"),
        "stem.position": Rule(f"{EMBEDDINGS}.position_embeddings", "position"),
    }
    if config.stem_norm:
        rules |= _norm("stem.conv.norm", f"{EMBEDDINGS}.norm")
    if config.class_token:
        rules["stem.class_token"] = Rule(f"{EMBEDDINGS}.cls_token")
    for index in range(sum(config.depths)):
        rules |= _block_rules(config, index)
    for stage in range(1, config.stages):
        ours, theirs = f"merges.{stage - 1}", f"{MERGE}{stage}"
        rules[f"{ours}.position"] = Rule(f"{theirs}.position_embeddings", "position")
        rules |= _norm(f"{ours}.norm_0", f"{theirs}.norm0")
        if config.full_precision_merges:
            rules[f"{ours}.conv.weight"] = Rule(f"{theirs}.proj.weight", "filters", 2)
            rules |= _norm(f"{ours}.conv.norm", f"{theirs}.norm")
        else:
            rules[f"{ours}.move"] = Rule(f"{theirs}.move", "plane")
            rules[f"{ours}.linear.weight"] = Rule(f"{theirs}.proj.weight", "filters", 2)
            rules |= _norm(f"{ours}.norm", f"{theirs}.norm") | _rprelu(f"{ours}.rprelu", f"{theirs}.rprelu")
    rules |= _norm("head.norm", "vit.layernorm")
    return rules | {f"head.classifier.{p}": Rule(f"classifier.{p}") for p in ("weight", "bias")}


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def config_from_paper_state(
    state: State,
    *,
    heads: Sequence[int] | None = None,
    reduction: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
) -> BinaryViTConfig:
    """Infer the configuration behind a state from its names and shapes; see :func:`from_paper_state`."""
    return config_from_paper_shapes(_shapes(state), heads=heads, reduction=reduction, depths=depths)


def _tensor(value: np.ndarray | Tensor) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else torch.from_numpy(np.array(value))


def _wrong_types(tensors: Mapping[str, Tensor]) -> list[str]:
    """A line for each tensor that holds no real numbers (counters: no integers)."""
    found = []
    for name, tensor in tensors.items():
        counter = name.endswith("num_batches_tracked")
        right = not (tensor.is_floating_point() or tensor.is_complex()) if counter else tensor.is_floating_point()
        if not right:
            found.append(f"wrong type: {name} {tensor.dtype}, expected {'integers' if counter else 'floating point'}")
    return found


@torch.no_grad()
def from_paper_state(
    state: State,
    *,
    heads: Sequence[int] | None = None,
    reduction: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    changes: Mapping[str, object] | None = None,
) -> BinaryViT:
    """A model in float-residual, eval mode from the published code's tensors, {name: array}.

    Sizes follow from the shapes. What shapes cannot show is taken as in the paper unless given, one entry a stage:
    ``heads`` (1, 2, 4, 8 in four stages, else head size 64), ``reduction`` (key/value pooling; 8 and 4 where a
    four-stage network has any in its first stages), ``depths`` (blocks; needed only where neighbouring stages have
    equally many channels). ``changes`` replace what a configuration says beside sizes: widths of fixed-point tensors,
    ``mean`` and ``std`` of the pixels (ImageNet's by default).

    :class:`CheckpointError` names every tensor that is missing (counters of batches may be), has another shape or
    type, holds values that are not finite or variances below 0, or has no place; :class:`ConfigError` an impossible
    change.
    """
    config = config_from_paper_state(state, heads=heads, reduction=reduction, depths=depths)
    config = BinaryViTConfig.create(**(config.model_dump() | dict(changes or {})))
    model = BinaryViT(config)
    rules = paper_rules(config)
    target = model.state_dict()
    expected = {rule.theirs: tuple(rule.to_theirs(target[ours]).shape) for ours, rule in rules.items()}
    tensors = {name: _tensor(value) for name, value in state.items()}
    known = {name: tensor for name, tensor in tensors.items() if name in expected}
    right = {name: tensor for name, tensor in known.items() if not _wrong_types({name: tensor})}
    wrong = [*misfits(_shapes(tensors), expected), *_wrong_types(known), *bad_values(right)]
    if wrong:
        raise CheckpointError(
            f"paper checkpoint: {len(wrong)} tensors do not fit the network inferred "
            f"({_description(config)}):\n  " + "\n  ".join(wrong)
        )
    for ours, rule in rules.items():
        if rule.theirs in tensors:
            target[ours].copy_(rule.to_ours(tensors[rule.theirs]))
    return model.eval()


def _description(config: BinaryViTConfig) -> str:
    sizes = ("image_size", "channels", "depths", "heads", "mlp_widths", "reductions", "classes")
    flags = ("full_precision_merges", "stem_norm", "class_token", "pool_branches", "affine")
    parts = [f"{name}={getattr(config, name)}" for name in sizes]
    return ", ".join(parts + [name for name in flags if getattr(config, name)])


def to_paper_state(model: BinaryViT) -> dict[str, Tensor]:
    """The model's weights and statistics as the published code would write them, by its names and in its layouts."""
    ours = model.state_dict()
    rules = paper_rules(model.config)
    return {rule.theirs: rule.to_theirs(ours[name].detach()).contiguous().clone() for name, rule in rules.items()}


def load_paper_checkpoint(
    path: Path | str,
    *,
    heads: Sequence[int] | None = None,
    reduction: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    changes: Mapping[str, object] | None = None,
) -> BinaryViT:
    """The model of a file that the published code wrote; see :func:`from_paper_state` for the result and its errors.

    The file is read as data only; entries beside ``model`` (optimizer, scaler, arguments, epoch) are ignored.
    """
    if is_checkpoint(path) or is_frozen(path):
        raise CheckpointError(f"{path}: is a file of bvit-hw, which needs no import; one of the paper's code is taken")
    state = read_state(path)
    try:
        return from_paper_state(state, heads=heads, reduction=reduction, depths=depths, changes=changes)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
