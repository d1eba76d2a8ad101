"""Carries out commands on the engine's RTL and on the golden machine, and compares their memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from harness import SIM, cocotb_model, find_sources, simulate

from bvit_hw.engine.commands import Command
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import Machine
from bvit_hw.rtl_library import library

#: what the units are made of, beside the engine's own modules
_SHARED = ("bvit_attention_encode.sv", "bvit_adder_tree.sv")
#: depths of the memories that the benches of the core have
DEPTHS = {"bits": 64, "values": 512, "weights": 64, "params": 128, "steps": 64, "taps": 64}


def sources(override: Path | None = None) -> list[Path]:
    """The engine's files and those that it needs; of a folder ``override`` those of the same name come first."""
    names = sorted(library(), key=lambda name: not name.endswith("_pkg.sv"))
    wanted = [name for name in names if name.startswith(("bvit_engine", "bvit_popcount"))]
    return list(find_sources([*wanted, *_SHARED], override))


def memory_bytes(machine: Machine) -> dict[str, np.ndarray]:
    """Each memory as words of bytes, the lowest first."""
    def bits(x: np.ndarray) -> np.ndarray:
        return np.packbits(x, axis=2, bitorder="little").reshape(len(x), -1)

    def raw(x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1)

    return {
        "bits": bits(machine.bits), "values": raw(machine.values), "weights": bits(machine.weights),
        "params": raw(machine.params), "steps": raw(machine.steps), "taps": raw(machine.taps),
    }  # fmt: skip


def write_words(path: Path, words: np.ndarray) -> None:
    """Words of bytes as $readmemh reads them."""
    path.write_text("".join(bytes(word[::-1]).hex() + "\n" for word in words))


def read_words(path: Path, width: int) -> np.ndarray:
    """What $writememh wrote, words of ``width`` bytes."""
    lines = [line for line in path.read_text().split() if not line.startswith(("@", "/"))]
    return np.array([list(bytes.fromhex(line.zfill(2 * width))[::-1]) for line in lines], dtype=np.uint8)


def filled(config: EngineConfig, rng: np.random.Generator) -> Machine:
    """A machine whose memories are full of noise."""
    machine = Machine(config, b"")
    for memory, top in ((machine.bits, 2), (machine.values, 256), (machine.weights, 2), (machine.params, 1 << 32)):
        memory[:] = rng.integers(0, top, memory.shape)
    return machine


def parameters(config: EngineConfig) -> dict[str, int]:
    """The engine's parameters: the fields of its configuration."""
    return {name.upper(): value for name, value in asdict(config).items()}


def check_core(
    machine: Machine, commands: Sequence[Command], folder: Path, override: Path | None = None, cycles: int = 20_000
) -> list[int]:
    """Carry them out on both from the same memories; AssertionError where one differs. Returns their cycles."""
    for left in folder.glob("*_*.hex"):
        left.unlink()
    for name, words in memory_bytes(machine).items():
        write_words(folder / f"{name}.hex", words)
    lines = [f"{int.from_bytes(command.encode().tobytes(), 'little'):0256x}\n" for command in commands]
    (folder / "commands.hex").write_text("".join(lines))
    (folder / "counts.hex").write_text(f"{len(commands):x}\n0\n")
    top = "engine_core_top"
    model = cocotb_model([*sources(override), SIM / f"{top}.sv"], top, parameters(machine.config), cycles=cycles)
    environment = {"BVIT_ENGINE_CYCLES": str(cycles)}
    simulate(model, top=top, module="engine_cocotb", folder=folder, env=environment)
    for number, command in enumerate(commands):
        machine.run(command)
        # Where the next command began at once there are none.
        if not (folder / f"values_{number}.hex").exists():
            assert number + 1 < len(commands)
            continue
        for name in ("bits", "values", "weights"):
            wanted = memory_bytes(machine)[name]
            given = read_words(folder / f"{name}_{number}.hex", wanted.shape[1])
            wrong = np.argwhere(given != wanted)
            assert not len(wrong), (
                f"command {number} {command.kind.name}: {len(wrong)} bytes of {name} differ, the first in word "
                f"{wrong[0][0]}, byte {wrong[0][1]}: {given[tuple(wrong[0])]}, not {wanted[tuple(wrong[0])]}: {command}"
            )
    return [int(line) for line in (folder / "cycles.txt").read_text().split()]
