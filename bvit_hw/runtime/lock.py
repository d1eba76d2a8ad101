"""One process a device: an advisory lock that ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from .errors import DeviceBusyError, DeviceError


class DeviceLock:
    """Holds the device called ``name``; raises DeviceBusyError, with the holder's process number, when it is held.

    Raises DeviceError where there is no folder for the lock's file.
    """

    def __init__(self, name: str) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        try:
            self.path = Path(tempfile.gettempdir()) / f"bvit-hw-{digest}.lock"
            try:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except PermissionError:
                # Another user made it, in a folder where only the owner may open with O_CREAT.
                self._file = os.open(self.path, os.O_RDWR)
        except OSError as error:
            raise DeviceError(
                f"device {name}: no lock file can be opened: {error}; TMPDIR names another temporary folder"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise DeviceBusyError(
                f"device {name} is in use by {f'process {holder}' if holder else 'another process'}; "
                "close its Accelerator (or shut down its notebook's kernel) first"
            ) from error
        with contextlib.suppress(OSError):  # a full disk: it is locked all the same, only by nobody named
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; further calls do nothing."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            # Closing alone would leave it to a process that was forked meanwhile by other means than Python's.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self.leave()

    def leave(self) -> None:
        """Close the file only: where processes were forked, another one still holds the device."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
