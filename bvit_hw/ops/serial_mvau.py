"""The bit-serial form of IntMVAU (bvit_serial_mvau.sv): one bit of all inputs a cycle, sums looked up in tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bvit_hw.contract.interval import signed_bits
from bvit_hw.errors import FoldingError
from bvit_hw.ops.base import CostTerms, IntArray, RtlInstance, clog2, divisors
from bvit_hw.ops.coef_memory import pack_words

#: address bits of a table: a LUT6 has one input more, the adder's
TABLE_ADDRESS_BITS = 5
#: tables of a unit: each reads a file that holds all of them. A simulator was still reading those of 6,144 after a
#: quarter of an hour, with 3 GB.
MOST_TABLES = 512


def serial_lanes(rows: int, in_bits: int, cols: int) -> list[int]:
    """Values of pe that the unit may have, ascending; none for inputs of one bit."""
    if in_bits < 2 or rows % in_bits:
        return []
    phases = [
        p for p in divisors(rows // in_bits)
        if clog2(p) < TABLE_ADDRESS_BITS and in_bits * _stages(cols, p) <= MOST_TABLES
    ]  # fmt: skip
    return sorted(rows // in_bits // p for p in phases)


def _stages(cols: int, phases: int) -> int:
    return -(-cols // (TABLE_ADDRESS_BITS - clog2(phases)))


@dataclass(frozen=True, kw_only=True)
class SerialMVAU:
    """``pe * in_bits`` of the ``rows`` at once; ``simd`` is how many inputs arrive in a beat. Fields as IntMVAU's."""

    cols: int
    rows: int
    in_bits: int
    in_signed: int
    weight_bits: int
    acc_bits: int
    simd: int
    pe: int

    def check(self) -> None:
        """Raise FoldingError for a shape or folding that the unit cannot have."""
        if self.in_bits < 2:
            raise FoldingError(f"IntMVAU: serial with in_bits={self.in_bits}; allowed: 2 or more bits, or serial 0")
        if self.rows % self.together:
            raise FoldingError(
                f"IntMVAU: serial with pe={self.pe}: {self.rows} rows are no multiple of pe * in_bits = "
                f"{self.together}; allowed: pe {serial_lanes(self.rows, self.in_bits, self.cols) or 'none'}"
            )
        if self.phase_bits >= TABLE_ADDRESS_BITS:
            raise FoldingError(
                f"IntMVAU: serial with pe={self.pe} takes {self.phases} phases a token; allowed: up to "
                f"{1 << TABLE_ADDRESS_BITS - 1}"
            )
        if self.in_bits * self.stages > MOST_TABLES:
            raise FoldingError(
                f"IntMVAU: serial with pe={self.pe} and cols={self.cols} takes {self.in_bits * self.stages} tables; "
                f"allowed: up to {MOST_TABLES}, or serial 0"
            )
        beats = self.cols // self.simd
        if beats > self.cycles:
            raise FoldingError(
                f"IntMVAU: serial with simd={self.simd}: the {beats} beats of a token take longer than its "
                f"{self.cycles} cycles"
            )

    @property
    def together(self) -> int:
        """Rows at once."""
        return self.pe * self.in_bits

    @property
    def phases(self) -> int:
        """Times that it goes through a token."""
        return self.rows // self.together

    @property
    def cycles(self) -> int:
        """Of a token: one for each bit plane and phase."""
        return self.in_bits * self.phases

    @property
    def phase_bits(self) -> int:
        """Address bits of a table that say which phase it is."""
        return clog2(self.phases)

    @property
    def cols_a_stage(self) -> int:
        """Columns whose bits address one table."""
        return TABLE_ADDRESS_BITS - self.phase_bits

    @property
    def stages(self) -> int:
        """Tables of a row."""
        return _stages(self.cols, self.phases)

    @property
    def plane_bits(self) -> int:
        """Width of a bit plane's sum over all columns, from the widths alone: results fit acc_bits for every input."""
        most = (1 << (self.acc_bits - 1)) // ((1 << (self.in_bits - self.in_signed)) - 1)
        limit = self.cols << (self.weight_bits - 1)
        return signed_bits(-min(most, limit), min(most, limit))

    def cost_terms(self) -> CostTerms:
        """Tables' entries and adders; registers of inputs, taps and sums."""
        # Entries are about as wide as sums over a stage's columns can be; weights as large as that allows are rare.
        entry = min(self.weight_bits + clog2(self.cols_a_stage), self.plane_bits - clog2(self.stages) + 2)
        return CostTerms(
            circuit="SerialMVAU",
            lut={
                "one": 1, "entry": self.together * (self.plane_bits + (self.stages - 1) * entry),
                "plane": self.together * (self.plane_bits + 1), "column": self.cols, "out": self.pe * self.acc_bits,
            },
            ff={
                "one": 1, "input": 2 * self.cols * self.in_bits, "tap": self.cols * (self.in_bits + 2),
                "sum": self.together * self.stages * self.plane_bits,
                "total": self.together * (2 * (self.plane_bits + self.in_bits)),
            },
        )  # fmt: skip

    def rtl(self, weights: IntArray) -> RtlInstance:
        """An instance of bvit_serial_mvau; ``weights`` are rows x cols."""
        # A bit plane's sum may reach all positive or all negative weights of a row.
        low, high = np.minimum(weights, 0).sum(axis=1).min(), np.maximum(weights, 0).sum(axis=1).max()
        sum_bits = signed_bits(int(low), int(high))
        first, others = self._tables(weights)
        table_bits = clog2(-int(others.min(initial=-2)))
        entries = np.concatenate([first, others], axis=1)
        widths = (sum_bits,) * first.shape[1] + (table_bits,) * others.shape[1]
        return RtlInstance(
            module="bvit_serial_mvau",
            parameters={
                "PE": self.pe,
                "SIMD": self.simd,
                "COLS": self.cols,
                "PHASES": self.phases,
                "IN_BITS": self.in_bits,
                "IN_SIGNED": self.in_signed,
                "ACC_BITS": self.acc_bits,
                "COLS_A_STAGE": self.cols_a_stage,
                "TABLE_BITS": table_bits,
                "SUM_BITS": sum_bits,
            },
            memories={"TABLE_FILE": pack_words(entries, widths)},
        )

    def _tables(self, weights: IntArray) -> tuple[IntArray, IntArray]:
        """Entries of the first stage (address x row at once) and of the others (address x (stage, row at once)).

        An address is the phase above the bits of the stage's columns; the highest comes first. Entries of the first
        stage are the sum of the columns' weights and what the others lack; theirs, subtracted, are all below zero.
        """
        padded = np.zeros((self.rows, self.stages * self.cols_a_stage), dtype=np.int64)
        padded[:, : self.cols] = weights
        # phase x row x stage x column of the stage
        split = padded.reshape(self.phases, self.together, self.stages, self.cols_a_stage)
        sets = (np.arange(1 << self.cols_a_stage)[:, np.newaxis] >> np.arange(self.cols_a_stage)) & 1
        sums = np.einsum("prsc,ac->pasr", split, sets)
        least = sums.min(axis=1, keepdims=True)
        entries = np.zeros((1 << self.phase_bits, *sums.shape[1:]), dtype=np.int64)
        entries[: self.phases] = least - sums - 1
        entries[: self.phases, :, 0] = sums[:, :, 0] + (least[:, :, 1:] - 1).sum(axis=2)
        words = entries.reshape(-1, self.stages, self.together)[::-1]
        return words[:, 0], words[:, 1:].reshape(len(words), -1)
