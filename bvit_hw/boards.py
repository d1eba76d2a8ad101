"""Boards as data: one TOML file a board under boards/, read strictly. How to add one: docs/tutorials/add_a_board.md.

Every figure of the FPGA carries the document that it comes from, because budgets, folding and reports all rest on it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from bvit_hw.errors import BoardError
from bvit_hw.resources import data_path
from bvit_hw.targets import Target, families, place_of
from bvit_hw.targets.cost import Resources
from bvit_hw.vendor_releases import RELEASES

Fraction = Annotated[float, Field(gt=0, le=1)]
#: a ball of a package: its row in letters, its column
Ball = Annotated[str, Field(pattern=r"^[A-Z]{1,2}\d{1,2}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Strict):
    """A count with the document it was taken from."""

    count: Annotated[int, Field(ge=0)]
    source: Annotated[str, Field(min_length=3)]

    @model_validator(mode="before")
    @classmethod
    def _with_its_source(cls, value: object) -> object:
        if isinstance(value, (Mapping, cls)):
            return value
        raise ValueError('a figure is a count with its source: { count = 53200, source = "document, page" }')


class BoardResources(_Strict):
    """What the FPGA has; ``bram18`` counts 18-Kbit halves of block RAM."""

    lut: Figure
    ff: Figure
    bram18: Figure
    uram: Figure
    dsp: Figure


class Budget(_Strict):
    """Fractions of the FPGA that an accelerator may take; the rest is for the shell and for routability.

    Of an FPGA with dies they are fractions of what the platform leaves of each.
    """

    lut: Fraction = 0.70
    ff: Fraction = 0.70
    bram18: Fraction = 0.80
    uram: Fraction = 0.80
    dsp: Fraction = 0.80


class DieCounts(_Strict):
    """What the platform of a card leaves of one die."""

    lut: Annotated[int, Field(ge=0)]
    ff: Annotated[int, Field(ge=0)]
    bram18: Annotated[int, Field(ge=0)]
    uram: Annotated[int, Field(ge=0)]
    dsp: Annotated[int, Field(ge=0)]


class Dies(_Strict):
    """The dies of a stacked FPGA (super logic regions), in the order in which they lie.

    ``left`` is what the platform leaves of each, ``source`` where that is from.
    """

    source: Annotated[str, Field(min_length=3)]
    left: Annotated[dict[Annotated[str, Field(pattern=r"^SLR[0-3]$")], DieCounts], Field(min_length=1)]


class MemoryRegion(_Strict):
    """A stretch of the processing system's DRAM as the DMA sees it.

    ``segment`` is Vivado's name of it below the processing system's cell; ``offset`` is where it lies in bytes, which
    must be a multiple of ``size_mb`` (MiB), itself a power of two, as Vivado's address editor wants it.
    """

    segment: str
    offset: Annotated[int, Field(ge=0)]
    size_mb: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if self.size_mb & (self.size_mb - 1):
            raise ValueError(f"memory {self.segment}: size_mb={self.size_mb} must be a power of two")
        if self.offset % (self.size_mb << 20):
            raise ValueError(f"memory {self.segment}: offset {self.offset:#x} must be a multiple of {self.size_mb} MiB")
        return self

    @property
    def end(self) -> int:
        """First byte behind the region."""
        return self.offset + (self.size_mb << 20)


class VivadoSettings(_Strict):
    """How a Vivado block design is built around the accelerator, for boards with a Zynq.

    ``board_part`` is a pattern of Vivado's board name; where such board files are installed the processing system
    ``ps_ip`` (vendor:library:name, no version) is set by the board's preset, elsewhere by ``ps_config`` (property ->
    value). ``memory`` is the DRAM that the DMA reaches.
    """

    ps_ip: Annotated[str, Field(pattern=r"^[\w.-]+:\w+:\w+$")]
    board_part: str | None = None
    ps_config: dict[str, str] = Field(default_factory=dict)
    memory: Annotated[tuple[MemoryRegion, ...], Field(min_length=1)]

    @property
    def address_bits(self) -> int:
        """Address bits that the DMA needs: 32, or more where memory lies above 4 GiB."""
        return max(32, max(region.end - 1 for region in self.memory).bit_length())


class VitisSettings(_Strict):
    """What v++ needs to know of an Alveo card.

    ``platforms`` maps each supported release to the name of the card's platform, ``source`` says where that is from.
    Images are read from ``images_bank`` and logits written to ``logits_bank``, banks as v++ calls them (``HBM[0]``,
    ``DDR[1]``); ``banks`` is how many of them the card has. The data movers are placed in ``slr``, where those
    banks are.
    """

    platforms: dict[str, Annotated[str, Field(pattern=r"^\w+$")]]
    source: Annotated[str, Field(min_length=3)]
    memory: Literal["HBM", "DDR"]
    banks: Annotated[int, Field(ge=1)]
    images_bank: str
    logits_bank: str
    slr: Annotated[str, Field(pattern=r"^SLR[0-3]$")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if tuple(sorted(self.platforms)) != tuple(sorted(RELEASES)):
            raise ValueError(f"platforms: given {sorted(self.platforms)}; needed: one for each of {list(RELEASES)}")
        known = [f"{self.memory}[{bank}]" for bank in range(self.banks)]
        for name in ("images_bank", "logits_bank"):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}; allowed: {known[0]} to {known[-1]}")
        return self


class NextpnrSettings(_Strict):
    """What lies around the FPGA of a board whose bitstream nextpnr makes.

    Pins are balls of the package, ``source`` says where they are from. ``clock`` has an oscillator of
    ``oscillator_mhz``; the FPGA hears its host at ``receive`` and answers at ``transmit``, at ``baud``. ``leds`` show
    what it does. ``programmer`` is what openFPGALoader calls the board.
    """

    source: Annotated[str, Field(min_length=3)]
    oscillator_mhz: Annotated[float, Field(ge=8, le=400)]
    baud: Annotated[int, Field(ge=9600)]
    clock: Ball
    receive: Ball
    transmit: Ball
    leds: Annotated[tuple[Ball, ...], Field(min_length=1, max_length=8)]
    programmer: Annotated[str, Field(pattern=r"^[\w-]+$")]

    @model_validator(mode="after")
    def _each_its_own(self) -> Self:
        balls = [self.clock, self.receive, self.transmit, *self.leds]
        if twice := sorted({ball for ball in balls if balls.count(ball) > 1}):
            raise ValueError(f"ball {', '.join(twice)} is given to more than one signal")
        return self


class EngineSettings(_Strict):
    """The single engine that is built for the board, as the fields of ``EngineConfig`` (bvit_hw/engine/config.py).

    ``clock_mhz`` is its clock where that is not the board's.
    """

    tokens: int
    rows: int
    channels: int
    bits: int
    values: int
    weights: int
    params: int
    steps: int
    taps: int
    port: int = 64
    ultra: int = 0
    clock_mhz: Annotated[float, Field(gt=0, le=1000)] | None = None


class Board(_Strict):
    """One board: its FPGA, its clock, its budgets, and what the vendor flow needs to know of it.

    ``family`` is one of those of the targets (bvit_hw/targets). Boards with a Zynq have a table ``vivado``, Alveo cards
    a table ``vitis``, those with an ECP5 a table ``nextpnr``. ``engine`` is there for boards that an engine was chosen
    for.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    family: str
    part: Annotated[str, Field(pattern=r"^[\w-]+$")]
    clock_mhz: Annotated[float, Field(gt=0, le=1000)]
    resources: BoardResources
    budget: Budget = Budget()
    vivado: VivadoSettings | None = None
    vitis: VitisSettings | None = None
    nextpnr: NextpnrSettings | None = None
    dies: Dies | None = None
    engine: EngineSettings | None = None

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        if family in families():
            return family
        known = [repr(name) for name in families()]
        raise ValueError(f"Input should be {', '.join(known[:-1])} or {known[-1]}")

    @field_validator("part")
    @classmethod
    def _of_its_family(cls, part: str, info: ValidationInfo) -> str:
        if "family" in info.data and not part.startswith(begin := place_of(info.data["family"])[1].part):
            raise ValueError(f"String should match pattern '^{begin}[\\w-]+$'")
        return part

    @model_validator(mode="after")
    def _has_its_flow(self) -> Self:
        if self.flow and getattr(self, self.flow) is None:
            raise ValueError(f"a board of family {self.family} needs a table [{self.flow}]")
        for other in {"vivado", "vitis", "nextpnr"} - {self.flow}:
            if getattr(self, other) is not None:
                raise ValueError(f"a board of family {self.family} has no table [{other}]")
        return self

    @model_validator(mode="after")
    def _has_its_dies(self) -> Self:
        if (self.vitis is None) != (self.dies is None):
            has = "needs a table [dies]" if self.vitis else "has no table [dies]"
            raise ValueError(f"a board of family {self.family} {has}")
        if self.vitis and self.dies:
            names = list(self.dies.left)
            if self.vitis.slr not in (names[0], names[-1]):
                allowed = f"the first or the last of [dies.left], {names}"
                raise ValueError(f"vitis.slr={self.vitis.slr!r}; allowed: {allowed}")
        return self

    @property
    def target(self) -> Target:
        """The architecture of its FPGA, which answers what cells, memories and costs it has."""
        return place_of(self.family)[0]

    @property
    def flow(self) -> str:
        """The vendor's tools that build for it, by the name in flows/vendor.py; "" where there are none."""
        return place_of(self.family)[1].flow

    @property
    def pixel_bytes(self) -> int:
        """What its host's side can bring in one beat of the pixels' stream."""
        return place_of(self.family)[1].pixel_bytes

    @property
    def engine_clock_mhz(self) -> float:
        """The clock of its single engine: the board's where the table [engine] names none."""
        return self.clock_mhz if self.engine is None else self.engine.clock_mhz or self.clock_mhz

    @property
    def memory_bits(self) -> int:
        """Address bits of the DRAM that a master in the FPGA reaches."""
        return 32 if self.vivado is None else self.vivado.address_bits

    @property
    def ip_families(self) -> tuple[str, ...]:
        """What the vendor's tools call FPGAs of its family."""
        return place_of(self.family)[1].ip_families

    @property
    def available(self) -> Resources:
        """All that the FPGA has."""
        r = self.resources
        return Resources(lut=r.lut.count, ff=r.ff.count, bram18=r.bram18.count, uram=r.uram.count, dsp=r.dsp.count)

    @property
    def limits(self) -> Resources:
        """What an accelerator may take of it: available times budget, or that of its dies together."""
        return sum(self.die_limits.values(), Resources()) if self.dies else self._budgeted(self.available)

    @property
    def die_limits(self) -> Mapping[str, Resources]:
        """What an accelerator may take of each die, from the one where images arrive; empty for a board without."""
        if self.dies is None or self.vitis is None:
            return {}
        left = list(self.dies.left.items())
        away = left if left[0][0] == self.vitis.slr else reversed(left)
        return {name: self._budgeted(Resources(**counts.model_dump())) for name, counts in away}

    @property
    def rooms(self) -> tuple[Resources, ...]:
        """What an accelerator may take of each die, or of the one."""
        return tuple(self.die_limits.values()) or (self.limits,)

    def _budgeted(self, counts: Resources) -> Resources:
        parts = self.budget.model_dump()
        return Resources(**{kind: getattr(counts, kind) * part for kind, part in parts.items()})

    def cycles_at(self, fps: float) -> float:
        """Cycles a frame that ``fps`` frames a second leave at the board's clock."""
        return self.clock_mhz * 1e6 / fps


def board_names() -> list[str]:
    """Names of the boards that are known, sorted."""
    return sorted(path.stem for path in data_path("boards").glob("*.toml"))


def load_board(name: str) -> Board:
    """The board called ``name``, or the one described by the file ``name`` if that ends in ``.toml``.

    Raises BoardError for an unknown board or a file that does not fit.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name not in board_names():
        raise BoardError(
            f"board {name!r} is not known; known boards: {', '.join(board_names())}; "
            "a board of your own: the path of its .toml file"
        )
    return read_board(data_path("boards") / f"{name}.toml")


def _fault(error: ErrorDetails) -> str:
    """Field, what is allowed, and what was given where that is a single value."""
    field = ".".join(map(str, error["loc"])) or "file"
    given = error["input"]
    text = error["msg"].removeprefix("Value error, ")
    return f"{field}: {text}" + (f"; given: {given!r}" if isinstance(given, (str, int, float)) else "")


def read_board(path: Path) -> Board:
    """The board described by the TOML file ``path``, whose stem must be the board's name."""
    try:
        board = Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BoardError(f"board file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"board file {path} is not valid TOML: {error}") from error
    except ValidationError as error:
        raise BoardError(f"board file {path}: {'; '.join(map(_fault, error.errors()))}") from error
    if board.name != path.stem:
        raise BoardError(f"board file {path}: name is {board.name!r}, must be {path.stem!r} like the file")
    return board
