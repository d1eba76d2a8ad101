"""Which device a path belongs to, where the library pynq is missing or something else is called so."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from bvit_hw.runtime import devices
from bvit_hw.runtime.errors import DeviceError


def claimed(name: str) -> None:
    raise AssertionError(f"{name} was claimed, and there is no device")


def test_a_folder_called_pynq_is_not_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python imports a folder as an empty package; a simulated device is opened without pynq then."""
    (tmp_path / "pynq").mkdir()
    monkeypatch.delitem(sys.modules, "pynq", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert devices._library() is None
    assert sys.modules["pynq"].__file__ is None
    library = ModuleType("pynq")
    monkeypatch.setattr(library, "Overlay", object, raising=False)
    monkeypatch.setitem(sys.modules, "pynq", library)
    assert devices._library() is library


def test_a_bitstream_needs_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bitstream = tmp_path / devices.BITSTREAM
    bitstream.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pynq", None)  # cannot be imported
    with pytest.raises(DeviceError, match="by the library pynq, which this Python does not have"):
        devices.open_engine_link(bitstream, claimed)
