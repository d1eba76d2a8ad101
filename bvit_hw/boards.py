"""Boards as data: one TOML file a board under boards/, read strictly.

Every figure of the FPGA carries the document that it comes from, because budgets, folding and reports all rest on it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bvit_hw.errors import BoardError
from bvit_hw.ops.base import Resources
from bvit_hw.resources import data_path

Fraction = Annotated[float, Field(gt=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Strict):
    """A count with the document it was taken from."""

    count: Annotated[int, Field(ge=0)]
    source: Annotated[str, Field(min_length=3)]


class BoardResources(_Strict):
    """What the FPGA has; ``bram18`` counts 18-Kbit halves of block RAM."""

    lut: Figure
    ff: Figure
    bram18: Figure
    uram: Figure
    dsp: Figure


class Budget(_Strict):
    """Fractions of the FPGA that an accelerator may take; the rest is for the shell and for routability."""

    lut: Fraction = 0.70
    ff: Fraction = 0.70
    bram18: Fraction = 0.80
    uram: Fraction = 0.80
    dsp: Fraction = 0.80


class VivadoSettings(_Strict):
    """How a Vivado block design is built around the accelerator.

    ``board_part`` is used only where its board files are installed; ``ps_config`` (property -> value) sets the
    processing system ``ps_ip`` either way.
    """

    ps_ip: str
    board_part: str | None = None
    ps_config: dict[str, str] = Field(default_factory=dict)


class Board(_Strict):
    """One board: its FPGA, its clock, its budgets, and what the vendor flow needs to know of it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    part: str
    family: Annotated[str, Field(pattern=r"^(zynq-7000|zynq-ultrascale\+|alveo)$")]
    clock_mhz: Annotated[float, Field(gt=0, le=1000)]
    resources: BoardResources
    budget: Budget = Budget()
    vivado: VivadoSettings

    @property
    def available(self) -> Resources:
        """All that the FPGA has."""
        r = self.resources
        return Resources(lut=r.lut.count, ff=r.ff.count, bram18=r.bram18.count, uram=r.uram.count, dsp=r.dsp.count)

    @property
    def limits(self) -> Resources:
        """What an accelerator may take of it: available times budget."""
        a, b = self.available, self.budget
        return Resources(
            lut=a.lut * b.lut, ff=a.ff * b.ff, bram18=a.bram18 * b.bram18, uram=a.uram * b.uram, dsp=a.dsp * b.dsp
        )

    def cycles_at(self, fps: float) -> float:
        """Cycles a frame that ``fps`` frames a second leave at the board's clock."""
        return self.clock_mhz * 1e6 / fps


def board_names() -> list[str]:
    """Names of the boards that are known, sorted."""
    return sorted(path.stem for path in data_path("boards").glob("*.toml"))


def load_board(name: str) -> Board:
    """The board called ``name``; raises BoardError for an unknown one or a file that does not fit."""
    path = data_path("boards") / f"{name}.toml"
    if name not in board_names():
        raise BoardError(f"board {name!r} is not known; known boards: {', '.join(board_names())}")
    return read_board(path)


def read_board(path: Path) -> Board:
    """The board described by the TOML file ``path``, whose stem must be the board's name."""
    try:
        board = Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BoardError(f"board file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"board file {path} is not valid TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise BoardError(f"board file {path}: {faults}") from error
    if board.name != path.stem:
        raise BoardError(f"board file {path}: name is {board.name!r}, must be {path.stem!r} like the file")
    return board
