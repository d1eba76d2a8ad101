"""The frozen model in NumPy: what the accelerator must give, for any image, and what happens inside it.

Reads the package's frozen.safetensors. The execution is the integer contract's own reference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ImageError, PackageError

# On the board a copy of the contract lies in the driver's folder.
if __package__ == "bvit_hw.runtime":
    from ..contract.header import FROZEN_KEY, graph_of, model_hash
    from ..contract.reference import Reference as _Reference
else:
    from .contract.header import FROZEN_KEY, graph_of, model_hash
    from .contract.reference import Reference as _Reference

_KINDS = {
    "I8": np.int8, "U8": np.uint8, "I16": np.int16, "U16": np.uint16, "I32": np.int32, "U32": np.uint32,
    "I64": np.int64, "U64": np.uint64,
}  # fmt: skip


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The graph and the tensors of a safetensors file: eight bytes of length, JSON, raw little-endian values."""
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
    return json.loads(metadata[FROZEN_KEY]), tensors


class Reference(_Reference):
    """Executes a package's frozen model on uint8 images, N x H x W x C.

    ``model_hash`` is that of the file. Raises PackageError for a file that is no frozen model.
    """

    image_error = ImageError

    def __init__(self, path: str | Path = "frozen.safetensors") -> None:
        try:
            content, stored = _read(Path(path))
            graph = graph_of(content["graph"], stored)
            self.model_hash: str = content["model_hash"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PackageError(f"{path}: no frozen model ({error}); copy the package again") from error
        if model_hash(graph) != self.model_hash:
            raise PackageError(f"{path}: its content has not the hash that it says: damaged; copy the package again")
        try:
            super().__init__(graph)
        except ValueError as error:
            raise PackageError(f"{path}: {error}") from error
