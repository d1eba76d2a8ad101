"""Pass: the exporter's BinaryAttention node -> the operator of the same name."""

from __future__ import annotations

from bvit_hw.contract import FrozenNode
from bvit_hw.export.ops import DOMAIN
from bvit_hw.lower.pattern import Pattern
from bvit_hw.lower.rewrite import LoweringPass


class InferBinaryAttention(LoweringPass):
    """One node of our own domain; table and threshold are constants."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["BinaryAttention"] or pattern.nodes[0].domain != DOMAIN:
            return None
        (node,) = pattern.nodes
        *streams, table, threshold = node.input
        inputs = [pattern.tensor(name) for name in streams]
        pattern.expect(all(t.binary for t in inputs), "queries, keys and values must be bipolar")
        return FrozenNode(
            op="BinaryAttention",
            inputs=tuple(t.name for t in inputs),
            output=pattern.output,
            attrs={key: int(pattern.attribute(node, key)) for key in ("heads", "table_bits", "table_shift")},
            params={"table": pattern.integers(table).reshape(-1), "threshold": pattern.integers(threshold).reshape(())},
        )
