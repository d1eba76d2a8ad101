"""QONNX: the integer contract on disk, readable and executable by other tools."""

from bvit_hw.qonnx.execute import execute_qonnx
from bvit_hw.qonnx.file import export_qonnx, load_qonnx, to_qonnx
from bvit_hw.qonnx.plain import export_onnx, to_plain_onnx
from bvit_hw.qonnx.read import read_qonnx

__all__ = ["execute_qonnx", "export_onnx", "export_qonnx", "load_qonnx", "read_qonnx", "to_plain_onnx", "to_qonnx"]
