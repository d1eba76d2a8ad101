"""Runs a QONNX model in qonnx's own executor and returns the contract's integers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from bvit_hw.errors import ExportError
from bvit_hw.qonnx.batch import per_image
from bvit_hw.qonnx.indexed_model import IndexedModel


def execute_qonnx(model: ModelWrapper, images: np.ndarray, batch_size: int = 16) -> dict[str, np.ndarray]:
    """Every named tensor for uint8 ``images`` (N x H x W x C), stacked to N x H x W x C int64, bits as 0 / 1.

    The executor's cost is per node rather than per image: ``batch_size`` images run at once.
    Nothing is rounded on the way (qonnx's own clean-up of values that are nearly integers is off), so what is equal
    here is equal as executed. Raises :class:`ExportError` for images of another shape or type, and where a tensor holds
    a value that is no integer or does not fit its datatype.
    """
    source = model.graph.input[0].name
    expected = tuple(model.get_tensor_shape(source))
    if images.ndim != 4 or images.shape[1:] != expected[1:] or images.dtype != np.uint8:
        raise ExportError(
            f"{source}: {images.dtype} of shape {images.shape} given; expected uint8 of (images, *{expected[1:]})"
        )
    varying = per_image(model.graph.node, [source])
    outputs = (name for node in model.graph.node for name in node.output)
    names = [source, *(name for name in outputs if name in varying and "/" not in name)]
    collected: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size].astype(np.float32)
        with _unrounded():
            context = execute_onnx(_batched(model, len(batch)), {source: batch}, return_full_exec_context=True)
        for name in names:
            collected[name].append(_integers(name, context[name], model.get_tensor_datatype(name)))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


@contextmanager
def _unrounded() -> Iterator[None]:
    """qonnx without its rounding of annotated tensors, which takes time and could hide an inexact sum."""
    name = "SANITIZE_QUANT_TENSORS"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _batched(model: ModelWrapper, count: int) -> IndexedModel:
    """The same model for ``count`` images: every activation's first axis is that long (stored Reshapes keep it)."""
    model = ModelWrapper(model.model, make_deepcopy=True, fix_missing_initializer_valueinfo=False)
    activations = per_image(model.graph.node, [model.graph.input[0].name])
    for infos in (model.graph.input, model.graph.output, model.graph.value_info):
        for info in infos:
            if info.name in activations:
                info.type.tensor_type.shape.dim[0].dim_value = count
    return IndexedModel(model.model)


def _integers(name: str, values: np.ndarray, datatype: DataType) -> np.ndarray:
    if not np.all(datatype.allowed(values)):
        raise ExportError(f"{name}: values {values.min()}..{values.max()} are not all of its datatype {datatype.name}")
    integers = values.astype(np.int64)
    return (integers + 1) // 2 if datatype == DataType["BIPOLAR"] else integers
