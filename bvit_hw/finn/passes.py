"""The lowering passes: one for each hardware operator that a node of the contract becomes.

What a pass recognises is what the kind's file in bvit_hw/qonnx/operators reads; operators say which kind is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.finn.rewrite import LoweringPass
from bvit_hw.ops.registry import operators

PASSES: Sequence[type[LoweringPass]] = tuple(
    type(f"Infer{op_type}", (LoweringPass,), {"kind": cls.contract_node, "__doc__": cls.__doc__})
    for op_type, cls in operators().items()
    if cls.contract_node
)
