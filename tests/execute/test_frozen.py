"""FrozenBinaryViT against plain loops over the definitions of docs/contract.md; names; the random graphs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError, FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.execute.fused import FusedBinaryViT
from bvit_hw.freeze import random_frozen, random_images
from tests.frozen_factory import CONFIGS, random_pixels


def _run(node: FrozenNode, *tensors: FrozenTensor, frames: list[np.ndarray]) -> np.ndarray:
    """Output of a single node, H x W x C; ``tensors`` are the inputs', then the output's."""
    names = {t.name: t for t in tensors}
    graph = FrozenGraph(tensors=names, nodes=(node,), input=tensors[0].name, output=tensors[-1].name, config={})
    model = FrozenBinaryViT(graph)
    inputs = [torch.from_numpy(frame)[None].to(torch.int32) for frame in frames]
    out = getattr(model, f"_{node.op}")(node, tensors[-1], *inputs)
    return out[0].numpy()


def _tensor(name: str, shape: tuple[int, int, int], bits: int, signed: bool = True) -> FrozenTensor:
    return FrozenTensor(name=name, height=shape[0], width=shape[1], channels=shape[2], bits=bits, signed=signed)


def _values(shape: tuple[int, ...], low: int, high: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high + 1, shape)


def _affine(x: list[int], c: int, token: int, node: FrozenNode, bits: int) -> int:
    """ChannelAffine of one value in Python's integers."""
    a, p = node.attrs, {k: v.tolist() for k, v in node.params.items()}
    total = p["bias"][token % len(p["bias"])][c]
    for i, value in enumerate(x):
        total += (p[f"coef{i}"][c] * value if a["multiply"][i] else value) << a["shift"][i]
    if a["prelu"]:
        mid = total >> a["mid_shift"]
        total = mid * 2 ** a["slope_shift"] if mid >= 0 else p["slope"][c] * mid
        total += p["bias2"][token % len(p["bias2"])][c]
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, total // 2 ** a["out_shift"]))


@pytest.mark.parametrize("prelu", [0, 1])
@pytest.mark.parametrize("rows", [1, 6])
def test_channel_affine(prelu: int, rows: int) -> None:
    rng = np.random.default_rng(prelu + rows)
    params = {
        "coef1": rng.integers(-128, 128, 4), "bias": rng.integers(-900, 900, (1 if prelu else rows, 4)),
        "slope": rng.integers(-128, 128, 4), "bias2": rng.integers(-9000, 9000, (rows, 4)),
    }  # fmt: skip
    if not prelu:
        del params["slope"], params["bias2"]
    attrs = {
        "multiply": (0, 1), "shift": (3, 1), "prelu": prelu, "mid_shift": 2 * prelu, "slope_shift": 5 * prelu,
        "out_shift": 9 if prelu else 5, "coef_bits": 8, "slope_bits": 8,
    }  # fmt: skip
    node = FrozenNode(op="ChannelAffine", inputs=("a", "b"), output="y", attrs=attrs, params=params)
    shape = (2, 3, 4)
    frames = [_values(shape, -128, 127, 1), _values(shape, -128, 127, 2)]
    got = _run(node, _tensor("a", shape, 8), _tensor("b", shape, 8), _tensor("y", shape, 8), frames=frames)
    want = [
        _affine([int(f.reshape(6, 4)[n, c]) for f in frames], c, n, node, 8) for n in range(6) for c in range(4)
    ]  # fmt: skip
    assert got.reshape(-1).tolist() == want
    assert {-128, 127} <= set(want), "the case must saturate on both sides"


def test_linears_and_binarize() -> None:
    x, weights = _values((1, 2, 5), 0, 1), _values((3, 5), 0, 1, 3) * 2 - 1
    node = FrozenNode(op="BinaryLinear", inputs=("x",), output="y", params={"weights": weights.astype(np.int8)})
    got = _run(node, _tensor("x", (1, 2, 5), 1, False), _tensor("y", (1, 2, 3), 4), frames=[x])
    equal = [[sum((w > 0) == b for w, b in zip(row, x[0, n], strict=True)) for row in weights] for n in range(2)]
    assert got[0].tolist() == [[2 * e - 5 for e in row] for row in equal]

    x, weights = _values((1, 2, 5), 0, 255), _values((3, 5), -128, 127, 3)
    node = FrozenNode(op="IntLinear", inputs=("x",), output="y", params={"weights": weights.astype(np.int8)})
    got = _run(node, _tensor("x", (1, 2, 5), 8, False), _tensor("y", (1, 2, 3), 18), frames=[x])
    assert got[0].tolist() == [[sum(int(w) * int(v) for w, v in zip(r, x[0, n], strict=True)) for r in weights]
                               for n in range(2)]  # fmt: skip

    x = np.array([[[-3, -3, -3], [-2, -2, 3]]])
    node = FrozenNode(op="Binarize", inputs=("x",), output="y", params={"threshold": np.array([-2, -4, 4])})
    got = _run(node, _tensor("x", (1, 2, 3), 3), _tensor("y", (1, 2, 3), 1, False), frames=[x])
    assert got.tolist() == [[[0, 1, 0], [1, 1, 0]]]


def test_layout_operations() -> None:
    h, w, c = 4, 6, 2
    x = np.arange(h * w * c).reshape(h, w, c)
    t = _tensor("x", (h, w, c), 8)

    node = FrozenNode(op="PatchGather", inputs=("x",), output="y", attrs={"window_h": 2, "window_w": 3})
    got = _run(node, t, _tensor("y", (2, 2, 12), 8), frames=[x])
    for yy, xx, ky, kx, ch in np.ndindex(2, 2, 2, 3, 2):
        assert got[yy, xx, (ky * 3 + kx) * c + ch] == x[2 * yy + ky, 3 * xx + kx, ch]

    node = FrozenNode(op="SpatialPool", inputs=("x",), output="y", attrs={"window_h": 2, "window_w": 3})
    got = _run(node, t, _tensor("y", (2, 2, 2), 11), frames=[x])
    for yy, xx, ch in np.ndindex(2, 2, 2):
        assert got[yy, xx, ch] == sum(x[2 * yy + i, 3 * xx + j, ch] for i in range(2) for j in range(3))

    node = FrozenNode(op="Upsample", inputs=("x",), output="y", attrs={"factor": 2})
    got = _run(node, t, _tensor("y", (8, 12, 2), 8), frames=[x])
    assert all(got[i, j, ch] == x[i // 2, j // 2, ch] for i, j, ch in np.ndindex(8, 12, 2))

    node = FrozenNode(op="ChannelRepeat", inputs=("x",), output="y", attrs={"repeat": 3})
    got = _run(node, t, _tensor("y", (h, w, 6), 8), frames=[x])
    assert all((got[..., r * c + ch] == x[..., ch]).all() for r in range(3) for ch in range(c))

    wide = np.arange(24).reshape(2, 2, 6) ** 2
    node = FrozenNode(op="ChannelPool", inputs=("x",), output="y", attrs={"group": 3})
    got = _run(node, _tensor("x", (2, 2, 6), 11), _tensor("y", (2, 2, 2), 13), frames=[wide])
    assert got.tolist() == [[[sum(v[:3]), sum(v[3:])] for v in row] for row in wide.tolist()]


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (7, 6)])
def test_multi_pool(grid: tuple[int, int]) -> None:
    shape = (*grid, 3)
    x, coef, bias = _values(shape, -128, 127), _values((4, 3), -128, 127, 1), _values((3,), -500, 500, 2)
    node = FrozenNode(
        op="MultiPool", inputs=("x",), output="y", attrs={"coef_bits": 8, "out_shift": 9},
        params={"coef": coef, "bias": bias},
    )  # fmt: skip
    got = _run(node, _tensor("x", shape, 8), _tensor("y", shape, 8), frames=[x])
    for i, j, c in np.ndindex(*shape):
        total = int(bias[c])
        for p, (up, left) in enumerate(((1, 0), (0, 1), (2, 0), (0, 2))):
            total += int(coef[p, c]) * sum(
                int(x[a, b, c])
                for a in range(max(i - up, 0), min(i + up + 1, grid[0]))
                for b in range(max(j - left, 0), min(j + left + 1, grid[1]))
            )
        assert got[i, j, c] == max(-128, min(127, total >> 9))


def test_attention_rows() -> None:
    """Both heads, unequal numbers of queries and keys; rows that attend to nothing, to some, to all."""
    d, heads = 4, 2
    q, k, v = _values((2, 3, 8), 0, 1, 1), _values((2, 2, 8), 0, 1, 2), _values((2, 2, 8), 0, 1, 3)
    table = np.array([0, 3, 40, 500, 32767])
    bit = {n: _tensor(n, (2, w, 8), 1, False) for n, w in (("q", 3), ("k", 2), ("v", 2))}
    counts = set()
    for threshold in (0, 9000, 33000, 65535):
        node = FrozenNode(
            op="BinaryAttention", inputs=("q", "k", "v"), output="y",
            attrs={"heads": heads, "table_bits": 15, "table_shift": 16},
            params={"table": table, "threshold": np.array(threshold)},
        )  # fmt: skip
        got = _run(node, bit["q"], bit["k"], bit["v"], _tensor("y", (2, 3, 8), 4), frames=[q, k, v]).reshape(6, 8)
        for n in range(6):
            for h in range(heads):
                channels = slice(h * d, h * d + d)
                query, keys, values = q.reshape(6, 8)[n, channels], k.reshape(4, 8), v.reshape(4, 8)
                entries = [int(table[(query == key[channels]).sum()]) for key in keys]
                attended = [e * 2**16 > threshold * sum(entries) for e in entries]
                counts.add(sum(attended))
                want = sum((values[j, channels] * 2 - 1 for j in range(4) if attended[j]), np.zeros(d, dtype=int))
                assert got[n, channels].tolist() == want.tolist()
    assert {0, 1, 4} <= counts


def test_names_of_the_contract() -> None:
    """The tiny network's tensors, written out for a block with and one without pooling, and for a transition."""
    graph = random_frozen("tiny-digits", seed=3)
    names = [node.output for node in graph.nodes]
    pooled = (
        "h hq q_acc q r_sum r_bit r_acc g gk k_acc k gv v_acc v q_bit k_bit v_bit att k_up v_up ctx ctx_bit o_acc o"
    )
    mlp = "y h2 h2_bit f_acc h2_rep f f_bit z_acc f_pool z p x"
    plain = "h hq q_acc q gk k_acc k gv v_acc v q_bit k_bit v_bit att ctx ctx_bit o_acc o"
    want = ["stem.patch", "stem.acc", "stem.x"]
    for block, (stage, tensors) in enumerate([(0, pooled), (1, pooled), (2, plain), (2, plain), (3, plain)]):
        if block in (1, 2, 4):
            want += [f"t{stage}.{part}" for part in ["h", "h_bit", "patch", "acc", "short_sum", "short", "x"]]
        want += [f"b{block}.{part}" for part in f"{tensors} {mlp}".split()]
    # The last grid is 1 x 1: no head.sum.
    assert names == [*want, "head.f", "head.acc", "logits"]
    assert graph.tensors["logits"].bits == 24 and graph.tensors["logits"].exponent == graph.tensors["head.acc"].exponent


@pytest.mark.parametrize("name", CONFIGS)
def test_random_graphs_are_alive(name: str) -> None:
    """Tensors fit their declared shape and width, none is constant, batches do not mix, seeds repeat."""
    config = CONFIGS[name]
    graph, images = random_frozen(config, seed=5), random_pixels(config, 6)
    model = FrozenBinaryViT(graph)
    trace = model.trace(torch.from_numpy(images))
    assert list(trace) == [graph.input, *(node.output for node in graph.nodes)] and set(trace) == set(graph.tensors)
    for key, value in trace.items():
        t = graph.tensors[key]
        assert tuple(value.shape) == (6, t.height, t.width, t.channels)
        low = -(1 << (t.bits - 1)) if t.signed else 0
        assert low <= value.min() and value.max() < low + (1 << t.bits)
        assert value.min() < value.max(), f"{key} is constant"
    assert torch.equal(model(torch.from_numpy(images)), trace["logits"].flatten(1))
    assert torch.equal(model(torch.from_numpy(images[2:3])), trace["logits"].flatten(1)[2:3])
    assert (model.predict(images, batch_size=4) == trace["logits"].flatten(1).argmax(1).numpy()).all()
    again = random_frozen(config, seed=5)
    same = [
        np.array_equal(a.params[k], b.params[k])
        for a, b in zip(graph.nodes, again.nodes, strict=True)
        for k in a.params
    ]
    assert all(same)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_fused_on_gpus_computes_the_same_integers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its operators and narrow types, not compiled; tests/test_gpu.py has the generated kernels."""
    genuine, products = torch._int_mm, []
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: products.append(a.shape) or genuine(a, b))
    graph, images = random_frozen(CONFIGS[name], seed=5), torch.from_numpy(random_pixels(CONFIGS[name], 6))
    want, got = FrozenBinaryViT(graph).trace(images), FusedBinaryViT(graph, compiled=False).trace(images)
    assert [key for key in want if not torch.equal(want[key], got[key])] == []
    assert products or name == "odd", "no product was one of integers"


def test_wrong_input() -> None:
    graph = random_frozen(CONFIGS["pyramid"])
    model = FrozenBinaryViT(graph)
    with pytest.raises(ConfigError, match=r"expected uint8, N x 16 x 16 x 3"):
        model(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="float32"):
        model(torch.zeros(1, 16, 16, 3))
    strange = FrozenNode(op="Softmax", inputs=("pixels",), output="y")
    with pytest.raises(FreezeError, match="y: operation 'Softmax'"):
        FrozenBinaryViT(FrozenGraph(tensors={}, nodes=(strange,), input="pixels", output="y", config={}))


def test_random_images_are_images() -> None:
    images = random_images("tiny-digits", 3, seed=1)
    assert images.shape == (3, 32, 32, 3) and images.dtype == np.uint8 and images.std() > 30
