"""BinaryAttention: one node of our own domain."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.export.ops import DOMAIN
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, floats, shape_of
from bvit_hw.qonnx.pattern import Pattern


class BinaryAttention(QonnxOperator):
    """Table and threshold are constants."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        table = e.constant(
            f"{out.name}/table", floats(node.params["table"]), f"UINT{node.attrs['table_bits']}"
        )  # fmt: skip
        threshold = e.constant(f"{out.name}/threshold", floats(node.params["threshold"]), "UINT18")
        e.node(
            "BinaryAttention", [*node.inputs, table, threshold], out.name, shape_of(out), datatype_of(out),
            domain=DOMAIN, **{key: node.attrs[key] for key in ("heads", "table_bits", "table_shift")},
        )  # fmt: skip

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
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
