"""The frozen model in NumPy: what the accelerator must give, for any image, and what happens inside it.

Reads the package's frozen.safetensors. Integers only, as docs/contract.md has them; slow beside the accelerator, and
meant for a few images: to check it, and to look at attention and other tensors, which hardware keeps to itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ImageError, PackageError

_KINDS = {
    "I8": np.int8, "U8": np.uint8, "I16": np.int16, "U16": np.uint16, "I32": np.int32, "U32": np.uint32,
    "I64": np.int64, "U64": np.uint64,
}  # fmt: skip
_Attrs = Mapping[str, Any]
_Params = Mapping[str, np.ndarray]
#: extent of the MultiPool windows in rows and columns, in the order of its coefficients
_WINDOWS = ((3, 1), (1, 3), (5, 1), (1, 5))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The graph and the tensors of a safetensors file: eight bytes of length, JSON, raw little-endian values."""
    try:
        raw = path.read_bytes()
        end = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:end])
        metadata = header.pop("__metadata__")
        tensors = {
            name: np.frombuffer(
                raw[end + entry["data_offsets"][0] : end + entry["data_offsets"][1]], _KINDS[entry["dtype"]]
            ).reshape(entry["shape"])
            for name, entry in header.items()
        }
        return json.loads(metadata["bvit-frozen"]), tensors
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{path}: no frozen model ({error}); copy the package again") from error


def _windows(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """B x H x W x C to B x H/h x W/w x h x w x C."""
    batch, rows, cols, channels = x.shape
    cut = x.reshape(batch, rows // height, height, cols // width, width, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5)


class Reference:
    """Executes a package's frozen model on uint8 images, N x H x W x C.

    ``model_hash`` is that of the file. Raises PackageError for a file that is no frozen model.
    """

    def __init__(self, path: str | Path = "frozen.safetensors") -> None:
        content, self._params = _read(Path(path))
        self.model_hash: str = content["model_hash"]
        graph = content["graph"]
        self._nodes: list[dict[str, Any]] = graph["nodes"]
        self._tensors = {t["name"]: t for t in graph["tensors"]}
        self._input, self._output = graph["input"], graph["output"]
        unknown = {n["op"] for n in self._nodes if not hasattr(self, f"_{n['op']}")}
        if unknown:
            raise PackageError(f"{path}: operations {sorted(unknown)} are not known to this driver")

    def logits_int(self, images: np.ndarray) -> np.ndarray:
        """Integer logits, int32 N x classes: what the accelerator gives."""
        (found,) = self.tensors(images, [self._output]).values()
        return found.reshape(len(images), -1).astype(np.int32)

    def tensors(self, images: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """The tensors ``names`` of docs/contract.md, N x H x W x C integers (binary ones 0 / 1)."""
        return self._run(images, set(names), {})

    def attention(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Which keys each query attends: by block's tensor name, bool N x heads x queries x keys."""
        maps: dict[str, np.ndarray] = {}
        self._run(images, set(), maps)
        return maps

    def grids(self, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Height and width of the queries' and of the keys' grid of an attention."""
        node = next(n for n in self._nodes if n["output"] == name)
        query, key = (self._tensors[tensor] for tensor in node["inputs"][:2])
        return (query["height"], query["width"]), (key["height"], key["width"])

    def _run(self, images: np.ndarray, wanted: set[str], maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        source = self._tensors[self._input]
        shape = (source["height"], source["width"], source["channels"])
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise ImageError(f"images are {images.dtype} {images.shape}; needed: uint8 N x {shape}")
        unknown = wanted - set(self._tensors)
        if unknown:
            raise KeyError(f"no tensors {sorted(unknown)} in this model")
        last = {name: index for index, node in enumerate(self._nodes) for name in node["inputs"]}
        values = {self._input: images.astype(np.int64)}
        found = {name: value for name, value in values.items() if name in wanted}
        for index, node in enumerate(self._nodes):
            prefix = node["output"] + "/"
            params = {key: self._params[prefix + key].astype(np.int64) for key in node["params"]}
            inputs = [values[name] for name in node["inputs"]]
            out = self._tensors[node["output"]]
            if node["op"] == "BinaryAttention":
                result, maps[node["output"]] = self._BinaryAttention(node["attrs"], params, *inputs)
            else:
                result = getattr(self, f"_{node['op']}")(node["attrs"], params, out, *inputs)
            for name in {name for name in node["inputs"] if last[name] == index}:
                del values[name]
            values[node["output"]] = result
            if node["output"] in wanted:
                found[node["output"]] = result
        return found

    # One method an operation of the contract, looked up by its name.

    @staticmethod
    def _PatchGather(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        cut = _windows(x, attrs["window_h"], attrs["window_w"])
        return cut.reshape(*cut.shape[:3], -1)

    @staticmethod
    def _BinaryLinear(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        # Sums of +-1 are exact in float32, and BLAS is fast in it.
        return ((2 * x - 1).astype(np.float32) @ params["weights"].T.astype(np.float32)).astype(np.int64)

    @staticmethod
    def _IntLinear(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return (x.astype(np.float64) @ params["weights"].T.astype(np.float64)).astype(np.int64)

    def _ChannelAffine(self, attrs: _Attrs, params: _Params, out: _Attrs, *inputs: np.ndarray) -> np.ndarray:
        def constant(key: str) -> np.ndarray:
            value = params[key]
            return value if len(value) == 1 else value.reshape(out["height"], out["width"], -1)

        total: np.ndarray = constant("bias")
        for i, x in enumerate(inputs):
            term = x * params[f"coef{i}"] if attrs["multiply"][i] else x
            total = total + (term << attrs["shift"][i])
        if attrs["prelu"]:
            mid = total >> attrs["mid_shift"]
            total = np.where(mid >= 0, mid << attrs["slope_shift"], mid * params["slope"]) + constant("bias2")
        return self._saturate(total >> attrs["out_shift"], out)

    @staticmethod
    def _saturate(x: np.ndarray, out: _Attrs) -> np.ndarray:
        high = 1 << (out["bits"] - 1)
        return np.clip(x, -high, high - 1)

    @staticmethod
    def _Binarize(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return (x >= params["threshold"]).astype(np.int64)

    @staticmethod
    def _SpatialPool(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return _windows(x, attrs["window_h"], attrs["window_w"]).sum(axis=(3, 4))

    @staticmethod
    def _ChannelPool(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:3], -1, attrs["group"]).sum(axis=4)

    @staticmethod
    def _ChannelRepeat(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return np.tile(x, (1, 1, 1, attrs["repeat"]))

    @staticmethod
    def _Upsample(attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        return x.repeat(attrs["factor"], axis=1).repeat(attrs["factor"], axis=2)

    def _MultiPool(self, attrs: _Attrs, params: _Params, out: _Attrs, x: np.ndarray) -> np.ndarray:
        total = params["bias"]
        for coef, (rows, cols) in zip(params["coef"], _WINDOWS, strict=True):
            up, left = rows // 2, cols // 2
            padded = np.pad(x, ((0, 0), (up, up), (left, left), (0, 0)))
            shifted = (
                padded[:, dy : dy + out["height"], dx : dx + out["width"]] for dy in range(rows) for dx in range(cols)
            )
            total = total + coef * sum(shifted)
        return self._saturate(total >> attrs["out_shift"], out)

    @staticmethod
    def _BinaryAttention(
        attrs: _Attrs, params: _Params, q: np.ndarray, k: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        heads = attrs["heads"]

        def split(x: np.ndarray) -> np.ndarray:
            signs = (2 * x - 1).astype(np.float32)
            return signs.reshape(len(x), -1, heads, x.shape[3] // heads).transpose(0, 2, 1, 3)

        queries, keys, values = split(q), split(k), split(v)
        equal = ((queries @ keys.transpose(0, 1, 3, 2)).astype(np.int64) + queries.shape[3]) >> 1
        entries = params["table"].reshape(-1)[equal]
        limit = params["threshold"] * entries.sum(axis=3, keepdims=True)
        attended = (entries << attrs["table_shift"]) > limit
        context = (attended.astype(np.float32) @ values).astype(np.int64)
        return context.transpose(0, 2, 1, 3).reshape(q.shape), attended
