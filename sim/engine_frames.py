"""Programmes on the whole engine in RTL, from DRAM to DRAM, behind a memory with latency and stalls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from engine_bench import parameters, read_words, sources, write_words
from harness import SIM, cocotb_model, find_sources, simulate

from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Bits

BASE = 0x1000_0000
#: rooms of programme, inputs and outputs begin at a multiple of so many bytes: of whole beats, not at borders of 4 KB
ALIGN = 1008


@dataclass(frozen=True)
class Frame:
    """A frame's input, what to break, and what its programme is called."""

    programme: str
    data: bytes
    output_bytes: int
    #: offset in bytes of the beat that DRAM answers with an error: in ("programme" | "input" | "output", bytes)
    error: tuple[str, int] | None = None
    mute: bool = False
    #: write the start once more while the frame is under way
    again: bool = False


@dataclass(frozen=True)
class Played:
    """Registers behind each frame, its output, and the run's folder."""

    registers: list[dict[str, int]]
    outputs: list[np.ndarray]
    folder: Path


@dataclass
class _Dram:
    data: bytearray = field(default_factory=bytearray)

    def take(self, content: bytes) -> int:
        """Put it behind what is there; returns its address."""
        at = -(-(len(self.data) + 8) // ALIGN) * ALIGN
        self.data += bytes(at - len(self.data)) + content
        return BASE + at


def play(
    config: EngineConfig, programmes: Mapping[str, bytes], frames: Sequence[Frame], folder: Path, *,
    dumps: Sequence[int] = (), cycles: int = 20_000, memory: Mapping[str, int] | None = None,
    override: Path | None = None,
) -> Played:  # fmt: skip
    """Play them one after another; ``dumps`` are numbers of commands behind which memories are written."""
    dram = _Dram()
    rng = np.random.default_rng(1)
    at = {name: dram.take(body) for name, body in programmes.items()}
    told = []
    for frame in frames:
        places = {
            "programme": at[frame.programme], "input": dram.take(frame.data),
            "output": dram.take(rng.bytes(frame.output_bytes)),
        }  # fmt: skip
        error = places[frame.error[0]] + frame.error[1] if frame.error else 0
        told.append({**places, "error": error, "mute": frame.mute, "again": frame.again})
    # A burst may not leave the memory.
    dram.data += bytes(-len(dram.data) % 4096)
    words = len(dram.data) // 8
    write_words(folder / "dram.hex", np.frombuffer(bytes(dram.data), dtype=np.uint8).reshape(words, 8))
    (folder / "dumps.hex").write_text("".join(f"{int(i in set(dumps))}\n" for i in range(1 << 16)))
    (folder / "frames.json").write_text(json.dumps(told))
    top = "engine_top"
    files = [*sources(override), *find_sources(["bvit_fifo.sv"], override)]
    # A memory of a megabyte, if that is enough, so that one model serves several programmes.
    given = {**parameters(config), "WORDS": max(1 << 17, 1 << (words - 1).bit_length()), **(memory or {})}
    model = cocotb_model([*files, SIM / "axi_memory.sv", SIM / f"{top}.sv"], top, given)
    environment = {"BVIT_ENGINE_CYCLES": str(cycles)}
    simulate(model, top=top, module="engine_frames_cocotb", folder=folder, env=environment)
    whole = read_words(folder / "dram_out.hex", 8)[:words].reshape(-1)
    outputs = []
    for frame, places in zip(frames, told, strict=True):
        start = places["output"] - BASE
        outputs.append(whole[start : start + frame.output_bytes])
    # Nothing else has changed.
    left = np.frombuffer(bytes(dram.data), dtype=np.uint8).copy()
    for found, places in zip(outputs, told, strict=True):
        left[places["output"] - BASE : places["output"] - BASE + len(found)] = found
    assert np.array_equal(whole[: len(left)], left), "DRAM beside the outputs has changed"
    return Played(json.loads((folder / "results.json").read_text()), outputs, folder)


def tensors(compiled: Compiled, config: EngineConfig, folder: Path, wanted: Mapping[str, np.ndarray]) -> list[str]:
    """Names of tensors, image by image as in ``wanted``, that differ from what lay there behind their commands."""
    wrong, seen = set(), {}
    for made in compiled.places:
        is_bits = isinstance(made.place, Bits)
        file = folder / f"{'bits' if is_bits else 'values'}_{made.behind - 1}.hex"
        if is_bits:
            words = read_words(file, config.tokens * 8).reshape(-1, config.tokens, 8)
            memory = np.unpackbits(words, axis=2, bitorder="little")
        else:
            memory = read_words(file, config.tokens * config.channels).reshape(-1, config.tokens, config.channels)
        found = made.place.read(memory)
        x = wanted[made.name]
        whole, start = x.reshape(-1, x.shape[-1]), made.first * x.shape[1]
        if not np.array_equal(found, whole[start : start + len(found)]):
            wrong.add(made.name)
        seen[made.name] = seen.get(made.name, 0) + len(found)
    short = [name for name, tokens in seen.items() if tokens < wanted[name].shape[0] * wanted[name].shape[1]]
    return sorted(wrong) + short
