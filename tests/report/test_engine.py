"""What a report says of a single engine's run."""

from __future__ import annotations

import pytest

from bvit_hw.report.engine import EngineRun


@pytest.mark.parametrize(
    ("images", "asked", "note"),
    [
        (None, None, ""),
        (2, 2, ""),
        (1, 32, "1 of 32 images simulated: more frames of this size take too long"),
    ],
)
def test_how_much_was_simulated(images: int | None, asked: int | None, note: str) -> None:
    assert EngineRun.model_construct(images=images, asked=asked).note == note
