"""The accelerator around the stitched core: frame guard, registers and stream ends, as the board project sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES, Stitched
from bvit_hw.disk import write_aside
from bvit_hw.errors import LoweringError
from bvit_hw.graph.border import Border
from bvit_hw.ops.shell import CHAIN_SOURCES, SHELL_SOURCES
from bvit_hw.runtime.registers import ADDRESS_SPACE, VERSION_VALUE

#: width of the logits' stream; that of the pixels follows from the frame
OUTPUT_BITS = 32
TEMPLATES.filters["bytes"] = lambda bits: whole_bytes(bits)


def whole_bytes(bits: int) -> int:
    """Bits of a stream's tdata between kernels, of which each beat has ``bits``."""
    return 8 * -(-bits // 8)


def next_streams(bits: int, logit_bits: int) -> dict[str, int]:
    """Streams of a kernel to and from the next die, with the bits of their tdata; beats there have ``bits``."""
    return {"m_next": whole_bytes(bits), "s_back": whole_bytes(logit_bits), "m_hold": 8, "s_held": 8}


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A generated module with a core in it: its text, and the library files of its whole design in compile order.

    ``cell_models`` are library files that only simulation and lint read, before all others. ``streams`` are its ports
    with the bits of their tdata.
    """

    module: str
    text: str
    library: Sequence[str]
    cell_models: Sequence[str]
    streams: Mapping[str, int]

    def write(self, folder: Path) -> Path:
        """Write the module into ``folder``; returns its path."""
        path = folder / f"{self.module}.v"
        write_aside(path, self.text)
        return path


@dataclass(frozen=True, kw_only=True)
class Accelerator(Kernel):
    """The top with pixels, logits and registers: the only kernel, or the first of several."""

    border: Border
    model_hash: str


def accelerator(
    core: Stitched,
    *,
    name: str,
    model_hash: str,
    image: tuple[int, int, int],
    border: Border,
    logits_exponent: int,
    goes_on: bool = False,
) -> Accelerator:
    """The top of ``core``; ``image`` is height, width, channels of the uint8 pixels, ``model_hash`` 64 hex digits.

    With ``goes_on`` the core is but the part on the first die (:mod:`bvit_hw.codegen.die_kernels` makes the others).
    Raises LoweringError for an image, or a core, whose streams are not those of ``border``.
    """
    height, width, channels = image
    if height * width * channels != border.frame_bytes:
        raise LoweringError(
            f"image of {height} x {width} x {channels} = {height * width * channels} bytes; the accelerator's input "
            f"has {border.frame_bytes} a frame"
        )
    gives_logits = goes_on or (core.output.lanes, core.output.width) == (1, border.logit_bits)
    if core.input.width != border.input_bits or not gives_logits:
        raise LoweringError(
            f"{core.module}: takes {core.input.width} bits and gives {core.output.lanes} logits of "
            f"{core.output.bits} bits a beat; the accelerator needs {border.input_bits} bits and 1 logit of "
            f"{border.logit_bits}"
        )
    text = TEMPLATES.get_template("accelerator.v.j2").render(
        top=name,
        version=__version__,
        core=core.module,
        model_hash=model_hash,
        height=height,
        width=width,
        channels=channels,
        classes=border.classes,
        frame_bytes=border.frame_bytes,
        guard_depth=border.guard_depth,
        logit_bits=border.logit_bits,
        logits_exponent=logits_exponent,
        interface_version=VERSION_VALUE,
        address_bits=ADDRESS_SPACE.bit_length() - 1,
        input_bits=border.input_bits,
        output_bits=OUTPUT_BITS,
        next_bits=core.output.width if goes_on else 0,
    )
    library = tuple(dict.fromkeys((*core.library, *SHELL_SOURCES, *(CHAIN_SOURCES if goes_on else ()))))
    streams = {"s_axis": border.input_bits, "m_axis": OUTPUT_BITS}
    if goes_on:
        streams |= next_streams(core.output.width, border.logit_bits)
    return Accelerator(
        module=name,
        text=text,
        library=library,
        cell_models=core.cell_models,
        border=border,
        model_hash=model_hash,
        streams=streams,
    )
