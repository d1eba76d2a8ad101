"""Runs a QONNX model in qonnx's own executor and returns the contract's integers."""

from __future__ import annotations

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from bvit_hw.errors import ExportError


def execute_qonnx(model: ModelWrapper, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every named tensor for uint8 ``images`` (N x H x W x C), stacked to N x H x W x C int64, bits as 0 / 1.

    Raises :class:`ExportError` for images of another shape or type, and where a tensor holds a value that is no integer
    or does not fit its datatype.
    """
    source = model.graph.input[0].name
    expected = tuple(model.get_tensor_shape(source))
    if images.ndim != 4 or images.shape[1:] != expected[1:] or images.dtype != np.uint8:
        raise ExportError(
            f"{source}: {images.dtype} of shape {images.shape} given; expected uint8 of (images, *{expected[1:]})"
        )
    names = [source, *(name for node in model.graph.node for name in node.output if "/" not in name)]
    collected: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for image in images:
        context = execute_onnx(model, {source: image[None].astype(np.float32)}, return_full_exec_context=True)
        for name in names:
            collected[name].append(_integers(name, context[name], model.get_tensor_datatype(name)))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def _integers(name: str, values: np.ndarray, datatype: DataType) -> np.ndarray:
    if not np.all(datatype.allowed(values)):
        raise ExportError(f"{name}: values {values.min()}..{values.max()} are not all of its datatype {datatype.name}")
    integers = values.astype(np.int64)
    return (integers + 1) // 2 if datatype == DataType["BIPOLAR"] else integers
