"""What we use of Brevitas, imported without remarks that say nothing to a user.

At its first import Brevitas looks for a CUDA toolkit to build an extension with, and PyTorch remarks that there is no
GPU; its quantizers go through an API that PyTorch calls experimental at every first use.
"""

from __future__ import annotations

import logging
import warnings

_remarks = logging.getLogger("torch.utils.cpp_extension")
_before = _remarks.level
_remarks.setLevel(logging.ERROR)
try:
    import brevitas.nn as qnn
    from brevitas.inject.enum import ScalingImplType
    from brevitas.quant.fixed_point import Int8ActPerTensorFixedPoint
finally:
    _remarks.setLevel(_before)
warnings.filterwarnings("ignore", message="Named tensors and all their associated APIs")

__all__ = ["Int8ActPerTensorFixedPoint", "ScalingImplType", "qnn"]
