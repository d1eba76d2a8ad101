"""Lowering: passes keep every tensor, give the operators of the frozen graph, and refuse what they do not know."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.errors import ConfigError, LoweringError
from bvit_hw.finn.execute import Executor, compare
from bvit_hw.finn.lower import hw_graph, lower, lower_model
from bvit_hw.finn.node import is_hw
from bvit_hw.finn.passes import PASSES
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.models import BinaryViTConfig
from bvit_hw.qonnx import to_qonnx
from bvit_hw.qonnx.pattern import Pattern
from tests.frozen_factory import CONFIGS, random_pixels


@cache
def frozen(name: str, seed: int = 0) -> FrozenGraph:
    return random_frozen(CONFIGS[name], seed=seed)


@cache
def exported(name: str) -> ModelWrapper:
    return to_qonnx(frozen(name))


def changed(name: str) -> ModelWrapper:
    """A copy of the exported model, free to be spoilt."""
    return ModelWrapper(exported(name).model, make_deepcopy=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_lowered_graph_is_the_frozen_one(name: str) -> None:
    """The way through QONNX, checked after every pass, gives operators, parameters and tensors of the direct way."""
    images = random_pixels(CONFIGS[name], 2)
    found, wanted = lower(exported(name), images=images), hw_graph_of(frozen(name))
    assert [(n.name, n.op, n.inputs, n.outputs) for n in found.nodes] == [
        (n.name, n.op, n.inputs, n.outputs) for n in wanted.nodes
    ]
    for a, b in zip(found.nodes, wanted.nodes, strict=True):
        assert set(a.params) == set(b.params), a.name
        for key in a.params:
            assert np.array_equal(a.params[key], b.params[key]), (a.name, key)


@pytest.mark.parametrize("name", CONFIGS)
def test_hardware_graph_computes_what_qonnx_does(name: str) -> None:
    image = random_pixels(CONFIGS[name], 1, seed=4)[0]
    reference = Executor(image).run(exported(name))
    found = hw_graph_of(frozen(name)).execute(image.reshape(1, -1))
    for tensor, values in found.items():
        wanted = reference[tensor].astype(np.int64).reshape(values.shape)
        if exported(name).get_tensor_datatype(tensor).name == "BIPOLAR":
            wanted = (wanted + 1) // 2
        assert np.array_equal(values, wanted), tensor


def test_passes_are_pure() -> None:
    model = changed("pyramid")
    before = model.model.SerializeToString(deterministic=True)
    lower_model(model)
    assert model.model.SerializeToString(deterministic=True) == before


def test_each_pass_replaces_its_own_patterns_only() -> None:
    busy = set()
    for name in ("pyramid", "token"):  # together they have every kind of node
        model, left = exported(name), len(exported(name).graph.node)
        for cls in PASSES:
            model = model.transform(cls(), cleanup=False)
            standard = [node for node in model.graph.node if not is_hw(node)]
            if len(standard) < left:
                busy.add(cls)
            left = len(standard)
        assert left == 0
    # a linear layer of integers is one standard node, which its operator takes the place of
    assert {cls.__name__ for cls in PASSES if cls not in busy} <= {"InferIntMVAU"}


def _set_attribute(model: ModelWrapper, node_name: str, attribute: str, value: object) -> None:
    (node,) = [n for n in model.graph.node if n.name == node_name]
    kept = [a for a in node.attribute if a.name != attribute]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(attribute, value)])


def _set_constant(model: ModelWrapper, name: str, value: np.ndarray) -> None:
    for init in model.graph.initializer:
        if init.name == name:
            init.CopyFrom(numpy_helper.from_array(value, name))
            return
    raise AssertionError(name)


def _rounding(model: ModelWrapper) -> None:
    """The Floor in front of a Quant that rounds to even left out."""
    producers = {node.output[0]: node for node in model.graph.node}
    quant = producers["b0.h"]
    quant.input[0] = producers[quant.input[0]].input[0]


def _half_threshold(model: ModelWrapper) -> None:
    values = np.asarray(model.get_initializer("b0.hq/threshold"))
    _set_constant(model, "b0.hq/threshold", (values + 0.5).astype(np.float32))


def _pool_of_twos(model: ModelWrapper) -> None:
    name = next(i.name for i in model.graph.initializer if i.name.startswith("ones/") and i.name.endswith("2x2"))
    _set_constant(model, name, 2 * np.asarray(model.get_initializer(name)))


def _transposed_patch(model: ModelWrapper) -> None:
    _set_attribute(model, "stem.patch/moved", "perm", [0, 1, 3, 4, 2])


def _weights_off_type(model: ModelWrapper) -> None:
    values = np.asarray(model.get_initializer("b0.q_acc/weights")).copy()
    values[0, 0] = 0
    _set_constant(model, "b0.q_acc/weights", values)


@pytest.mark.parametrize(
    ("spoil", "node", "reason"),
    [
        (_rounding, "b0.h", r"\(FLOOR, 1, 0, 1, 0\), has \('ROUND'"),
        (_half_threshold, "b0.hq", "integers"),
        (_pool_of_twos, "sum", "weights 1"),
        (_transposed_patch, "stem.patch", "perm"),
        (_weights_off_type, "b0.q_acc", "BIPOLAR"),
    ],
)
def test_a_pattern_that_does_not_fit_is_named(spoil: Callable[[ModelWrapper], None], node: str, reason: str) -> None:
    model = changed("pyramid")
    spoil(model)
    with pytest.raises(LoweringError, match=reason) as raised:
        lower_model(model)
    assert node in str(raised.value)


def test_leftover_nodes_are_named() -> None:
    model = changed("pyramid")
    (node,) = [n for n in model.graph.node if n.name == "b0.q_bit"]
    node.op_type, node.domain = "Sign", ""
    del node.input[1:]
    del node.attribute[:]
    with pytest.raises(LoweringError, match=r"no hardware operator.*b0\.q_bit \(Sign\)"):
        lower_model(model)


def test_a_wrong_pass_is_caught_by_the_comparison() -> None:
    (infer_binarize,) = [cls for cls in PASSES if cls.kind == "Binarize"]

    class OffByOne(infer_binarize):
        def match(self, pattern: Pattern) -> FrozenNode | None:
            node = super().match(pattern)
            if node is None or node.output != "b0.q_bit":
                return node
            threshold = np.minimum(node.params["threshold"] + 1, 127)
            return FrozenNode(op=node.op, inputs=node.inputs, output=node.output, params={"threshold": threshold})

    passes = [OffByOne if cls is infer_binarize else cls for cls in PASSES]
    with pytest.raises(LoweringError, match=r"after OffByOne: tensor b0\.q_bit differs"):
        lower_model(exported("pyramid"), images=random_pixels(CONFIGS["pyramid"], 4), passes=passes)


def test_comparison_sees_missing_tensors() -> None:
    with pytest.raises(LoweringError, match="no longer computed"):
        compare({}, {"x": np.zeros(3)}, "a pass")
    assert compare({"x": np.zeros(3), "y": np.ones(1)}, {"x": np.zeros(3)}, "a pass") == 1


def test_image_of_wrong_shape_is_refused() -> None:
    with pytest.raises(LoweringError, match="image of shape"):
        lower_model(exported("pyramid"), images=random_pixels(CONFIGS["odd"], 1))


def test_hardware_onnx_survives_serialization() -> None:
    model = lower_model(exported("odd"))
    again = ModelWrapper(model.model.FromString(model.model.SerializeToString()))
    a, b = hw_graph(model), hw_graph(again)
    assert [n.op for n in a.nodes] == [n.op for n in b.nodes]


@st.composite
def configurations(draw: st.DrawFn) -> BinaryViTConfig:
    """Small networks of any shape; illegal draws are drawn again."""
    stages = draw(st.integers(1, 2))
    side = draw(st.sampled_from([2, 4, 6])) if stages == 2 else draw(st.integers(1, 4))
    heads = draw(st.integers(1, 3))
    first = heads * draw(st.integers(1, 4))
    channels = [first * 2**s if stages == 2 else first for s in range(stages)]
    class_token = stages == 1 and draw(st.booleans())
    try:
        return BinaryViTConfig.create(
            image_size=4 * side,
            channels=tuple(channels),
            depths=(1,) * stages,
            heads=(heads,) * stages,
            mlp_widths=tuple(c * draw(st.integers(1, 3)) for c in channels),
            reductions=tuple(
                draw(st.sampled_from([1, 2])) if side % 2 == 0 and s == 0 and not class_token else 1
                for s in range(stages)
            ),
            class_token=class_token,
            classes=draw(st.integers(2, 6)),
            act_bits=draw(st.integers(4, 8)),
            pool_branches=not class_token and draw(st.booleans()),
            full_precision_merges=draw(st.booleans()),
        )
    except ConfigError:
        return CONFIGS["plain"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(config=configurations(), seed=st.integers(0, 1000))
def test_random_networks_lower_exactly(config: BinaryViTConfig, seed: int) -> None:
    graph = random_frozen(config, seed=seed)
    found = lower(to_qonnx(graph), images=random_pixels(config, 1, seed))
    assert [n.op for n in found.nodes] == [n.op for n in hw_graph_of(graph).nodes]
