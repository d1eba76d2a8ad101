"""Whether the accelerator that is loaded is the one that the package describes."""

from __future__ import annotations

from collections.abc import Callable

from . import registers as reg
from .errors import IdentityError
from .model_info import ModelInfo


def field(word: int, mask: int) -> int:
    """The bits of ``mask`` in a register's word, as a number."""
    return (word & mask) // (mask & -mask)


def to_signed(word: int) -> int:
    """A register's word as two's complement, as LOGITS_EXPONENT wants to be read."""
    return word - (1 << 32) if word & 1 << 31 else word


def check_identity(info: ModelInfo, read: Callable[[int], int]) -> None:
    """Compare the registers, which ``read`` gives by offset, with ``info``; IdentityError says what differs."""
    magic, version = read(reg.MAGIC), read(reg.VERSION)
    if magic != reg.MAGIC_VALUE:
        raise IdentityError(f"no BinaryViT accelerator: magic is {magic:#010x}, not {reg.MAGIC_VALUE:#010x}")
    if version != reg.VERSION_VALUE or version != info.interface_version:
        raise IdentityError(
            f"register map of version {version}; this driver speaks {reg.VERSION_VALUE}, the package is of "
            f"{info.interface_version}"
        )
    loaded = "".join(f"{read(reg.MODEL_HASH + 4 * word):08x}" for word in range(reg.MODEL_HASH_WORDS))
    if loaded != info.model_hash:
        raise IdentityError(
            f"the bitstream holds another model: {loaded[:16]}..., this package's is {info.model_hash[:16]}..."
        )
    size, depth = read(reg.IMAGE_SIZE), read(reg.IMAGE_DEPTH)
    height, width = field(size, reg.IMAGE_SIZE_HEIGHT), field(size, reg.IMAGE_SIZE_WIDTH)
    channels, classes = field(depth, reg.IMAGE_DEPTH_CHANNELS), field(depth, reg.IMAGE_DEPTH_CLASSES)
    exponent = to_signed(read(reg.LOGITS_EXPONENT))
    found = (height, width, channels, classes, exponent)
    if found != (info.height, info.width, info.channels, info.classes, info.logits_exponent):
        raise IdentityError(
            f"the bitstream takes {height} x {width} x {channels} and gives {classes} logits times 2^{exponent}; "
            f"model.json says {info.height} x {info.width} x {info.channels}, {info.classes}, 2^{info.logits_exponent}"
        )
