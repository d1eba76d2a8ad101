"""FrozenBinaryViT: a frozen graph executed in PyTorch, integers only.

This is the reference that trained accuracy is reported on, written independently of the hardware operators' golden
functions. Matrix products run in float32, which is exact because no sum of the contract reaches 2**24; everything else
runs in int32, the attention rule in int64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.errors import ConfigError, FreezeError


def windows(x: Tensor, height: int, width: int) -> Tensor:
    """B x H x W x C to B x H/h x W/w x h x w x C."""
    batch, rows, cols, channels = x.shape
    cut = x.reshape(batch, rows // height, height, cols // width, width, channels)
    return cut.permute(0, 1, 3, 2, 4, 5)


def _product(x: Tensor, weights: Tensor) -> Tensor:
    return F.linear(x.to(torch.float32), weights).to(torch.int32)


def _signs(bits: Tensor) -> Tensor:
    return (2 * bits - 1).to(torch.float32)


class FrozenBinaryViT(nn.Module):
    """Executes a :class:`FrozenGraph` on batches of uint8 images, B x H x W x C, channels last.

    Its buffers are the graph's parameters; the graph itself stays in :attr:`graph`. Raises :class:`FreezeError` for a
    graph with an operation that the contract does not know.
    """

    def __init__(self, graph: FrozenGraph) -> None:
        super().__init__()
        self.graph = graph
        self._last_use: dict[str, int] = {}
        for index, node in enumerate(graph.nodes):
            if not hasattr(self, f"_{node.op}"):
                raise FreezeError(f"{node.output}: operation {node.op!r} is not in the integer contract")
            self._last_use |= dict.fromkeys(node.inputs, index)
            for key, value in node.params.items():
                dtype = (
                    torch.float32 if key == "weights" else torch.int64 if node.op == "BinaryAttention" else torch.int32
                )
                self.register_buffer(
                    self._key(node, key), torch.from_numpy(np.array(value)).to(dtype), persistent=False
                )

    @staticmethod
    def _key(node: FrozenNode, key: str) -> str:
        return f"{node.output}.{key}".replace(".", "__")

    def _param(self, node: FrozenNode, key: str) -> Tensor:
        return self.get_buffer(self._key(node, key))

    def _steps(self, pixels: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Name and value of every node's output, dropping what no later node reads."""
        source = self.graph.tensors[self.graph.input]
        expected = (source.height, source.width, source.channels)
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != expected or pixels.dtype != torch.uint8:
            raise ConfigError(
                f"pixels: {pixels.dtype} of shape {tuple(pixels.shape)} given; expected uint8, "
                f"N x {' x '.join(map(str, expected))}"
            )
        values = {self.graph.input: pixels.to(torch.int32)}
        for index, node in enumerate(self.graph.nodes):
            run: Callable[..., Tensor] = getattr(self, f"_{node.op}")
            out = run(node, self.graph.tensors[node.output], *(values[name] for name in node.inputs))
            for name in {name for name in node.inputs if self._last_use[name] == index}:
                del values[name]
            values[node.output] = out
            yield node.output, out

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Integer logits, B x classes, int32; real logits are these times 2**exponent of the graph's output."""
        for name, value in self._steps(pixels):
            if name == self.graph.output:
                return value.flatten(1)
        raise FreezeError(f"no node computes the graph's output {self.graph.output!r}")

    @torch.no_grad()
    def trace(self, pixels: Tensor) -> dict[str, Tensor]:
        """Every named tensor, the input included, B x H x W x C, int32; binary ones as 0 / 1."""
        return {self.graph.input: pixels.to(torch.int32)} | dict(self._steps(pixels))

    def predict(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Labels (int64, N) of uint8 images N x H x W x C; a tie goes to the lower label."""
        device = next(self.buffers()).device
        pixels = torch.from_numpy(np.ascontiguousarray(images))
        parts = [self(part.to(device)).argmax(dim=1).cpu() for part in pixels.split(batch_size)]
        return torch.cat(parts).numpy() if parts else np.zeros(0, dtype=np.int64)

    # One method an operation of docs/contract.md, looked up by its name.

    def _PatchGather(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return windows(x, node.attrs["window_h"], node.attrs["window_w"]).flatten(3)

    def _BinaryLinear(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return _product(_signs(x), self._param(node, "weights"))

    def _IntLinear(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return _product(x, self._param(node, "weights"))

    def _ChannelAffine(self, node: FrozenNode, out: FrozenTensor, *inputs: Tensor) -> Tensor:
        attrs = node.attrs
        grid = (out.height, out.width)

        def constant(key: str) -> Tensor:
            value = self._param(node, key)
            return value if len(value) == 1 else value.unflatten(0, grid)

        total = constant("bias")
        for i, x in enumerate(inputs):
            term = x * self._param(node, f"coef{i}") if attrs["multiply"][i] else x
            total = total + (term << attrs["shift"][i])
        if attrs["prelu"]:
            mid = total >> attrs["mid_shift"]
            total = torch.where(mid >= 0, mid << attrs["slope_shift"], mid * self._param(node, "slope"))
            total = total + constant("bias2")
        return self._saturate(total >> attrs["out_shift"], out)

    @staticmethod
    def _saturate(x: Tensor, out: FrozenTensor) -> Tensor:
        high = 1 << (out.bits - 1)
        return x.clamp(-high, high - 1)

    def _Binarize(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return (x >= self._param(node, "threshold")).to(torch.int32)

    def _SpatialPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return windows(x, node.attrs["window_h"], node.attrs["window_w"]).sum(dim=(3, 4), dtype=torch.int32)

    def _ChannelPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return x.unflatten(3, (-1, node.attrs["group"])).sum(dim=4, dtype=torch.int32)

    def _ChannelRepeat(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return x.repeat(1, 1, 1, node.attrs["repeat"])

    def _Upsample(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        factor = node.attrs["factor"]
        return x.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)

    def _PrependToken(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        token = self._param(node, "token").expand(len(x), 1, 1, -1)
        return torch.cat((token, x.reshape(len(x), 1, -1, x.shape[3])), dim=2)

    def _FirstToken(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return x[:, :1, :1]

    def _MultiPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        total = self._param(node, "bias")
        for coef, (rows, cols) in zip(self._param(node, "coef"), WINDOWS.values(), strict=True):
            up, left = rows // 2, cols // 2
            padded = F.pad(x, (0, 0, left, left, up, up))
            shifted = [padded[:, dy : dy + out.height, dx : dx + out.width] for dy in range(rows) for dx in range(cols)]
            total = total + coef * torch.stack(shifted).sum(dim=0, dtype=torch.int32)
        return self._saturate(total >> node.attrs["out_shift"], out)

    def _BinaryAttention(self, node: FrozenNode, out: FrozenTensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads = node.attrs["heads"]

        def split(x: Tensor) -> Tensor:
            return _signs(x).flatten(1, 2).unflatten(2, (heads, -1)).transpose(1, 2)

        queries, keys, values = split(q), split(k), split(v)
        equal = ((queries @ keys.transpose(2, 3)).to(torch.int64) + queries.shape[3]) >> 1
        entries = self._param(node, "table")[equal]
        limit = self._param(node, "threshold") * entries.sum(dim=3, keepdim=True)
        attended = (entries << node.attrs["table_shift"]) > limit
        context = attended.to(torch.float32) @ values
        return context.to(torch.int32).transpose(1, 2).reshape(q.shape)
