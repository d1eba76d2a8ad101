"""The configuration behind a checkpoint of the paper's published code, inferred from its names and shapes.

Each size is seen in several tensors and the majority decides, so that a checkpoint with a few wrong tensors is still
recognized and the wrong ones can be named.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isqrt

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models.config import BinaryViTConfig

Shapes = Mapping[str, tuple[int, ...]]

EMBEDDINGS = "vit.embeddings"
LAYER = "vit.encoder.layer"
MERGE = "vit.encoder.patch_embed"
#: heads and key/value pooling of the paper's four stages; head size of all its networks
PAPER_HEADS = (1, 2, 4, 8)
PAPER_REDUCTIONS = (8, 4, 1, 1)
PAPER_HEAD_DIM = 64
_PAPER_IMAGE = 224
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

#: (tensor of a block, axis) where its channels and its MLP width are seen
_BLOCK_CHANNELS = (
    ("intermediate.dense.weight", 1), ("attention.attention.query.weight", 0), ("attention.attention.query.weight", 1),
    ("attention.attention.key.weight", 0), ("attention.attention.value.weight", 0), ("layernorm_before.weight", 0),
    ("layernorm_after.weight", 0), ("attention.output.dense.weight", 0), ("output.dense.weight", 0),
)  # fmt: skip
_BLOCK_WIDTH = (
    ("intermediate.dense.weight", 0), ("intermediate.norm.weight", 0), ("intermediate.norm.bias", 0),
    ("intermediate.rprelu.move1", 0), ("output.dense.weight", 1), ("output.move", 0),
)  # fmt: skip
_NORM = ("weight", "bias", "running_mean", "running_var")
_BRANCHES = tuple(f"layerscale_{branch}.{part}" for branch in ("h3", "w3", "h5", "w5") for part in ("alpha", "move"))
_AFFINES = tuple(f"{part}.layerscale.{name}" for part in ("attention.output", "output") for name in ("alpha", "move"))
_POOLED = tuple(
    f"attention.attention.{name}"
    for name in ("reduction.weight", "mover", "rprelur.move1", "rprelur.move2", *(f"norm_r.{part}" for part in _NORM))
)
_BINARY_MERGE = ("move", "rprelu.move1", "rprelu.move2", "rprelu.prelu.weight")


class _Evidence:
    """What the names and shapes of a checkpoint say."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes

    def sizes(self, places: Iterable[tuple[str, int]]) -> list[int]:
        """The sizes at (tensor, axis), where there is such a tensor with such an axis."""
        return [self.shapes[name][axis] for name, axis in places if len(self.shapes.get(name, ())) > axis]

    def most(self, places: Iterable[tuple[str, int]]) -> int | None:
        """The size that most of the places show, the first of several; None if there is none."""
        return _most(self.sizes(places))

    def mostly_there(self, names: Iterable[str]) -> bool:
        """Whether at least half of ``names`` are in the checkpoint."""
        names = list(names)
        return 2 * sum(name in self.shapes for name in names) >= max(len(names), 1)


def _most(values: Sequence[int]) -> int | None:
    return Counter(values).most_common(1)[0][0] if values else None


def _refuse(text: str) -> CheckpointError:
    return CheckpointError(f"paper checkpoint: {text}")


def _numbers(seen: _Evidence, prefix: str) -> list[int]:
    """The numbers that follow ``prefix`` in the names of tensors."""
    pattern = re.compile(rf"{re.escape(prefix)}(\d{{1,4}})\.")
    return [int(m.group(1)) for name in seen.shapes if (m := pattern.match(name))]


def _block_channels(seen: _Evidence) -> list[int | None]:
    """Channels of each block."""
    blocks = range(1 + max(_numbers(seen, f"{LAYER}."), default=-1))
    return [seen.most((f"{LAYER}.{block}.{part}", axis) for part, axis in _BLOCK_CHANNELS) for block in blocks]


def _stage_channels(seen: _Evidence) -> list[int]:
    # A patch merge may be missing as a whole: blocks that become wider show that it was there.
    runs = [size for size, _ in itertools.groupby(size for size in _block_channels(seen) if size is not None)]
    wider = all(after > before for before, after in itertools.pairwise(runs))
    stages = max(1 + max(_numbers(seen, MERGE), default=0), len(runs) if wider else 1)
    channels = []
    for stage in range(stages):
        own = f"{MERGE}{stage}" if stage else EMBEDDINGS
        filters = f"{own}.proj.weight" if stage else f"{own}.patch_embeddings.projection.weight"
        after = f"{MERGE}{stage + 1}"
        places = [(f"{own}.position_embeddings", 2), (filters, 0), (f"{own}.norm.weight", 0), (f"{own}.norm.bias", 0)]
        places += [(f"{after}.norm0.weight", 0), (f"{after}.norm0.bias", 0), (f"{after}.proj.weight", 1)]
        if stage + 1 == stages:
            places += [("vit.layernorm.weight", 0), ("classifier.weight", 1)]
        size = seen.most(places)
        if size is None:
            raise _refuse(f"nothing says how many channels stage {stage} has: {own}.* are missing")
        channels.append(size)
    return channels


def _block_stages(seen: _Evidence, channels: Sequence[int], depths: Sequence[int] | None) -> list[int]:
    """The stage of each block, from the blocks' channels, or from ``depths`` where given."""
    sizes = _block_channels(seen)
    if not sizes:
        some = ", ".join(list(seen.shapes)[:4])
        raise _refuse(f"no tensor is named {LAYER}.0.…, as the published code writes them; found {some}, …")
    count = len(sizes)
    if depths is not None:
        if len(depths) != len(channels) or sum(depths) != count or min(depths) < 1:
            raise _refuse(f"depths={tuple(depths)} given; there are {len(channels)} stages and {count} blocks in all")
        return [stage for stage, depth in enumerate(depths) for _ in range(depth)]
    if any(a == b for a, b in itertools.pairwise(channels)):
        raise _refuse(f"blocks cannot tell stages of {channels} channels apart; give --depths, one number a stage")
    stages, stage = [], 0
    for size in sizes:
        if stage + 1 < len(channels) and size == channels[stage + 1]:
            stage += 1
        stages.append(stage)
    empty = sorted(set(range(len(channels))) - set(stages))
    if empty:
        raise _refuse(f"stages of {channels} channels, but no block has the {channels[empty[0]]} of stage {empty[0]}")
    return stages


def _grid(seen: _Evidence, stages: int, patch: int) -> tuple[int, bool]:
    """Side of the first stage's token grid, and whether a class token stands before it."""
    tokens = seen.most([(f"{EMBEDDINGS}.position_embeddings", 1)])
    sides = [isqrt(n) << s for s in range(1, stages) for n in seen.sizes([(f"{MERGE}{s}.position_embeddings", 1)])
             if isqrt(n) ** 2 == n]  # fmt: skip
    class_token = f"{EMBEDDINGS}.cls_token" in seen.shapes
    if tokens is not None and isqrt(tokens) ** 2 == tokens:
        sides.insert(0, isqrt(tokens))
        class_token = False
    elif tokens is not None and isqrt(tokens - 1) ** 2 == tokens - 1 and stages == 1:
        sides.insert(0, isqrt(tokens - 1))
        class_token = True
    elif tokens is not None and not sides:
        raise _refuse(f"{EMBEDDINGS}.position_embeddings has {tokens} tokens: no square, nor one and a class token")
    return _most(sides) or _PAPER_IMAGE // patch, class_token and stages == 1


def _per_stage(label: str, given: Sequence[int], stages: int) -> tuple[int, ...]:
    if len(given) != stages:
        raise _refuse(f"{label}={tuple(given)} given; the network has {stages} stages")
    return tuple(given)


def _heads(given: Sequence[int] | None, channels: Sequence[int]) -> tuple[int, ...]:
    if given is not None:
        return _per_stage("heads", given, len(channels))
    narrow = len(channels) == len(PAPER_HEADS) and any(c % PAPER_HEAD_DIM for c in channels)
    # Heads of 64 channels cannot be had: the paper's number of them is the next best guess.
    if narrow and not any(c % h for c, h in zip(channels, PAPER_HEADS, strict=True)):
        return PAPER_HEADS
    return tuple(max(c // PAPER_HEAD_DIM, 1) for c in channels)


def _reductions(seen: _Evidence, given: Sequence[int] | None, stages: Sequence[int]) -> tuple[int, ...]:
    """Key/value pooling of each stage; only whether there is any can be seen."""
    count = max(stages) + 1
    pooled = [
        seen.mostly_there(f"{LAYER}.{block}.{name}" for block, own in enumerate(stages) if own == stage
                          for name in _POOLED)
        for stage in range(count)
    ]  # fmt: skip
    if given is not None:
        given = _per_stage("reduction", given, count)
        for stage, there in enumerate(pooled):
            if there != (given[stage] > 1):
                word = "have" if there else "have no"
                raise _refuse(
                    f"reduction={given} given, but the blocks of stage {stage} {word} key/value pooling "
                    f"({LAYER}.{stages.index(stage)}.{_POOLED[0]})"
                )
        return given
    if any(pooled) and count != len(PAPER_REDUCTIONS):
        raise _refuse(f"the reduction of {count} stages cannot be inferred; give --reduction, one number a stage")
    found = tuple(PAPER_REDUCTIONS[stage] if there else 1 for stage, there in enumerate(pooled))
    if any(there and r == 1 for there, r in zip(pooled, found, strict=True)):
        raise _refuse(f"stages {pooled} have key/value pooling, other ones than the paper's; give --reduction")
    return found


def config_from_paper_shapes(
    shapes: Shapes,
    *,
    heads: Sequence[int] | None = None,
    reduction: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
) -> BinaryViTConfig:
    """The configuration of a checkpoint with tensors of these names and shapes; see ``paper.from_paper_state``.

    Raises :class:`CheckpointError` where the sizes contradict each other or cannot be seen.
    """
    seen = _Evidence(shapes)
    channels = _stage_channels(seen)
    stages = _block_stages(seen, channels, depths)
    blocks = [f"{LAYER}.{block}" for block in range(len(stages))]
    widths = [
        seen.most((f"{blocks[b]}.{part}", axis) for b, own in enumerate(stages) if own == stage
                  for part, axis in _BLOCK_WIDTH)
        for stage in range(len(channels))
    ]  # fmt: skip
    if None in widths:
        raise _refuse(f"nothing says how wide the MLP of stage {widths.index(None)} is")
    filters = f"{EMBEDDINGS}.patch_embeddings.projection.weight"
    in_channels = seen.most([(filters, 1)]) or 3
    patch = seen.most([(filters, 2), (filters, 3)]) or (4 if len(channels) > 1 else 16)
    side, class_token = _grid(seen, len(channels), patch)
    merges = [f"{MERGE}{stage}.{part}" for stage in range(1, len(channels)) for part in _BINARY_MERGE]
    normalization = _IMAGENET if in_channels == 3 else {"mean": (0.5,) * in_channels, "std": (0.5,) * in_channels}
    try:
        return BinaryViTConfig.create(
            image_size=side * patch,
            in_channels=in_channels,
            patch_size=patch,
            channels=tuple(channels),
            depths=tuple(stages.count(stage) for stage in range(len(channels))),
            heads=_heads(heads, channels),
            mlp_widths=tuple(widths),
            reductions=_reductions(seen, reduction, stages),
            classes=seen.most([("classifier.weight", 0), ("classifier.bias", 0)]) or 1000,
            full_precision_merges=bool(merges) and not seen.mostly_there(merges),
            stem_norm=seen.mostly_there(f"{EMBEDDINGS}.norm.{part}" for part in _NORM),
            class_token=class_token,
            pool_branches=seen.mostly_there(f"{block}.{name}" for block in blocks for name in _BRANCHES),
            affine=seen.mostly_there(f"{block}.{name}" for block in blocks for name in _AFFINES),
            **normalization,
        )
    except ConfigError as error:
        raise _refuse(str(error)) from error
