"""The single engine's top for a board: its parameters in plain Verilog, and the files of rtl/ that it needs."""

from __future__ import annotations

import re
from dataclasses import asdict

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES
from bvit_hw.engine.config import EngineConfig
from bvit_hw.rtl_library import library
from bvit_hw.runtime.registers import ADDRESS_SPACE

#: Cycles in which DRAM does nothing before a frame is given up: far longer than a refresh, or than other masters keep
#: it, and short enough that a driver hears of it before its own patience ends.
TIMEOUT = 1 << 16


def engine_sources() -> tuple[str, ...]:
    """Names of the files of rtl/ that ``bvit_engine`` is made of, in compile order."""
    files, found, new = library(), set[str](), ["bvit_engine.sv"]
    while new:
        name = new.pop()
        found.add(name)
        text = re.sub(r"//.*", "", files[name].read_text())
        named = {f"{word}.sv" for word in re.findall(r"\bbvit_\w+", text)}
        new += [other for other in named & files.keys() if other not in found]
    return tuple(sorted(found, key=lambda name: (not name.endswith("_pkg.sv"), name == "bvit_engine.sv", name)))


def engine_top(
    config: EngineConfig, *, name: str, memory_bits: int, primitives: int = 0, timeout: int = TIMEOUT
) -> str:
    """The module ``name``: the engine ``config`` with addresses of ``memory_bits`` in DRAM.

    ``primitives`` is the target's ``vendor_cells``, of which popcounts are made.
    """
    parameters = {field.upper(): value for field, value in asdict(config).items()}
    return TEMPLATES.get_template("engine_top.v.j2").render(
        top=name,
        version=__version__,
        identity=config.identity,
        address_bits=ADDRESS_SPACE.bit_length() - 1,
        memory_bits=memory_bits,
        port=config.port,
        parameters=parameters | {"USE_PRIMITIVES": primitives, "ADDRESS": memory_bits, "TIMEOUT": timeout},
    )
