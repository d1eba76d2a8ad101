"""Freezing: a network in PyTorch becomes the integers of docs/contract.md."""

from bvit_hw.freeze.network import freeze
from bvit_hw.freeze.random_frozen import random_frozen, random_images

__all__ = ["freeze", "random_frozen", "random_images"]
