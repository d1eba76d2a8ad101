"""How each operation of the integer contract is written in ONNX nodes; the table is in docs/qonnx.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.operators.channel_affine import MID_BITS
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.errors import ExportError
from bvit_hw.export.emitter import QONNX_DOMAIN, Emitter
from bvit_hw.export.ops import DOMAIN

Shape = tuple[int, int, int, int]

_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)


def shape_of(tensor: FrozenTensor) -> Shape:
    """Shape of a tensor in QONNX: one image, channels last."""
    return (1, tensor.height, tensor.width, tensor.channels)


def datatype_of(tensor: FrozenTensor) -> str:
    """QONNX datatype of a tensor; a binary one is BIPOLAR, -1 / +1."""
    if tensor.binary:
        return "BIPOLAR"
    return f"{'INT' if tensor.signed else 'UINT'}{tensor.bits}"


def _integer_type(values: np.ndarray) -> str:
    """Smallest signed QONNX datatype that holds ``values``."""
    low, high = int(values.min()), int(values.max())
    return f"INT{max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1}"


def _floats(values: np.ndarray) -> np.ndarray:
    return np.asarray(values).astype(np.float32)


class Patterns:
    """Writes one frozen node after the other into an :class:`Emitter`."""

    def __init__(self, emitter: Emitter, tensors: Mapping[str, FrozenTensor]) -> None:
        self.emitter = emitter
        self.tensors = tensors

    def write(self, node: FrozenNode) -> None:
        """Append the pattern of ``node``; an operation without one raises :class:`ExportError`."""
        pattern: Callable[[FrozenNode, FrozenTensor], None] | None = getattr(self, f"_{node.op}", None)
        if pattern is None:
            raise ExportError(f"{node.output}: operation {node.op!r} has no QONNX pattern")
        pattern(node, self.tensors[node.output])

    def _input(self, node: FrozenNode, index: int = 0) -> FrozenTensor:
        return self.tensors[node.inputs[index]]

    def _finish(self, x: str, out: FrozenTensor, shift: int) -> None:
        """Last two nodes of everything that rounds: the scale of the shift, then floor and saturation."""
        shape = shape_of(out)
        scaled = self.emitter.node("Mul", [x, self.emitter.scalar(2.0**-shift)], f"{out.name}/scaled", shape)
        self.emitter.quant(scaled, out.name, shape, out.bits)

    def _PatchGather(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e = self._input(node), self.emitter
        kh, kw = node.attrs["window_h"], node.attrs["window_w"]
        datatype = datatype_of(x)
        # A window's row is contiguous in NHWC: its columns and channels stay one axis.
        cut = (1, out.height, kh, out.width, kw * x.channels)
        moved = (1, out.height, out.width, kh, kw * x.channels)
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype)
        y = e.node("Transpose", [y], f"{out.name}/moved", moved, datatype, perm=(0, 1, 3, 2, 4))
        e.reshape(y, out.name, shape_of(out), datatype)

    def _linear(self, node: FrozenNode, out: FrozenTensor, datatype: str) -> None:
        e = self.emitter
        stored = node.params["weights"].T
        name = e.constant(f"{out.name}/weights", stored, datatype)
        weights = e.node("Cast", [name], f"{out.name}/weights_float", stored.shape, datatype, to=1)
        e.node("MatMul", [node.inputs[0], weights], out.name, shape_of(out), datatype_of(out))

    def _BinaryLinear(self, node: FrozenNode, out: FrozenTensor) -> None:
        self._linear(node, out, "BIPOLAR")

    def _IntLinear(self, node: FrozenNode, out: FrozenTensor) -> None:
        self._linear(node, out, f"INT{node.attrs['weight_bits']}")

    def _ChannelAffine(self, node: FrozenNode, out: FrozenTensor) -> None:
        e, attrs, shape = self.emitter, node.attrs, shape_of(out)
        coef_type = f"INT{attrs['coef_bits']}"

        def constant(key: str) -> str:
            values = node.params[key]
            # One row for every token becomes the grid, a single row stays a vector of channels.
            grid = values.reshape(shape[1:]) if len(values) > 1 else values[0]
            return e.constant(f"{out.name}/{key}", _floats(grid), _integer_type(values))

        total = ""
        for i, name in enumerate(node.inputs):
            if attrs["multiply"][i]:
                coef = e.constant(f"{out.name}/coef{i}", _floats(node.params[f"coef{i}"]), coef_type)
                name = e.node("Mul", [name, coef], f"{out.name}/product{i}", shape)
            name = e.node("Mul", [name, e.scalar(2.0 ** attrs["shift"][i])], f"{out.name}/term{i}", shape)
            total = e.node("Add", [total, name], f"{out.name}/sum{i}", shape) if i else name
        v = e.node("Add", [total, constant("bias")], f"{out.name}/t", shape)
        if attrs["prelu"]:
            shift = attrs["slope_shift"]
            v = e.node("Mul", [v, e.scalar(2.0 ** -attrs["mid_shift"])], f"{out.name}/t_scaled", shape)
            v = e.quant(v, f"{out.name}/m", shape, MID_BITS)
            slope_bits = attrs["slope_bits"]
            slope_type = f"FIXED<{slope_bits},{slope_bits - shift}>" if shift else f"INT{slope_bits}"
            slope = e.constant(f"{out.name}/slope", _floats(node.params["slope"]) * 2.0**-shift, slope_type)
            v = e.node("PRelu", [v, slope], f"{out.name}/prelu", shape)
            v = e.node("Mul", [v, e.scalar(2.0**shift)], f"{out.name}/prelu_scaled", shape)
            v = e.node("Add", [v, constant("bias2")], f"{out.name}/v", shape)
        self._finish(v, out, attrs["out_shift"])

    def _Binarize(self, node: FrozenNode, out: FrozenTensor) -> None:
        e, values = self.emitter, node.params["threshold"]
        threshold = e.constant(f"{out.name}/threshold", _floats(values), _integer_type(values))
        difference = e.node("Sub", [node.inputs[0], threshold], f"{out.name}/difference", shape_of(out))
        e.node(
            "BipolarQuant", [difference, e.scalar(1.0)], out.name, shape_of(out), "BIPOLAR", domain=QONNX_DOMAIN
        )  # fmt: skip

    def _window_sum(
        self, x: str, output: str, shape: tuple[int, ...], window: tuple[int, int], stride: tuple[int, int],
        pads: tuple[int, int, int, int],
    ) -> str:  # fmt: skip
        """Depthwise convolution with ones in NCHW; ``shape`` is the output's."""
        channels = shape[1]
        ones = self.emitter.constant(
            f"ones/{channels}x{window[0]}x{window[1]}", np.ones((channels, 1, *window), dtype=np.float32)
        )
        return self.emitter.node(
            "Conv", [x, ones], output, shape, kernel_shape=window, strides=stride, pads=pads, group=channels
        )

    def _SpatialPool(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e = self._input(node), self.emitter
        window = (node.attrs["window_h"], node.attrs["window_w"])
        planes = (1, x.channels, x.height, x.width)
        y = e.node("Transpose", [x.name], f"{out.name}/nchw", planes, datatype_of(x), perm=_TO_NCHW)
        pooled = (1, out.channels, out.height, out.width)
        y = self._window_sum(y, f"{out.name}/sum", pooled, window, window, (0, 0, 0, 0))
        e.node("Transpose", [y], out.name, shape_of(out), datatype_of(out), perm=_TO_NHWC)

    def _ChannelPool(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e = self._input(node), self.emitter
        cut = (*shape_of(out), node.attrs["group"])
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype_of(x))
        e.node("ReduceSum", [y, e.indices((4,))], out.name, shape_of(out), datatype_of(out), keepdims=0)

    def _ChannelRepeat(self, node: FrozenNode, out: FrozenTensor) -> None:
        e = self.emitter
        repeats = e.indices((1, 1, 1, node.attrs["repeat"]))
        e.node("Tile", [node.inputs[0], repeats], out.name, shape_of(out), datatype_of(out))

    def _Upsample(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e, factor = self._input(node), self.emitter, node.attrs["factor"]
        cut = (1, x.height, 1, x.width, 1, x.channels)
        tiled = (1, x.height, factor, x.width, factor, x.channels)
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype_of(x))
        y = e.node("Tile", [y, e.indices((1, 1, factor, 1, factor, 1))], f"{out.name}/tiled", tiled, datatype_of(x))
        e.reshape(y, out.name, shape_of(out), datatype_of(out))

    def _PrependToken(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e, shape = self._input(node), self.emitter, shape_of(out)
        y = e.reshape(x.name, f"{out.name}/row", (1, 1, x.height * x.width, x.channels), datatype_of(x))
        # Not Concat: a stored token has one image's shape, a sum goes with any number of them.
        y = e.node("Pad", [y, e.indices((0, 0, 1, 0, 0, 0, 0, 0))], f"{out.name}/padded", shape, datatype_of(x))
        token = np.zeros(shape[1:], dtype=np.float32)
        token[0, 0] = node.params["token"]
        constant = e.constant(f"{out.name}/token", token, f"INT{out.bits}")
        e.node("Add", [y, constant], out.name, shape, datatype_of(out))

    def _FirstToken(self, node: FrozenNode, out: FrozenTensor) -> None:
        e = self.emitter
        ends = [e.indices(values) for values in ((0, 0), (1, 1), (1, 2))]
        e.node("Slice", [node.inputs[0], *ends], out.name, shape_of(out), datatype_of(out))

    def _MultiPool(self, node: FrozenNode, out: FrozenTensor) -> None:
        x, e = self._input(node), self.emitter
        planes = (1, x.channels, x.height, x.width)
        source = e.node("Transpose", [x.name], f"{out.name}/nchw", planes, datatype_of(x), perm=_TO_NCHW)
        total = ""
        for (branch, (rows, cols)), coef in zip(WINDOWS.items(), node.params["coef"], strict=True):
            pads = (rows // 2, cols // 2, rows // 2, cols // 2)
            y = self._window_sum(source, f"{out.name}/{branch}", planes, (rows, cols), (1, 1), pads)
            constant = e.constant(
                f"{out.name}/coef_{branch}", _floats(coef).reshape(-1, 1, 1), f"INT{node.attrs['coef_bits']}"
            )
            y = e.node("Mul", [y, constant], f"{out.name}/term_{branch}", planes)
            total = e.node("Add", [total, y], f"{out.name}/sum_{branch}", planes) if total else y
        y = e.node("Transpose", [total], f"{out.name}/nhwc", shape_of(out), perm=_TO_NHWC)
        bias = node.params["bias"]
        constant = e.constant(f"{out.name}/bias", _floats(bias), _integer_type(bias))
        y = e.node("Add", [y, constant], f"{out.name}/t", shape_of(out))
        self._finish(y, out, node.attrs["out_shift"])

    def _BinaryAttention(self, node: FrozenNode, out: FrozenTensor) -> None:
        e = self.emitter
        table = e.constant(
            f"{out.name}/table", _floats(node.params["table"]), f"UINT{node.attrs['table_bits']}"
        )  # fmt: skip
        threshold = e.constant(f"{out.name}/threshold", _floats(node.params["threshold"]), "UINT18")
        e.node(
            "BinaryAttention", [*node.inputs, table, threshold], out.name, shape_of(out), datatype_of(out),
            domain=DOMAIN, **{key: node.attrs[key] for key in ("heads", "table_bits", "table_shift")},
        )  # fmt: skip
