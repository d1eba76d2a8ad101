"""What the parts of a report have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bvit_hw.report.model import Cycles


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="frames"):
        Cycles.model_validate({"model": 1, "simulated": None, "frames": 2})


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Cycles(model=1, simulated=None).model = 2  # type: ignore[misc]
