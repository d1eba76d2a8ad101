"""Duplicate: one stream to several consumers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, Intake, Params, RtlInstance, Stream, divisors
from bvit_hw.ops.glue_common import SameLanesOp

MAX_COPIES = 8  # as many as the benches go through


@dataclass(frozen=True, kw_only=True)
class Duplicate(SameLanesOp):
    """``copies`` equal streams; each consumer takes its beat when it likes."""

    op_type: ClassVar[str] = "Duplicate"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_duplicate.sv",)

    copies: int

    def check_fields(self) -> None:
        """Shape and folding."""
        if not 2 <= self.copies <= MAX_COPIES:
            raise ConfigError(f"Duplicate: copies={self.copies}; allowed: 2 to {MAX_COPIES}")
        super().check_fields()

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The same stream, ``copies`` times."""
        return (self.stream,) * self.copies

    @property
    def intake(self) -> Intake:
        """A beat is taken when all copies are."""
        return Intake.FLOWS

    @property
    def ready_tables(self) -> int:
        """Three outputs and who of them has the beat fill one."""
        return 1 if self.copies <= 3 else 2

    def foldings(self) -> Iterator[Self]:
        """All lane counts, slowest first; in a graph the producer decides."""
        for pe in divisors(self.channels):
            yield self.fold(pe=pe)

    def cost_terms(self) -> CostTerms:
        """Control alone: data passes through."""
        return CostTerms(circuit=self.op_type, lut={"copy": self.copies, "one": 1}, ff={"copy": self.copies})

    def rtl(self, params: Params) -> RtlInstance:
        """One module; its outputs are packed into one port."""
        return RtlInstance(
            module="bvit_duplicate",
            parameters={"W": self.stream.width, "COPIES": self.copies},
            outputs=("m_axis",) * self.copies,
        )
