"""What can go wrong between the processor and the accelerator."""


class DeviceError(Exception):
    """Base: the accelerator did not do what it was asked."""


class IdentityError(DeviceError):
    """The loaded bitstream is no accelerator of ours, or holds another model."""


class DeviceTimeoutError(DeviceError):
    """A transfer did not finish in time."""


class FrameError(DeviceError):
    """Images of the wrong shape or type, or the accelerator flagged a frame as too short or too long."""
