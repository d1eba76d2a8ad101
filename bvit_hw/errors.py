"""What a user's mistake raises: the command line prints the message without a traceback and exits with 2.

A message says what was given, what is allowed, and where.
"""


class BvitError(Exception):
    """Base of every error that a user can cause and can mend."""


class ConfigError(BvitError):
    """A configuration value is not allowed or does not fit another one."""


class CheckpointError(BvitError):
    """A checkpoint is missing, damaged, or belongs to another network."""


class DatasetError(BvitError):
    """A dataset is missing, damaged, or not what its name says; names the file."""


class FreezeError(BvitError):
    """A model cannot be frozen into the integer contract; names the tensor and the bound."""


class ExportError(BvitError):
    """A frozen model cannot be written as QONNX, or a QONNX file cannot be read."""


class LoweringError(BvitError):
    """A graph pattern has no hardware operator; names the node and the reason."""


class LimitError(LoweringError):
    """A network is beyond a limit of the engine; names the limit, what is given and what is allowed."""


class FoldingError(BvitError):
    """A folding is illegal, or no folding meets the frame rate or the board's budget."""


class ProgrammeError(BvitError):
    """A programme of the engine is damaged, or another engine's; names the file and the reason."""


class BoardError(BvitError):
    """An unknown board, or a board file that is not valid."""


class OutputError(BvitError):
    """The output folder cannot be used: another build's, not writable, or out of space."""


class DeviceFailure(BvitError):
    """A device, simulated or not, cannot be used, or a build has none; the driver's own words."""


class ToolError(BvitError):
    """An external tool is missing or failed; names the tool, its exit code and its log file."""
