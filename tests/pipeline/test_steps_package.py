"""Which packages get a simulated device."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bvit_hw.flows.parts_sim import LARGE
from bvit_hw.pipeline.steps.package import why_no_device


@pytest.mark.parametrize(
    ("wanted", "operators", "said"),
    [
        (None, LARGE - 1, ""),
        (None, LARGE, "1,000 operators"),
        (True, LARGE, ""),
        (False, 3, "left out by --no-simulated-device"),
    ],
)
def test_a_large_core_gets_a_device_when_asked_for(wanted: bool | None, operators: int, said: str) -> None:
    build = SimpleNamespace(
        options=SimpleNamespace(simulated_device=wanted), stitched=SimpleNamespace(nodes=range(operators))
    )
    found = why_no_device(build)  # type: ignore[arg-type]
    assert said in found and bool(found) == bool(said)
