"""The integer contract (docs/contract.md): a frozen network as data, its file, its exact ranges, its execution.

NumPy only, so that whoever reads or runs a frozen network needs neither PyTorch nor ONNX.
What reads and runs one (pipeline/board_package.py lists it) goes to the board as well, and imports relatively.
"""

from .nodes import EXACT_BITS, FrozenGraph, FrozenNode, FrozenTensor

__all__ = ["EXACT_BITS", "FrozenGraph", "FrozenNode", "FrozenTensor"]
