"""The driver: runs a packaged accelerator from Python on a board. NumPy and pynq only; works from Python 3.10 on.

This folder is copied to the board, and into it what reads and runs a frozen network of bvit_hw/contract; it imports
nothing else of bvit_hw.
"""

from .classifier import Classifier
from .driver import Accelerator
from .engine import Engine
from .engine_profile import LayerProfile
from .errors import (
    DeviceBusyError,
    DeviceError,
    DeviceResetError,
    DeviceTimeoutError,
    FrameError,
    IdentityError,
    ImageError,
    PackageError,
    ProgrammeError,
    TransferError,
)
from .model_info import ModelInfo
from .package import SelfTest, check_files, connect, expected_results, self_test
from .pictures import load_pictures
from .reference import Reference

__all__ = [
    "Accelerator",
    "Classifier",
    "DeviceBusyError",
    "DeviceError",
    "DeviceResetError",
    "DeviceTimeoutError",
    "Engine",
    "FrameError",
    "IdentityError",
    "ImageError",
    "LayerProfile",
    "ModelInfo",
    "PackageError",
    "ProgrammeError",
    "Reference",
    "SelfTest",
    "TransferError",
    "check_files",
    "connect",
    "expected_results",
    "load_pictures",
    "self_test",
]
