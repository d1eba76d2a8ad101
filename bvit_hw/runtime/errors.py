"""What can go wrong between the processor and the accelerator. All are DeviceError; the driver is usable after each."""


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
