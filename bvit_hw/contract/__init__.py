"""The integer contract (docs/contract.md): a frozen network as data, its file, its exact ranges, its execution.

NumPy only, so that whoever reads or runs a frozen network needs neither PyTorch nor ONNX.
"""

from bvit_hw.contract.nodes import EXACT_BITS, FrozenGraph, FrozenNode, FrozenTensor

__all__ = ["EXACT_BITS", "FrozenGraph", "FrozenNode", "FrozenTensor"]
