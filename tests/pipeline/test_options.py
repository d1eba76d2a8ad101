"""What a build is asked for is checked before it begins."""

from __future__ import annotations

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.models import shipped_checkpoint
from bvit_hw.pipeline.options import resolve
from tests.faults import refusal


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, 1e-320])
def test_frame_rates_that_are_none(value: float) -> None:
    request = {
        "board": "pynq-z2", "preset_name": None, "checkpoint": shipped_checkpoint(), "data": "digits",
        "clock_mhz": None, "simulated_images": 1, "jobs": 1,
    }  # fmt: skip
    assert "--target-fps" in refusal(lambda: resolve(**request, target_fps=value), ConfigError)  # type: ignore[arg-type]
    assert "--clock-mhz" in refusal(
        lambda: resolve(**(request | {"clock_mhz": value}), target_fps=None),  # type: ignore[arg-type]
        ConfigError,
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"simulated_images": 0}, "--images 0 must be a whole number from 1 on"),
        ({"jobs": -1}, "--jobs -1 must be a whole number from 1 on"),
        ({"tried_fifos": 1.5}, "--try-fifos 1.5 must be a whole number from 0 on"),
        ({"impl": "vhdl"}, "--impl vhdl; allowed: auto, hls, rtl"),
        ({"target_fps": "fast"}, "--target-fps 'fast' must be a number from 0.001 on"),
    ],
)
def test_what_python_may_give_and_the_command_line_does_not(given: dict[str, object], told: str) -> None:
    request = {
        "board": "pynq-z2", "preset_name": None, "checkpoint": shipped_checkpoint(), "data": "digits",
        "clock_mhz": None, "target_fps": None, "simulated_images": 1, "jobs": 1,
    }  # fmt: skip
    assert told in refusal(lambda: resolve(**(request | given)), ConfigError)  # type: ignore[arg-type]
