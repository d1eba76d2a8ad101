"""A frame of the single engine taken apart: which commands belong together, and what is counted of each piece."""

from __future__ import annotations

from dataclasses import dataclass

from .engine_registers import Register
from .errors import ProgrammeError
from .programme import ProgrammeFile

#: what is read behind a frame, in the order of LayerProfile's numbers
COUNTED = (
    Register.COMMANDS, Register.CYCLES, Register.CORE_CYCLES, Register.FETCH_CYCLES, Register.LOAD_CYCLES,
    Register.STORE_CYCLES,
)  # fmt: skip


@dataclass(frozen=True)
class LayerProfile:
    """A piece of a programme: ``cycles`` of a frame that go into it, and what the engine did in them.

    In ``core`` cycles the units worked. In the others they were idle and waited for DRAM: for commands (``fetch``),
    parameters and pictures (``load``), or to write (``store``).
    """

    name: str
    commands: int
    cycles: int
    core: int
    fetch: int
    load: int
    store: int

    @property
    def memory(self) -> int:
        """Cycles in which the units were idle and waited for DRAM."""
        return self.fetch + self.load + self.store


def stretches(programme: ProgrammeFile, by: str) -> list[tuple[int, str]]:
    """Behind how many commands each stretch ends, and whose it is; the last one ends with the programme."""
    if by not in ("part", "node"):
        raise ValueError(f"by={by!r}; allowed: 'part', 'node'")
    nodes = programme.facts.get("nodes")
    last = programme.commands - 1
    if not nodes:
        raise ProgrammeError(f"{programme.name}: does not say whose its commands are; compile it again")
    named = [(min(int(end), last), str(name)) for end, name in nodes]
    if by == "part":
        named = [(end, name.split(".")[0]) for end, name in named]
    found: list[tuple[int, str]] = []
    for end, name in named:
        if found and (found[-1][1] == name or found[-1][0] == end):
            found[-1] = (end, name if found[-1][0] == end else found[-1][1])
        else:
            found.append((end, name))
    if found[-1][0] < last:
        found.append((last, "output"))
    return found
