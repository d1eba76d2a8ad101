"""The accelerator's registers, from their one description: rtl/shell/registers.toml.

``python -m bvit_hw.codegen.registers`` writes the SystemVerilog package, the driver's map and the table of the page
(`make registers`); with ``--check`` it only says which of them do not follow from the description (`make lint`).
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bvit_hw.disk import write_aside
from bvit_hw.errors import ConfigError
from bvit_hw.resources import data_path
from bvit_hw.templates import templates

SOURCE = Path("rtl/shell/registers.toml")
PAGE = Path("docs/registers.md")
#: what is generated as a whole, and its template
GENERATED = {
    Path("rtl/shell/bvit_registers_pkg.sv"): "bvit_registers_pkg.sv.j2",
    Path("bvit_hw/runtime/registers.py"): "registers.py.j2",
}
#: lines of the page around its table
BEGIN, END = f"<!-- begin: from {SOURCE} by `make registers` -->\n", "<!-- end -->\n"

_Name = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
_Bit = Annotated[int, Field(ge=0, le=31)]
_Word = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class Line(NamedTuple):
    """A word of the map as a table shows it; ``access`` is "r" or "rw"."""

    offset: int
    name: str
    access: str
    meaning: str


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Register(_Strict):
    """A register, or ``words`` of them one after the other; ``fields`` are its bits: one, or highest and lowest."""

    name: _Name
    offset: Annotated[int, Field(ge=0, multiple_of=4)]
    access: Literal["r", "rw"]
    meaning: str
    words: Annotated[int, Field(ge=1)] = 1
    value: _Word | None = None
    fields: dict[_Name, _Bit | tuple[_Bit, _Bit]] = {}

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """Highest and lowest bit of each field."""
        return {name: (bits, bits) if isinstance(bits, int) else bits for name, bits in self.fields.items()}

    @property
    def masks(self) -> dict[str, int]:
        """The bits of each field as a word."""
        return {name: (2 << high) - (1 << low) for name, (high, low) in self.spans.items()}

    @property
    def lines(self) -> list[Line]:
        """A line of the map for each word."""
        bits = {n: f"bits {h}-{lo}" if h > lo else f"bit {lo}" for n, (h, lo) in self.spans.items()}
        return [
            Line(
                self.offset + 4 * word,
                f"{self.name}[{word}]" if self.words > 1 else self.name,
                self.access,
                self.meaning.strip().format(value=self.value, first=8 * word, last=8 * word + 7, **bits),
            )
            for word in range(self.words)
        ]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        taken = 0
        for (name, (high, low)), mask in zip(self.spans.items(), self.masks.values(), strict=True):
            if high < low or taken & mask:
                raise ValueError(f"field {name}: bits {high} to {low}; allowed: highest first, no bit twice")
            taken |= mask
        try:
            _ = self.lines
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"meaning names {error}; allowed: value, first, last, {', '.join(self.fields)}") from error
        return self


class RegisterMap(_Strict):
    """All registers, by rising offset without overlap."""

    address_space: Annotated[int, Field(gt=0)]
    register_: Annotated[tuple[Register, ...], Field(alias="register", min_length=1)]

    @property
    def registers(self) -> tuple[Register, ...]:
        """The registers, in the order of their offsets."""
        return self.register_

    @property
    def lines(self) -> list[Line]:
        """The whole map, a line a word."""
        return [line for register in self.registers for line in register.lines]

    @property
    def end(self) -> int:
        """Bytes from the first register to the end of the last."""
        return self.registers[-1].offset + 4 * self.registers[-1].words

    @model_validator(mode="after")
    def _apart(self) -> Self:
        free = 0
        for register in self.registers:
            if register.offset < free:
                raise ValueError(f"{register.name}: offset {register.offset:#x}; the next free one is {free:#x}")
            free = register.offset + 4 * register.words
        names = [name for r in self.registers for name in (r.name, *(f"{r.name}_{f}" for f in r.fields))]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two registers or fields are written as {', '.join(twice)}; allowed: one")
        if self.address_space.bit_count() != 1 or self.address_space < free:
            raise ValueError(f"address_space {self.address_space:#x}; allowed: a power of two from {free:#x} on")
        return self


def read_registers(path: Path | None = None) -> RegisterMap:
    """The description in the TOML file ``path``, this installation's own if None.

    Raises ConfigError for one that does not fit.
    """
    path = path or data_path("rtl") / "shell" / SOURCE.name
    try:
        return RegisterMap.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"registers {path}: {error}") from error


def table(registers: RegisterMap) -> str:
    """The map as a Markdown table."""
    rows = [f"| 0x{r.offset:02X} | {r.name} | {r.access} | {r.meaning} |\n" for r in registers.lines]
    return "".join(("| offset | name | access | meaning |\n", "|---|---|---|---|\n", *rows))


def generated(root: Path) -> dict[Path, str]:
    """What follows from the description in the source tree ``root``: texts by path within it.

    Raises ConfigError where the description does not fit, or the page has no place for its table.
    """
    registers, environment = read_registers(root / SOURCE), templates("bvit_hw.codegen")
    values = {"map": registers, "source": SOURCE}
    texts = {path: environment.get_template(name).render(values) for path, name in GENERATED.items()}
    page, found = re.subn(
        f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})",
        lambda _: table(registers),
        (root / PAGE).read_text(encoding="utf-8"),
        flags=re.S,
    )
    if found != 1:
        raise ConfigError(f"{PAGE}: the table stands between the lines {BEGIN.strip()!r} and {END.strip()!r}, once")
    return {**texts, PAGE: page}


def main(root: Path, *, check: bool) -> int:
    """Write what has changed in the source tree ``root`` and name it.

    With ``check`` write nothing; the exit code is 1 when something would change.
    """
    texts = generated(root)
    stale = [p for p, text in texts.items() if not (root / p).is_file() or (root / p).read_text("utf-8") != text]
    for path in stale:
        if not check:
            write_aside(root / path, texts[path])
        print(f"{path}: {'not' if check else 'now'} what {SOURCE} says")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(data_path("rtl").parent, check=sys.argv[1:] == ["--check"]))
