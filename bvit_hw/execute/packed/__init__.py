"""The frozen network on a CPU, bits packed: XOR and population count instead of multiplications."""

from bvit_hw.execute.packed.executor import PackedBinaryViT

__all__ = ["PackedBinaryViT"]
