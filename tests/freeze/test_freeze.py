"""Freezing: node by node against the QAT model's own arithmetic, and end to end on the shipped checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bvit_hw.contract import FrozenTensor
from bvit_hw.contract.attention_rule import threshold_integer
from bvit_hw.contract.exactness import check_exact
from bvit_hw.contract.fixed_point import RealAffine, fit_affine
from bvit_hw.contract.operators import OPERATORS
from bvit_hw.data import load_dataset, normalize
from bvit_hw.errors import FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.models import BinaryViT, load_checkpoint, shipped_checkpoint
from tests.frozen_factory import CLASS_TOKEN, CONFIGS, calibrated_model, random_pixels


def _normalized(model_name: str, pixels: np.ndarray) -> torch.Tensor:
    config = CONFIGS[model_name]
    return normalize(pixels, config.mean, config.std)


@pytest.fixture(scope="module", params=list(CONFIGS))
def case(request: pytest.FixtureRequest) -> tuple[str, BinaryViT, np.ndarray]:
    pixels = random_pixels(CONFIGS[request.param], 48)
    return request.param, calibrated_model(CONFIGS[request.param], _normalized(request.param, pixels)), pixels


def _node_errors(name: str, model: BinaryViT, pixels: np.ndarray, bits: int) -> dict[str, torch.Tensor]:
    """Frozen integers minus the QAT model's values before its rounding, in steps, for every tensor that is rounded.

    Each node is given the QAT model's own inputs, so that errors do not add up; saturated values are left out.
    """
    graph = freeze(model, coef_bits=bits, slope_bits=bits)
    frozen = FrozenBinaryViT(graph)
    real: dict[str, torch.Tensor] = {}
    quantizers = model.act_quantizers()
    handles = [
        quantizer.register_forward_pre_hook(lambda _module, args, name=name: real.update({name: args[0]}))
        for name, quantizer in quantizers.items()
    ]
    truth = model.trace(_normalized(name, pixels))
    for handle in handles:
        handle.remove()
    real["logits"] = truth["logits"]
    values = {graph.input: torch.from_numpy(pixels).to(torch.int32)}
    errors = {}
    for node in graph.nodes:
        out = graph.tensors[node.output]
        value = getattr(frozen, f"_{node.op}")(node, out, *(values[i] for i in node.inputs))
        if node.output in truth:
            step = 2.0**out.exponent
            exact = real[node.output].reshape(value.shape).to(torch.float64) / step
            inside = (exact > -(1 << (out.bits - 1))) & (exact < (1 << (out.bits - 1)) - 1)
            errors[node.output] = (value - exact)[inside]
            if node.output in quantizers:
                value = (truth[node.output].reshape(value.shape) / step).round().to(torch.int32)
        values[node.output] = value
    assert set(errors) == set(truth), "every tensor of the model's trace is a tensor of the frozen graph"
    return errors


def test_every_node_computes_what_the_model_computes(case: tuple[str, BinaryViT, np.ndarray]) -> None:
    """12-bit mantissas: rounding half a step and little more; a wrong term anywhere would show at once."""
    for name, error in _node_errors(*case, bits=12).items():
        assert len(error) > 50, f"{name}: nearly all of it saturates"
        assert error.abs().max() <= 0.75, name
        assert error.abs().mean() < 0.28, name


def test_eight_bits_cost_little_at_each_node(case: tuple[str, BinaryViT, np.ndarray]) -> None:
    """Half a step of rounding, uniform, has a mean square of 1/12."""
    for name, error in _node_errors(*case, bits=8).items():
        assert error.square().mean() < 0.5, name
        # Ties, the rule where nothing is multiplied, go up here and to even in QAT.
        assert error[error != 0.5].mean().abs() < 0.15, name


def test_shortcuts_are_shifts(case: tuple[str, BinaryViT, np.ndarray]) -> None:
    """Only 1/9 of a 3 x 3 pool needs a multiplier; thresholds and attention come from the shared rule."""
    name, model, _ = case
    graph = freeze(model)
    check_exact(graph)
    multiplied = {n.output: n.attrs["multiply"] for n in graph.nodes if n.op == "ChannelAffine"}
    assert multiplied["stem.grid" if name == "token" else "stem.x"] == multiplied["logits"] == (0,) and multiplied[
        "b0.h"
    ] == (1,)
    assert multiplied["b0.q"] == (1, 0) and multiplied["b0.ctx"] == (1, 0, 0, 0)
    if name not in ("plain", "token"):
        assert multiplied["b0.g"] == ((1, 1) if name == "odd" else (1, 0))
        assert multiplied["b0.x"] == (1, 0, 0)
    # 32 / 8 = 4 and 16 / 8 = 2 channels a group are shifts, 18 / 6 = 3 is not.
    assert multiplied["b0.z"] == ((1, 1) if name == "odd" else (1, 0))
    if name in ("plain", "token"):
        assert multiplied["b0.x"] == multiplied["b0.y"] == (0, 0)
    attention = next(n for n in graph.nodes if n.op == "BinaryAttention")
    assert int(attention.params["threshold"]) == threshold_integer(model.blocks[0].attn.clip.item())


def test_binary_weights_follow_the_paper() -> None:
    """Rows of linear layers are centred, those of the 2 x 2 convolution are not; 0 counts as +1."""
    pixels = random_pixels(CONFIGS["pyramid"], 4)
    model = calibrated_model(CONFIGS["pyramid"], _normalized("pyramid", pixels))
    with torch.no_grad():
        for layer in (model.blocks[0].attn.q.linear, model.merges[0].linear):
            layer.weight.zero_()
            layer.weight[:, 0], layer.weight[:, 1] = 5.0, -1.0
    params = {n.output: n.params for n in freeze(model).nodes}
    assert (params["b0.q_acc"]["weights"] == [1] + [-1] * 7).all()
    assert (params["t1.acc"]["weights"] == [1, -1] + [1] * 30).all()


@pytest.mark.parametrize("split", ["test", pytest.param("train", marks=pytest.mark.slow)])
def test_shipped_checkpoint_loses_less_than_half_a_point(split: str) -> None:
    model = load_checkpoint(shipped_checkpoint())
    data = load_dataset("digits")
    images, labels = getattr(data, f"{split}_images"), getattr(data, f"{split}_labels")
    with torch.no_grad():
        parts = normalize(images, model.config.mean, model.config.std).split(256)
        qat = torch.cat([model(part).argmax(dim=1) for part in parts]).numpy()
    frozen = FrozenBinaryViT(freeze(model)).predict(images)
    assert (frozen == labels).mean() >= (qat == labels).mean() - 0.005
    assert (frozen == qat).mean() > 0.99


def test_what_cannot_be_frozen() -> None:
    config = CONFIGS["pyramid"]
    with pytest.raises(FreezeError, match="no activation exponents"):
        freeze(BinaryViT(config))
    model = calibrated_model(config, _normalized("pyramid", random_pixels(config, 4)))
    with pytest.raises(FreezeError, match=r"coef_bits=2; allowed: 4\.\.12"):
        freeze(model, coef_bits=2)
    with torch.no_grad():
        model.blocks[1].z.rprelu.slope[3] = 1e4
    with pytest.raises(FreezeError, match=r"b1\.z: .*slopes up to 10000"):
        freeze(model)
    with torch.no_grad():
        model.blocks[1].z.rprelu.slope[3] = 0.2
        model.blocks[0].attn.q.move[2] = float("nan")
    with pytest.raises(FreezeError, match=r"threshold on b0\.h: a move is not finite"):
        freeze(model)


def test_class_token_is_one_more_row() -> None:
    """Frozen, the token and its position embedding are one stored row; the head sees nothing but that row's tokens."""
    config = CLASS_TOKEN
    model = calibrated_model(config, normalize(random_pixels(config, 16), config.mean, config.std))
    graph = freeze(model)
    pixels = torch.from_numpy(random_pixels(config, 3))
    trace = FrozenBinaryViT(graph).trace(pixels)
    side = config.side(0)
    assert trace["stem.grid"].shape == (3, side, side, 8) and trace["stem.x"].shape == (3, 1, side * side + 1, 8)
    assert torch.equal(trace["stem.x"][:, 0, 1:], trace["stem.grid"].flatten(1, 2))
    token = (model.stem.class_token[0, 0] + model.stem.position[0]).detach()
    stored = trace["stem.x"][0, 0, 0] * 2.0 ** graph.tensors["stem.x"].exponent
    assert (stored - token).abs().max() <= 2.0 ** graph.tensors["stem.x"].exponent / 2
    assert torch.equal(trace["head.token"][:, 0, 0], trace["b1.x"][:, 0, 0])


@pytest.mark.parametrize("slope", [None, 30.0])
def test_constants_lose_nothing_by_their_own_rounding(slope: float | None) -> None:
    """Of integers and shifts alone the node gives round(x + bias) exactly, whatever the real bias; never off by one."""
    x = FrozenTensor(name="x", height=1, width=64, channels=32, bits=8, signed=True, exponent=-5)
    out = FrozenTensor(name="y", height=1, width=64, channels=32, bits=8, signed=True, exponent=-2)
    bias = np.random.default_rng(2).uniform(-2, 2, (1, 32))
    if slope is None:
        real = RealAffine(factors=(1.0,), bias=bias)
    else:
        # All of x is on one side of the RPReLU, where its slope is 1; the second bias has to be right there.
        real = RealAffine(factors=(1.0,), bias=np.full((1, 32), 4.0), slope=np.full(32, slope), bias2=bias - 4.0)
    node = fit_affine((x,), out, real, coef_bits=8, slope_bits=8)
    integers = np.broadcast_to(np.arange(-128, 128).reshape(4, 1, 64, 1), (4, 1, 64, 32)).astype(np.int64)
    found = OPERATORS[node.op].run(node, out, integers)
    wanted = np.floor((integers * 2.0**-5 + bias) * 4 + 0.5).astype(np.int64)
    assert np.array_equal(found, wanted)


def test_weights_that_are_all_zero_leave_integers() -> None:
    """Two columns of 2-bit weights, both 0: what they give is a number of two bits, not +-1, and goes into hardware."""
    sizes = {"channels": (2,), "mlp_widths": (2,), "classes": 1, "weight_bits": 2}
    config = CONFIGS["plain"].model_copy(update=sizes)
    graphs = (random_frozen(config, seed) for seed in range(40))
    zero = next(g for g in graphs if not any(n.params["weights"].any() for n in g.nodes if n.output == "head.acc"))
    assert (zero.tensors["head.acc"].bits, zero.tensors["head.acc"].signed) == (2, True)
    assert hw_graph_of(zero).node("logits").op.inputs[0].bits == 2
