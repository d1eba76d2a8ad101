"""The accelerator around the stitched core: frame guard, registers and stream ends, as the board project sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES, Stitched, write_text
from bvit_hw.errors import LoweringError
from bvit_hw.runtime.registers import VERSION_VALUE

#: widths of the two streams at the border
INPUT_BITS, OUTPUT_BITS = 64, 32
#: files of rtl/ that the border needs, in compile order
BORDER_FILES = (
    "bvit_frame_guard.sv",
    "bvit_axi_lite_regs.sv",
    "bvit_logits_out.sv",
)


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """The generated top: its module and text, and the library files of the whole design in compile order.

    ``cell_models`` are library files that only simulation and lint read, before all others.
    """

    module: str
    text: str
    library: Sequence[str]
    cell_models: Sequence[str]
    frame_bytes: int
    classes: int
    logit_bits: int
    model_hash: str

    def write(self, folder: Path) -> Path:
        """Write the module into ``folder``; returns its path."""
        path = folder / f"{self.module}.v"
        write_text(path, self.text)
        return path


def accelerator(
    core: Stitched,
    *,
    name: str,
    model_hash: str,
    image: tuple[int, int, int],
    classes: int,
    logits_exponent: int,
) -> Accelerator:
    """The top of ``core``; ``image`` is height, width, channels of the uint8 pixels, ``model_hash`` 64 hex digits.

    Raises LoweringError for an image whose bytes are no whole number of input beats, and for a core whose border is
    not one input beat wide, or gives more than one logit a beat.
    """
    height, width, channels = image
    frame_bytes = height * width * channels
    if frame_bytes % (INPUT_BITS // 8):
        raise LoweringError(
            f"image of {height} x {width} x {channels} = {frame_bytes} bytes: must be a multiple of {INPUT_BITS // 8}, "
            "the bytes of an input beat"
        )
    if core.input.width != INPUT_BITS or core.output.lanes != 1:
        raise LoweringError(
            f"{core.module}: takes {core.input.width} bits and gives {core.output.lanes} logits a beat; "
            f"the accelerator needs {INPUT_BITS} bits and 1 logit"
        )
    text = TEMPLATES.get_template("accelerator.v.j2").render(
        top=name,
        version=__version__,
        core=core.module,
        model_hash=model_hash,
        height=height,
        width=width,
        channels=channels,
        classes=classes,
        frame_bytes=frame_bytes,
        logit_bits=core.output.width,
        logits_exponent=logits_exponent,
        interface_version=VERSION_VALUE,
        input_bits=INPUT_BITS,
        output_bits=OUTPUT_BITS,
    )
    library = tuple(dict.fromkeys((*core.library, *BORDER_FILES)))
    return Accelerator(
        module=name,
        text=text,
        library=library,
        cell_models=core.cell_models,
        frame_bytes=frame_bytes,
        classes=classes,
        logit_bits=core.output.width,
        model_hash=model_hash,
    )
