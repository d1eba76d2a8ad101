"""What the parts of a report have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of report.json; it cannot be changed, and holds no field that is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")
