"""The kernels of an accelerator that is cut into one for each die: all but the first, and how they are connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bvit_hw import __version__
from bvit_hw.codegen.accelerator import Accelerator, Kernel, next_streams, whole_bytes
from bvit_hw.codegen.stitch import TEMPLATES, Stitched
from bvit_hw.runtime.registers import ADDRESS_SPACE

#: files of rtl/ that a kernel behind the first needs beside its core's, in compile order
_SOURCES = ("bvit_fifo.sv", "bvit_entry_register.sv")
#: the simulated whole: all kernels, connected
LINKED = "bvit_linked"
#: streams between a kernel and the next: which port sends, which takes, and whether the next kernel is the sender
_LINKS = (
    ("m_next", "s_prev", False), ("m_back", "s_back", True), ("m_hold", "s_hold", False), ("m_held", "s_held", True),
)  # fmt: skip


@dataclass(frozen=True)
class StreamLink:
    """A stream between two kernels, by their modules and ports."""

    source: str
    source_port: str
    sink: str
    sink_port: str


def die_module(first: str, number: int) -> str:
    """What the kernel on die ``number`` is called, where the one on die 0 is ``first``."""
    return f"{first}_die{number}"


def die_kernels(first: Accelerator, cores: Sequence[Stitched]) -> list[Kernel]:
    """The kernels behind ``first`` of ``cores``, one a die; ``cores[0]`` is the one in ``first``."""
    found = []
    for number, (before, core) in enumerate(pairwise(cores), 1):
        last, module = number == len(cores) - 1, die_module(first.module, number)
        prev_bits, logit_bits, next_bits = before.output.width, first.border.logit_bits, core.output.width
        text = TEMPLATES.get_template("die_kernel.v.j2").render(
            top=module,
            number=number,
            last=last,
            version=__version__,
            model_hash=first.model_hash,
            core=core.module,
            prev_bits=prev_bits,
            next_bits=next_bits,
            logit_bits=logit_bits,
        )
        streams = {"s_prev": whole_bytes(prev_bits), "m_back": whole_bytes(logit_bits), "s_hold": 8, "m_held": 8}
        found.append(
            Kernel(
                module=module,
                text=text,
                library=tuple(dict.fromkeys((*core.library, *_SOURCES))),
                cell_models=core.cell_models,
                streams=streams if last else streams | next_streams(next_bits, logit_bits),
            )
        )
    return found


def stream_links(modules: Sequence[str]) -> list[StreamLink]:
    """How the kernels ``modules``, in order, are connected."""
    return [
        StreamLink(after, port, before, sink) if backwards else StreamLink(before, port, after, sink)
        for before, after in pairwise(modules)
        for port, sink, backwards in _LINKS
    ]


def linked(first: Accelerator, kernels: Sequence[Kernel]) -> str:
    """A module with the ports of an accelerator of one kernel: all kernels, connected as on the card. To simulate."""
    streams = {first.module: first.streams, **{kernel.module: kernel.streams for kernel in kernels}}
    return TEMPLATES.get_template("linked.v.j2").render(
        top=LINKED,
        version=__version__,
        first=first.module,
        kernels=[kernel.module for kernel in kernels],
        links=stream_links(list(streams)),
        streams=streams,
        input_bits=first.streams["s_axis"],
        output_bits=first.streams["m_axis"],
        address_bits=ADDRESS_SPACE.bit_length() - 1,
    )
