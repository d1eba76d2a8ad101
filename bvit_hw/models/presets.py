"""Named networks: the shipped ones, the paper's, and the rows of its ablation; a TOML file each (docs/models.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from bvit_hw.errors import ConfigError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription, read_network

_FOLDER = Path(__file__).parent / "networks"
#: all of them in the order in which they are listed: the paper's ablation adds one part a row
NAMES = (
    "tiny-digits", "tiny-digits-some-fp", "tiny-cifar10", "tiny-cifar100", "cifar10", "fashion-mnist", "deit-baseline",
    "deit-avg_pool", "deit-multi_branch", "deit-affine", "small-224", "small-224-some-fp",
)  # fmt: skip


@cache
def preset_network(name: str) -> NetworkDescription:
    """The network called ``name``; an unknown name raises :class:`ConfigError` listing the known ones."""
    if name not in NAMES:
        raise ConfigError(f"preset {name!r} is unknown; allowed: {', '.join(NAMES)}")
    return read_network(_FOLDER / f"{name}.toml")


def preset(name: str) -> BinaryViTConfig:
    """The configuration called ``name``; an unknown name raises :class:`ConfigError` listing the known ones."""
    return preset_network(name).config


class _Presets(Mapping[str, BinaryViTConfig]):
    """The configurations by name; a file is read when its network is asked for."""

    def __getitem__(self, name: str) -> BinaryViTConfig:
        if name not in NAMES:
            raise KeyError(name)
        return preset(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


PRESETS: Mapping[str, BinaryViTConfig] = _Presets()
