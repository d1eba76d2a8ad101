"""What all lowering passes share: find the patterns of one operator and put its node in their place."""

from __future__ import annotations

from typing import ClassVar

from onnx import helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from bvit_hw.contract import FrozenNode
from bvit_hw.finn.node import HW_DOMAIN, is_hw, make_hw_node
from bvit_hw.graph.from_contract import build_op
from bvit_hw.qonnx.operators import OPERATORS
from bvit_hw.qonnx.pattern import Graph, Pattern


class LoweringPass(Transformation):  # type: ignore[misc]  # qonnx is not typed
    """A pass of one operator: subclasses say which, :meth:`apply` replaces it.

    Used as ``model.transform(Pass())``, which works on a copy: the given model stays as it is.
    """

    #: the contract's kind of node
    kind: ClassVar[str]

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """The contract's node that the pattern writes; None where it is another operator's.

        Raises LoweringError where the pattern is this operator's but not as docs/qonnx.md has it.
        """
        return OPERATORS[self.kind].read(pattern)

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """The model with every match replaced, and False: one sweep finds all."""
        replaced = 0
        for pattern in Graph(model).patterns(is_hw):
            node = self.match(pattern)
            if node is not None:
                _replace(model, pattern, node)
                replaced += 1
        if replaced:
            _import_domain(model)
            _drop_unused(model)
        return model, False


def _replace(model: ModelWrapper, pattern: Pattern, node: FrozenNode) -> None:
    tensors = {name: pattern.tensor(name) for name in (*node.inputs, node.output)}
    op, params = build_op(node, tensors)
    names = []
    for key in sorted(params):
        name = f"{node.output}/param_{key}"
        model.graph.initializer.append(numpy_helper.from_array(params[key], name))
        names.append((key, name))
    shapes = {t.name: (1, t.height, t.width, t.channels) for t in tensors.values()}
    position = list(model.graph.node).index(pattern.nodes[-1])
    new = make_hw_node(node.output, op, node.inputs, (node.output,), names, shapes)
    model.graph.node.insert(position, new)
    for old in pattern.nodes:
        model.graph.node.remove(old)
    stream = op.outputs[0]
    if not tensors[node.output].binary:
        model.set_tensor_datatype(node.output, DataType[f"{'INT' if stream.signed else 'UINT'}{stream.bits}"])


def _import_domain(model: ModelWrapper) -> None:
    if all(entry.domain != HW_DOMAIN for entry in model.model.opset_import):
        model.model.opset_import.append(helper.make_opsetid(HW_DOMAIN, 1))


def _drop_unused(model: ModelWrapper) -> None:
    """Remove constants, shapes and datatypes of tensors that no node touches any more."""
    graph = model.graph
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {end.name for end in (*graph.input, *graph.output)}
    for entries, field in (
        (graph.initializer, "name"),
        (graph.value_info, "name"),
        (graph.quantization_annotation, "tensor_name"),
    ):
        kept = [entry for entry in entries if getattr(entry, field) in used]
        if len(kept) < len(entries):
            del entries[:]
            entries.extend(kept)
