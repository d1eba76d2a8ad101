"""What every bench in this folder has in common: the marker, and which device is under test.

`-m "not sim"` leaves them out. `--dut hls --hls-ip FOLDER` puts what Vitis HLS made into the place of rtl/ in
test_devices.py, and runs nothing else; with `--hls-write` the projects for Vitis HLS are written into FOLDER instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
_DEVICES = "test_devices.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("bvit-hw")
    group.addoption("--dut", choices=("rtl", "hls"), default="rtl", help="device under test: rtl/, or HLS output")
    group.addoption("--hls-ip", type=Path, help="folder of projects that Vitis HLS has run")
    group.addoption("--hls-write", action="store_true", help="write those projects, run nothing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test of this folder ``sim``; for an HLS device keep the test that takes one."""
    kept = []
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.sim)
            if config.getoption("--dut") == "hls" and item.path.name != _DEVICES:
                continue
        kept.append(item)
    if len(kept) != len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Callable[..., object]:
    """``device(op, params)``: the device that the options name; skips where it is not there."""
    from devices import rtl_device, vitis_device

    if request.config.getoption("--dut") == "rtl":
        return rtl_device
    folder = request.config.getoption("--hls-ip")
    if folder is None:
        raise pytest.UsageError("--dut hls needs --hls-ip FOLDER")
    return vitis_device(folder, write=request.config.getoption("--hls-write"))
