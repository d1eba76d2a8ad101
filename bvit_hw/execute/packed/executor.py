"""PackedBinaryViT: a frozen graph on the CPU with bits packed, the fastest way to its integers without an accelerator.

The same integers as :class:`bvit_hw.execute.frozen.FrozenBinaryViT` from code that shares nothing with it: binary
products are XOR and population count on 64 channels a word, multi-bit tensors lie in 16 bits where they fit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError, FreezeError
from bvit_hw.execute.packed.library import PackedAffine, PackedTensor, kernels

_INT16, _INT32, _BITS = 0, 1, 2
#: rows of weights that the kernel takes at once
_LANES = 8
#: images at once by default: enough rows for all threads, few enough for the cache
_BATCH = 8


@dataclass(frozen=True)
class _Packed:
    """A tensor of some images as the kernels want it."""

    array: np.ndarray
    tensor: PackedTensor


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """0 / 1 of ... x C to uint64 words of ... x ceil(C / 64): channel 0 in the lowest bit, filled up with zeros."""
    channels = bits.shape[-1]
    words = -(-channels // 64)
    padded = np.zeros((*bits.shape[:-1], 64 * words), dtype=np.uint8)
    padded[..., :channels] = bits
    return np.packbits(padded, axis=-1, bitorder="little").view("<u8")


def unpack_bits(words: np.ndarray, channels: int) -> np.ndarray:
    """The inverse of :func:`pack_bits`, uint8."""
    return np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[..., :channels]


def _values(tensor: PackedTensor) -> np.ndarray:
    """The integers of a multi-bit tensor where they lie, rows x channels."""
    kind = {_INT16: ctypes.c_int16, _INT32: ctypes.c_int32}[tensor.kind]
    count = tensor.rows * tensor.channels
    return np.ctypeslib.as_array((kind * count).from_address(tensor.data)).reshape(tensor.rows, tensor.channels)


class PackedBinaryViT:
    """Executes a :class:`FrozenGraph` on batches of uint8 images, N x H x W x C.

    ``threads`` work at once (default: as many as PyTorch uses). Raises :class:`FreezeError` for an operation that the
    contract does not know, ToolError where the kernels cannot be compiled (they want g++).
    """

    def __init__(self, graph: FrozenGraph, threads: int | None = None) -> None:
        self.graph = graph
        self._threads = threads or torch.get_num_threads()
        self._kernels = kernels()
        self._last_use: dict[str, int] = {}
        self._runs: list[Callable[..., None]] = []
        for index, node in enumerate(graph.nodes):
            prepare = getattr(self, f"_{node.op}", None)
            if prepare is None:
                raise FreezeError(f"{node.output}: operation {node.op!r} is not in the integer contract")
            self._last_use |= dict.fromkeys(node.inputs, index)
            self._runs.append(prepare(node))

    def _empty(self, tensor: FrozenTensor, images: int) -> _Packed:
        rows = images * tensor.height * tensor.width
        if tensor.binary:
            kind, array = _BITS, np.empty((rows, -(-tensor.channels // 64)), dtype=np.uint64)
        elif tensor.bits + (not tensor.signed) <= 16:
            kind, array = _INT16, np.empty((rows, tensor.channels), dtype=np.int16)
        else:
            kind, array = _INT32, np.empty((rows, tensor.channels), dtype=np.int32)
        return _Packed(array, PackedTensor(array.ctypes.data, rows, tensor.channels, kind))

    def _steps(self, pixels: np.ndarray) -> Iterator[tuple[str, _Packed]]:
        source = self.graph.tensors[self.graph.input]
        expected = (source.height, source.width, source.channels)
        if pixels.ndim != 4 or pixels.shape[1:] != expected or pixels.dtype != np.uint8:
            raise ConfigError(
                f"pixels: {pixels.dtype} of shape {pixels.shape} given; expected uint8, "
                f"N x {' x '.join(map(str, expected))}"
            )
        self._kernels.bvit_set_threads(self._threads)
        first = self._empty(source, len(pixels))
        first.array[:] = pixels.reshape(first.array.shape)
        values = {self.graph.input: first}
        for index, (node, run) in enumerate(zip(self.graph.nodes, self._runs, strict=True)):
            out = self._empty(self.graph.tensors[node.output], len(pixels))
            run(out.tensor, *(values[name].tensor for name in node.inputs))
            for name in {name for name in node.inputs if self._last_use[name] == index}:
                del values[name]
            values[node.output] = out
            yield node.output, out

    def _unpacked(self, name: str, value: _Packed, images: int) -> np.ndarray:
        tensor = self.graph.tensors[name]
        array = unpack_bits(value.array, tensor.channels) if tensor.binary else value.array
        return array.astype(np.int32).reshape(images, tensor.height, tensor.width, tensor.channels)

    def logits(self, images: np.ndarray, batch_size: int = _BATCH) -> np.ndarray:
        """Integer logits, N x classes, int32, of uint8 images N x H x W x C."""
        parts = [np.zeros((0, self.graph.tensors[self.graph.output].channels), dtype=np.int32)]
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            for name, value in self._steps(batch):
                if name == self.graph.output:
                    parts.append(self._unpacked(name, value, len(batch)).reshape(len(batch), -1))
        return np.concatenate(parts)

    def trace(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Every named tensor, the input included, N x H x W x C, int32; binary ones as 0 / 1."""
        values = {name: self._unpacked(name, value, len(images)) for name, value in self._steps(images)}
        return {self.graph.input: images.astype(np.int32)} | values

    def predict(self, images: np.ndarray, batch_size: int = _BATCH) -> np.ndarray:
        """Labels (int64, N) of uint8 images N x H x W x C; a tie goes to the lower label."""
        labels: np.ndarray = self.logits(images, batch_size).argmax(axis=1)
        return labels

    # One method an operation of docs/contract.md: node in, a function of output and input tensors out.

    def _windows(self, node: FrozenNode, function: str) -> Callable[..., None]:
        x = self.graph.tensors[node.inputs[0]]
        size = (x.height, x.width, int(node.attrs["window_h"]), int(node.attrs["window_w"]))  # type: ignore[arg-type]
        kernel = getattr(self._kernels, function)
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), *size)

    def _PatchGather(self, node: FrozenNode) -> Callable[..., None]:
        return self._windows(node, "bvit_patch_gather")

    def _SpatialPool(self, node: FrozenNode) -> Callable[..., None]:
        return self._windows(node, "bvit_spatial_pool")

    def _BinaryLinear(self, node: FrozenNode) -> Callable[..., None]:
        packed = pack_bits(np.asarray(node.params["weights"]) > 0)
        words = np.zeros((packed.shape[1], -(-len(packed) // _LANES) * _LANES), dtype=np.uint64)
        words[:, : len(packed)] = packed.T
        kernel = self._kernels.bvit_binary_linear
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), words.ctypes.data, words.shape[1])

    def _IntLinear(self, node: FrozenNode) -> Callable[..., None]:
        weights = np.ascontiguousarray(np.asarray(node.params["weights"]).T, dtype=np.int32)
        kernel = self._kernels.bvit_int_linear
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), weights.ctypes.data)

    def _ChannelAffine(self, node: FrozenNode) -> Callable[..., None]:
        attrs, channels = node.attrs, self.graph.tensors[node.output].channels
        arrays = {key: np.ascontiguousarray(value, dtype=np.int32) for key, value in node.params.items()}
        affine = PackedAffine()
        for i in range(len(node.inputs)):
            if attrs["multiply"][i]:  # type: ignore[index]
                affine.coef[i] = arrays[f"coef{i}"].ctypes.data
            affine.shift[i] = attrs["shift"][i]  # type: ignore[index]
        affine.bias, affine.bias_rows = arrays["bias"].ctypes.data, arrays["bias"].size // channels
        if attrs["prelu"]:
            affine.slope = arrays["slope"].ctypes.data
            affine.bias2, affine.bias2_rows = arrays["bias2"].ctypes.data, arrays["bias2"].size // channels
            affine.mid_shift, affine.slope_shift = attrs["mid_shift"], attrs["slope_shift"]
        affine.out_shift = attrs["out_shift"]
        affine.bits = self.graph.tensors[node.output].bits
        kernel = self._kernels.bvit_channel_affine

        def run(out: PackedTensor, *inputs: PackedTensor, _alive: object = arrays) -> None:
            kernel((PackedTensor * len(inputs))(*inputs), len(inputs), ctypes.byref(out), ctypes.byref(affine))

        return run

    def _Binarize(self, node: FrozenNode) -> Callable[..., None]:
        threshold = np.ascontiguousarray(node.params["threshold"], dtype=np.int32)
        kernel = self._kernels.bvit_binarize
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), threshold.ctypes.data)

    def _ChannelPool(self, node: FrozenNode) -> Callable[..., None]:
        kernel = self._kernels.bvit_channel_pool
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), node.attrs["group"])

    def _ChannelRepeat(self, node: FrozenNode) -> Callable[..., None]:
        kernel = self._kernels.bvit_channel_repeat
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), node.attrs["repeat"])

    def _Upsample(self, node: FrozenNode) -> Callable[..., None]:
        out_tensor, kernel = self.graph.tensors[node.output], self._kernels.bvit_upsample
        size = (out_tensor.height, out_tensor.width, node.attrs["factor"])
        return lambda out, x: kernel(ctypes.byref(x), ctypes.byref(out), *size)

    def _PrependToken(self, node: FrozenNode) -> Callable[..., None]:
        tokens = self.graph.tensors[node.output].width
        token = np.asarray(node.params["token"])

        def run(out: PackedTensor, x: PackedTensor) -> None:
            rows = _values(out).reshape(-1, tokens, out.channels)
            rows[:, 0], rows[:, 1:] = token, _values(x).reshape(-1, tokens - 1, x.channels)

        return run

    def _FirstToken(self, node: FrozenNode) -> Callable[..., None]:
        x_tensor = self.graph.tensors[node.inputs[0]]
        tokens = x_tensor.height * x_tensor.width

        def run(out: PackedTensor, x: PackedTensor) -> None:
            _values(out)[:] = _values(x).reshape(-1, tokens, x.channels)[:, 0]

        return run

    def _MultiPool(self, node: FrozenNode) -> Callable[..., None]:
        tensor, kernel = self.graph.tensors[node.output], self._kernels.bvit_multi_pool
        coef = np.ascontiguousarray(node.params["coef"], dtype=np.int32)
        bias = np.ascontiguousarray(node.params["bias"], dtype=np.int32)
        last = (node.attrs["out_shift"], tensor.bits)
        return lambda out, x: kernel(
            ctypes.byref(x), ctypes.byref(out), tensor.height, tensor.width, coef.ctypes.data, bias.ctypes.data, *last
        )

    def _BinaryAttention(self, node: FrozenNode) -> Callable[..., None]:
        tensor, kernel = self.graph.tensors[node.output], self._kernels.bvit_attention
        table = np.ascontiguousarray(node.params["table"], dtype=np.int64)
        rule = (int(np.asarray(node.params["threshold"]).reshape(-1)[0]), node.attrs["table_shift"])

        def run(out: PackedTensor, q: PackedTensor, k: PackedTensor, v: PackedTensor) -> None:
            images = out.rows // (tensor.height * tensor.width)
            parts = [ctypes.byref(part) for part in (q, k, v, out)]
            kernel(*parts, images, node.attrs["heads"], table.ctypes.data, *rule)

        return run
