"""BinaryViT in PyTorch: configuration, network, checkpoints, import of the paper's checkpoints."""

from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.checkpoint import (
    checkpoint_config,
    checkpoint_info,
    load_checkpoint,
    save_checkpoint,
    shipped_checkpoint,
)
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.paper import from_paper_state, load_paper_checkpoint, to_paper_state
from bvit_hw.models.presets import PRESETS, preset

__all__ = [
    "PRESETS",
    "BinaryViT",
    "BinaryViTConfig",
    "checkpoint_config",
    "checkpoint_info",
    "from_paper_state",
    "load_checkpoint",
    "load_paper_checkpoint",
    "preset",
    "save_checkpoint",
    "shipped_checkpoint",
    "to_paper_state",
]
