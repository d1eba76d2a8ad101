"""BinaryViT in PyTorch: configuration, network, checkpoints.

Names are looked up when they are first used: configurations and their costs do without PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bvit_hw.models.binaryvit import BinaryViT
    from bvit_hw.models.checkpoint import (
        checkpoint_config,
        checkpoint_info,
        load_checkpoint,
        save_checkpoint,
        shipped_checkpoint,
    )
    from bvit_hw.models.config import BinaryViTConfig
    from bvit_hw.models.presets import PRESETS, preset

__all__ = [
    "PRESETS",
    "BinaryViT",
    "BinaryViTConfig",
    "checkpoint_config",
    "checkpoint_info",
    "load_checkpoint",
    "preset",
    "save_checkpoint",
    "shipped_checkpoint",
]

#: the module of each name
_WHERE = {
    "PRESETS": "presets",
    "BinaryViT": "binaryvit",
    "BinaryViTConfig": "config",
    "checkpoint_config": "checkpoint",
    "checkpoint_info": "checkpoint",
    "load_checkpoint": "checkpoint",
    "preset": "presets",
    "save_checkpoint": "checkpoint",
    "shipped_checkpoint": "checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not kept in this module: `import bvit_hw.models.checkpoint as c` and a monkeypatch must see the same object.
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
