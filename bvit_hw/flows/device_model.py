"""The simulated device: a Verilated accelerator behind a model of AXI DMA and memory, or of DRAM, as a shared library.

What is written into one folder is all that ``bvit_hw.runtime`` needs to run without a board and without bvit_hw: the
library, the accelerator's memory files, a .hwh that the pynq library reads, and a JSON with the addresses.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.codegen.accelerator import OUTPUT_BITS
from bvit_hw.codegen.engine_top import engine_sources, engine_top
from bvit_hw.codegen.registers import Line, read_registers
from bvit_hw.codegen.stitch import TEMPLATES
from bvit_hw.disk import scratch, write_aside
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES
from bvit_hw.flows.core_sim import without_lz4
from bvit_hw.flows.verilator import build_model
from bvit_hw.ops.binary_mvau import models_of
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.engine_registers import lines as engine_lines
from bvit_hw.runtime.registers import ADDRESS_SPACE
from bvit_hw.sums import seal

LIBRARY, HANDOFF, DESCRIPTION = "libaccelerator.so", "libaccelerator.hwh", "device.json"
#: where DMA and accelerator answer, as in the block design of a Zynq-7000
DMA_BASE, DMA_SIZE, REGS_BASE = 0x4040_0000, 0x1_0000, 0x43C0_0000
#: memory that buffers are allocated from
MEMORY_BASE, MEMORY_SIZE = 0x1000_0000, 0x1000_0000
#: bits of the DMA's length registers
LENGTH_BITS = 26
_FLAGS = (
    "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--x-assign", "fast", "--x-initial", "fast",
    "--output-split", "20000",
)  # fmt: skip


def _dma_parameters(input_bits: int) -> dict[str, int]:
    return {
        "c_include_sg": 0,
        "c_include_mm2s": 1,
        "c_include_s2mm": 1,
        "c_include_mm2s_dre": 0,
        "c_include_s2mm_dre": 0,
        "c_micro_dma": 0,
        "c_sg_length_width": LENGTH_BITS,
        "c_m_axi_mm2s_data_width": 64,
        "c_m_axis_mm2s_tdata_width": input_bits,
        "c_mm2s_burst_size": 16,
        "c_m_axi_s2mm_data_width": 64,
        "c_s_axis_s2mm_tdata_width": OUTPUT_BITS,
        "c_s2mm_burst_size": 16,
    }


def build_device(
    folder: Path,
    *,
    top: str,
    sources: Sequence[Path],
    memories: Path,
    input_bits: int,
    clock_mhz: float,
    vlnv: str,
    jobs: int = 2,
) -> None:
    """Write the simulated device of the accelerator ``top`` into ``folder``, which is made.

    ``sources`` are in compile order, ``memories`` is the folder of the files that they read, ``input_bits`` the width
    of the pixels' stream. The compiled library is cached by content. Raises ToolError when Verilator or g++ fails.
    """
    folder.mkdir(parents=True)
    values = {
        "version": __version__,
        "top": top,
        "dma_base": DMA_BASE,
        "dma_size": DMA_SIZE,
        "regs_base": REGS_BASE,
        "regs_size": ADDRESS_SPACE,
        "input_bits": input_bits,
        "output_bits": OUTPUT_BITS,
        "length_bits": LENGTH_BITS,
    }
    library = _library("device.cpp.j2", values, top, sources, folder / "device.cpp", jobs)
    shutil.copyfile(library, folder / LIBRARY)
    shutil.copytree(memories, folder / "mem")
    description = {
        "dma_base": DMA_BASE,
        "input_bytes": input_bits // 8,
    }
    _describe(folder, values, description, vlnv, clock_mhz, read_registers().lines, _dma_parameters(input_bits))


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A single engine that is looked into: ``text`` stands in its top, ``files`` are what that reads, by name.

    Of the folder ``own`` (None: none) files take the place of the library's. ``trace`` is the format of waveforms,
    "fst" or "vcd" ("": none): they are of the cycles that a file window.txt names, its first and the one behind its
    last. What is written lies in the device's folder ``mem``, waveforms as ``waves``.
    """

    text: str
    files: Mapping[str, str]
    own: Path | None = None
    trace: str = ""


def build_engine_device(
    folder: Path,
    config: EngineConfig,
    *,
    top: str,
    clock_mhz: float,
    vlnv: str,
    primitives: int = 0,
    timeout: int | None = None,
    jobs: int = 2,
    watched: Watched | None = None,
) -> None:
    """Write the simulated device of the single engine ``config`` into ``folder``, which is made.

    ``primitives`` is the target's ``vendor_cells``; ``timeout`` is in cycles, the top's own if None. Otherwise as
    :func:`build_device`.
    """
    folder.mkdir(parents=True)
    values = {
        "version": __version__,
        "top": top,
        "regs_base": REGS_BASE,
        "regs_size": ADDRESS_SPACE,
        "latency": RULES.latency,
        "port": config.port,
        "watched": watched is not None,
        "trace": watched.trace if watched else "",
    }
    more = {} if timeout is None else {"timeout": timeout}
    with scratch("bvit-engine-") as work:
        text = work / f"{top}.v"
        written = engine_top(config, name=top, memory_bits=32, primitives=primitives, **more)
        sources = source_paths((*models_of(primitives), *engine_sources()))
        flags: tuple[str, ...] = _FLAGS
        replaced: list[Path] = []
        if watched is not None:
            before, after = written.rsplit("endmodule", 1)
            written = f"{before}{watched.text}endmodule{after}"
            sources = [_own(path, watched.own) for path in sources]
            flags = (*_FLAGS, f"--trace-{watched.trace}") if watched.trace else _FLAGS
            replaced = without_lz4(work) if watched.trace == "fst" else []
        write_aside(text, written)
        library = _library(
            "engine_device.cpp.j2", values, top, [*sources, text], work / "device.cpp", jobs, flags, replaced
        )
    shutil.copyfile(library, folder / LIBRARY)
    (folder / "mem").mkdir()
    for name, content in watched.files.items() if watched else ():
        (folder / "mem" / name).write_text(content)
    description = {"architecture": "engine", "latency": RULES.latency}
    _describe(folder, values, description, vlnv, clock_mhz, [Line(*line) for line in engine_lines()], {})


def _own(path: Path, own: Path | None) -> Path:
    """The file of that name in the folder ``own``, where it has one."""
    return own / path.name if own is not None and (own / path.name).is_file() else path


def _library(
    template: str,
    values: Mapping[str, object],
    top: str,
    sources: Sequence[Path],
    main: Path,
    jobs: int,
    flags: Sequence[str] = _FLAGS,
    replaced: Sequence[Path] = (),
) -> Path:
    """The compiled library (cached); ``main`` is where the text of the C++ around the model lies meanwhile."""
    write_aside(main, TEMPLATES.get_template(template).render(values))
    # Position-independent code, and a library instead of a program: that is all that tells it from other models.
    library = build_model(
        sources, top, cpp=[main], flags=flags, cflags="-fPIC -std=c++17", optimize="-O1", ldflags="-shared",
        replaced=replaced, jobs=jobs,
    )  # fmt: skip
    main.unlink()
    return library


def _describe(
    folder: Path,
    values: Mapping[str, object],
    more: Mapping[str, object],
    vlnv: str,
    clock_mhz: float,
    registers: Sequence[Line],
    dma: Mapping[str, int],
) -> None:
    """The .hwh, the description, and the sums of all. Without parameters ``dma`` there is none."""
    handoff = TEMPLATES.get_template("device.hwh.j2").render(
        **values, vlnv=vlnv, clock_mhz=clock_mhz, registers=registers, dma_parameters=dma
    )
    write_aside(folder / HANDOFF, handoff)
    description = {
        "simulation": f"Verilated {values['top']}, written by bvit-hw {__version__}; no bitstream, for no board",
        "registers_base": REGS_BASE,
        "memory_base": MEMORY_BASE,
        "memory_size": MEMORY_SIZE,
        "clock_mhz": clock_mhz,
        **more,
    }
    write_aside(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")
    seal(folder)
