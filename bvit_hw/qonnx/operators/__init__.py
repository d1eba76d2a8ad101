"""The contract's operators in QONNX, one a file, how each is written beside how it is read.

A new one is a file here with its class; nothing else of this package names them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from bvit_hw.qonnx.operators.base import QonnxOperator

__all__ = ["OPERATORS", "QonnxOperator"]

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

#: kind of node -> how it is written and read
OPERATORS: Mapping[str, QonnxOperator] = {kind.__name__: kind() for kind in QonnxOperator.__subclasses__()}
