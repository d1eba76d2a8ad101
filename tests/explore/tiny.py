"""A network that trains and folds in a moment, and searches around it."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription, network_text

TINY = BinaryViTConfig.create(
    image_size=32, patch_size=8, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,), reductions=(1,), classes=10
)
TRAINED_SPACE = """
base = "tiny.toml"
[network]
depths = { each = [1, 2] }
mlp_widths = [[8], [16], [24]]
[hardware]
target_fps = [20000]
[training]
epochs = 6
first_rung = 1
reduction = 2
finalists = 1
final_epochs = 7
"""


def write_space(folder: Path, text: str = TRAINED_SPACE) -> Path:
    """A space file with its base beside it."""
    network = NetworkDescription(name="tiny", config=TINY, recipe="digits", data="digits")
    (folder / "tiny.toml").write_text(network_text(network))
    (folder / "space.toml").write_text(text)
    return folder / "space.toml"
