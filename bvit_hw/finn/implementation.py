"""The chosen flavour of each operator, RTL or HLS, as FINN reads it."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper

#: FINN's attribute, which SpecializeLayers goes by
ATTRIBUTE = "preferred_impl_style"


def with_implementations(model: ModelWrapper, chosen: Mapping[str, str]) -> ModelWrapper:
    """A copy of a lowered model whose nodes tell FINN's SpecializeLayers which flavour to take."""
    model = ModelWrapper(model.model, make_deepcopy=True)
    for node in model.graph.node:
        kept = [attribute for attribute in node.attribute if attribute.name != ATTRIBUTE]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(ATTRIBUTE, chosen[node.name])])
    return model
