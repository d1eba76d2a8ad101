"""Finds the way to a device: what lies at a path, and which of pynq's devices it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .engine_link import EngineLink, MemoryLink
from .errors import DeviceError
from .link import DmaLink, Link
from .model_info import ModelInfo

BITSTREAM, XCLBIN, SIMULATION = "bvit_hw.bit", "bvit_hw.xclbin", "sim"


def open_link(path: Path, info: ModelInfo, claim: Callable[[str], None]) -> Link:
    """Load what lies at ``path`` (.bit, .xclbin, or the folder of a simulated device); ``claim`` is told the device's
    name before that. Raises DeviceError when there is no such file, or no device for it.
    """
    if path.is_dir():
        return _open_simulated(path, claim)
    pynq, overlay, device = _overlay(path, claim)
    if path.suffix == ".xclbin":
        from .alveo import KernelLink

        return KernelLink(
            overlay,
            device,
            name=f"pynq-{device.tag}",
            input_bytes=info.input_bytes,
            frame_bytes=info.frame_bytes,
            classes=info.classes,
        )
    return DmaLink(overlay, pynq.allocate, name=f"pynq-{device.tag}")


def open_engine_link(path: Path, claim: Callable[[str], None]) -> MemoryLink:
    """As :func:`open_link`, of a single engine."""
    if path.is_dir():
        name = f"simulated-{path.resolve()}"
        claim(name)
        if _library() is not None:
            from .sim_pynq import open_engine_pynq

            return open_engine_pynq(path, name)
        from .sim_direct import open_engine_direct

        return open_engine_direct(path, name)
    pynq, overlay, device = _overlay(path, claim)
    return EngineLink(overlay, pynq.allocate, name=f"pynq-{device.tag}")


def _overlay(path: Path, claim: Callable[[str], None]) -> tuple[Any, Any, Any]:
    """pynq, the bitstream's overlay, and pynq's device that it was loaded into."""
    if not path.is_file():
        raise DeviceError(f"{path}: no such bitstream; Vivado makes it (see the package's README.md)")
    pynq = _library()
    if pynq is None:
        raise DeviceError(f"{path}: a bitstream is loaded by the library pynq, which this Python does not have")
    try:
        device = pynq.Device.active_device
    except RuntimeError as error:
        raise DeviceError(f"{path}: pynq finds no device on this machine ({error})") from error
    claim(f"pynq-{device.tag}")
    return pynq, pynq.Overlay(str(path)), device


def _library() -> Any:
    """The library pynq, or None where there is none; a folder that is called so is a package as well, but empty."""
    try:
        import pynq
    except ImportError:
        return None
    return pynq if hasattr(pynq, "Overlay") else None


def _open_simulated(folder: Path, claim: Callable[[str], None]) -> Link:
    name = f"simulated-{folder.resolve()}"
    claim(name)
    if _library() is None:
        from .sim_direct import open_direct

        return open_direct(folder, name)
    from .sim_pynq import open_pynq

    return open_pynq(folder, name)


def find_device(package: Path, device: str = "auto") -> Path:
    """The bitstream, or the simulated device's folder, of a package; ``device`` is "board", "sim" or "auto".

    "auto" takes the bitstream where there is one, else the simulated device. Raises DeviceError when there is neither.
    """
    found = {"board": [package / BITSTREAM, package / XCLBIN], "sim": [package / SIMULATION]}
    if device not in ("auto", *found):
        raise DeviceError(f"device {device!r}; allowed: auto, board, sim")
    candidates = found["board"] + found["sim"] if device == "auto" else found[device]
    for path in candidates:
        if path.exists():
            return path
    raise DeviceError(f"{package.resolve()}: holds none of {', '.join(path.name for path in candidates)}")
