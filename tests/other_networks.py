"""Networks that nobody tuned anything for, with random weights, built as the command line builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bvit_hw.data import normalize
from bvit_hw.freeze import random_images
from bvit_hw.models import BinaryViTConfig, save_checkpoint
from bvit_hw.models.presets import preset
from bvit_hw.pipeline.engine import BuildFolder
from bvit_hw.pipeline.options import resolve
from bvit_hw.pipeline.plan import identity, make_steps
from bvit_hw.pipeline.progress import Progress
from tests.frozen_factory import calibrated_model

STEPS = ("checkpoint", "freeze", "export", "lower", "fold", "generate", "simulate")
IMAGES = 8
_ONE_STAGE = {
    "image_size": 16, "channels": (16,), "depths": (1,), "heads": (1,), "mlp_widths": (32,), "reductions": (1,),
    "classes": 10,
}  # fmt: skip
_TWO_STAGES = {
    "image_size": 24, "channels": (16, 32), "depths": (1, 1), "heads": (1, 2), "mlp_widths": (32, 64),
    "reductions": (3, 1), "classes": 10,
}  # fmt: skip
_GREY = {"in_channels": 1, "mean": (0.13,), "std": (0.31,)}


@dataclass(frozen=True)
class Network:
    """Sizes of a network, and the frame rate that it is built for (low: small RTL, quickly compiled)."""

    sizes: Mapping[str, Any]
    fps: float = 20_000.0
    seed: int = 1
    board: str = "pynq-z2"

    @property
    def config(self) -> BinaryViTConfig:
        """Its configuration."""
        return BinaryViTConfig.create(**self.sizes)


def _row(name: str, **sizes: object) -> Network:
    """A row of the paper's ablation, by its preset's name, in other sizes: what makes the row is the preset's."""
    return Network(preset(name).model_dump() | {"classes": 10} | sizes)


#: DeiT with 4 x 4 tokens; with a class token they are 17, a prime number
_DEIT = {"image_size": 32, "patch_size": 8, "channels": (16,), "depths": (2,), "heads": (2,), "mlp_widths": (32,)}
#: four stages of 8 x 8 to 1 x 1 tokens
_PYRAMID = {"image_size": 32, "channels": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "heads": (1, 1, 2, 2),
            "mlp_widths": (16, 16, 16, 32), "reductions": (4, 2, 1, 1)}  # fmt: skip
#: the ablation, every row, small
ABLATION: Mapping[str, Network] = {
    "deit-baseline": _row("deit-baseline", **_DEIT),
    "deit-avg_pool": _row("deit-avg_pool", **_DEIT),
    "deit-multi_branch": _row("deit-multi_branch", **_DEIT),
    "deit-affine": _row("deit-affine", **_DEIT),
    "small-224": _row("small-224", **_PYRAMID),
    "small-224-some-fp": _row("small-224-some-fp", **_PYRAMID),
}
#: widths, heads and MLPs of the paper's network, one block a stage, on grids of 8 x 8 to 1 x 1 tokens
FULL_WIDTH = Network(
    {"image_size": 32, "channels": (64, 128, 256, 512), "depths": (1, 1, 1, 1), "heads": (1, 2, 4, 8),
     "mlp_widths": (512, 1024, 1024, 2048), "reductions": (4, 2, 1, 1), "classes": 10},
    fps=15_000.0, board="u250",
)  # fmt: skip
#: by what is unusual about each
NETWORKS: Mapping[str, Network] = {
    # 5 x 5 tokens, 100 bytes a frame: 4 a beat; nothing repeated in the MLP; 3 heads of 2 channels
    "small": Network({
        "image_size": 10, "patch_size": 2, "channels": (6,), "depths": (1,), "heads": (3,), "mlp_widths": (6,),
        "reductions": (1,), "classes": 2, "residual_bits": 9, **_GREY,
    }),
    "odd-grid": Network(_TWO_STAGES),
    "three-stages": Network({
        "image_size": 48, "channels": (8, 16, 64), "depths": (1, 2, 1), "heads": (1, 1, 4),
        "mlp_widths": (16, 16, 192), "reductions": (4, 2, 1), "classes": 17,
    }),
    "some-fp": Network(_TWO_STAGES | {"full_precision_merges": True, "channels": (12, 24), "heads": (3, 3),
                                      "mlp_widths": (48, 48)}),
    "plain": Network(_ONE_STAGE | {"stem_norm": False, "affine": False, "pool_branches": False, "depths": (2,)}),
    "byte-beats": Network(_ONE_STAGE | {"image_size": 15, "patch_size": 5}),
    "digits-28": Network(_TWO_STAGES | {"image_size": 28, "patch_size": 7, "reductions": (2, 1), **_GREY}),
    "side-7": Network(_ONE_STAGE | {"image_size": 28, "reductions": (7,), "mlp_widths": (128,), "heads": (2,)}),
    "narrow": Network(_ONE_STAGE | {"act_bits": 4, "residual_bits": 6, "weight_bits": 4, "table_bits": 6}),
    "wide": Network(_ONE_STAGE | {"act_bits": 9, "residual_bits": 11, "weight_bits": 8}),
    # 49 tokens and a class token, fast enough that attention takes several keys at once, of the last group fewer
    "class-token": Network(_ONE_STAGE | {"image_size": 28, "class_token": True, "pool_branches": False, "heads": (2,)},
                           fps=60_000.0),
    "one-token": Network(_ONE_STAGE | {"image_size": 4, "classes": 1, "channels": (7,), "mlp_widths": (21,)}),
    "full-width": FULL_WIDTH,
    **ABLATION,
}  # fmt: skip


#: streams that wait for a frame of 9,216 values, on a board with UltraRAM
LONG_LINES = Network(_ONE_STAGE | {"image_size": 96, "reductions": (4,)}, board="kv260")


@dataclass(frozen=True)
class Built:
    """A build's folder, its steps' results, and the images that it was given."""

    folder: Path
    results: Mapping[str, Mapping[str, Any]] = field(repr=False)
    images: np.ndarray = field(repr=False)


def build(network: Network, folder: Path, steps: Sequence[str] = STEPS) -> Built:
    """Calibrate a network with drawn weights, save it with images, and run these steps of its build."""
    config = network.config
    images = random_images(config, IMAGES, network.seed)
    labels = np.arange(IMAGES) % config.classes
    folder.mkdir(parents=True, exist_ok=True)
    model = calibrated_model(config, normalize(images, config.mean, config.std), network.seed)
    save_checkpoint(model, folder / "network.safetensors")
    np.savez(folder / "images.npz", images=images, labels=labels)
    options = resolve(
        board=network.board,
        preset_name=None,
        checkpoint=folder / "network.safetensors",
        data=str(folder / "images.npz"),
        clock_mhz=None,
        target_fps=network.fps,
        simulated_images=IMAGES,
        jobs=1,
    )
    out = folder / "build"
    with BuildFolder(out, identity(options)) as target:
        target.run([step for step in make_steps(options) if step.name in steps], Progress(quiet=True))
        return Built(out, target.results, images)
