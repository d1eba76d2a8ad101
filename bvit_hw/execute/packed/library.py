"""The packed executor's kernels: compiled for this processor at first use and kept in the cache."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from bvit_hw.flows.native import native_library

_SOURCE = Path(__file__).with_name("kernels.cpp")
#: C++20: shifting a negative number left is defined there
_FLAGS = ("-std=c++20", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")


class PackedTensor(ctypes.Structure):
    """``Tensor`` of kernels.cpp."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("channels", ctypes.c_int32),
        ("kind", ctypes.c_int32),
    )


class PackedAffine(ctypes.Structure):
    """``Affine`` of kernels.cpp."""

    _fields_ = (
        ("coef", ctypes.c_void_p * 4),
        ("shift", ctypes.c_int32 * 4),
        ("bias", ctypes.c_void_p),
        ("slope", ctypes.c_void_p),
        ("bias2", ctypes.c_void_p),
        ("bias_rows", ctypes.c_int64),
        ("bias2_rows", ctypes.c_int64),
        ("mid_shift", ctypes.c_int32),
        ("slope_shift", ctypes.c_int32),
        ("out_shift", ctypes.c_int32),
        ("bits", ctypes.c_int32),
    )


_TENSOR, _POINTER, _INT, _LONG = ctypes.POINTER(PackedTensor), ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
_SIGNATURES = {
    "bvit_set_threads": (_INT,),
    "bvit_binary_linear": (_TENSOR, _TENSOR, _POINTER, _INT),
    "bvit_int_linear": (_TENSOR, _TENSOR, _POINTER),
    "bvit_channel_affine": (_TENSOR, _INT, _TENSOR, ctypes.POINTER(PackedAffine)),
    "bvit_binarize": (_TENSOR, _TENSOR, _POINTER),
    "bvit_patch_gather": (_TENSOR, _TENSOR, _INT, _INT, _INT, _INT),
    "bvit_spatial_pool": (_TENSOR, _TENSOR, _INT, _INT, _INT, _INT),
    "bvit_channel_pool": (_TENSOR, _TENSOR, _INT),
    "bvit_channel_repeat": (_TENSOR, _TENSOR, _INT),
    "bvit_upsample": (_TENSOR, _TENSOR, _INT, _INT, _INT),
    "bvit_multi_pool": (_TENSOR, _TENSOR, _INT, _INT, _POINTER, _POINTER, _INT, _INT),
    "bvit_attention": (_TENSOR, _TENSOR, _TENSOR, _TENSOR, _LONG, _INT, _POINTER, _LONG, _INT),
}


@cache
def kernels() -> ctypes.CDLL:
    """The compiled kernels; raises ToolError, naming the log, where there is no g++ or it fails,
    OutputError where the result can be kept nowhere."""
    loaded = ctypes.CDLL(str(native_library("packed", _SOURCE, _FLAGS)))
    for name, arguments in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = arguments, None
    return loaded
