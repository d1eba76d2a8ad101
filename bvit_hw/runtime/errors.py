"""What can go wrong between the processor and the accelerator. All are DeviceError; the driver is usable after each."""

import lzma
import struct
import tokenize
import zipfile
import zlib

#: What the parsers of NumPy, Pillow and Python's archives raise over a file that is damaged or none of theirs. Neither
#: library lists it; fuzzed files (tests/runtime/test_errors_unreadable.py) and the parsers' sources gave it. Not in
#: it: MemoryError, which is asked for apart, and what says nothing about the file (KeyboardInterrupt, ImportError).
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, SyntaxError,
    AssertionError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip


class DeviceError(Exception):
    """Base: the accelerator did not do what it was asked."""


class IdentityError(DeviceError):
    """The loaded bitstream is no accelerator of ours, or holds another model."""


class DeviceBusyError(DeviceError):
    """Another process uses the device."""


class DeviceTimeoutError(DeviceError):
    """A transfer did not finish in time."""


class DeviceResetError(DeviceError):
    """The accelerator was reset while it worked."""


class TransferError(DeviceError):
    """The DMA reported an error, or moved fewer bytes than it was told to."""


class FrameError(DeviceError):
    """The accelerator flagged a frame as too short or too long: what it received is not what was sent."""


class ImageError(DeviceError, ValueError):
    """Images of a shape or type that cannot be sent."""


class PackageError(DeviceError):
    """A file of the package is missing or damaged, or the accelerator's results are not the expected ones."""


class ProgrammeError(DeviceError):
    """A programme that this engine cannot take: damaged, of another engine or version, or too large for its memory."""
