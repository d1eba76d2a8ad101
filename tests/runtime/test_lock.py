"""The lock of a device."""

from __future__ import annotations

import tempfile

import pytest

from bvit_hw.runtime.errors import DeviceError
from bvit_hw.runtime.lock import DeviceLock


def test_a_lock_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/tmp")
    with pytest.raises(DeviceError, match=r"/dev/null/tmp.*TMPDIR"):
        DeviceLock("name")
