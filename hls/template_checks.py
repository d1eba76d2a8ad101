"""Checks of a template's text: programs of hls/sim/, sentences of its static_asserts, mutations."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from hls_checks import Case

from bvit_hw.codegen.hls import csim_text, hls_unit
from bvit_hw.errors import ToolError
from bvit_hw.flows.gxx import CSim, Toolchain, compile_program
from bvit_hw.flows.tool import run_tool

HLS = Path(__file__).resolve().parent


def run_program(name: str, folder: Path, toolchain: Toolchain | None = None) -> None:
    """Compile and run ``name``.cpp of hls/sim/; ToolError with its words when it finds a fault."""
    executable = compile_program((HLS / "sim" / f"{name}.cpp").read_text(), name, toolchain)
    run_tool(name, [executable], cwd=folder, log=folder / f"{name}.log", timeout=600)


def refused(text: str, folder: Path) -> list[str]:
    """Lines of what the compiler has against a C++ file; empty when it takes it."""
    (folder / "refused.cpp").write_text(text)
    toolchain = Toolchain()
    # Templates' errors may go on for pages, and none may be left out.
    flags = [*toolchain.flags, "-fsyntax-only", "-fmax-errors=0", "-fdiagnostics-color=never", *toolchain.includes()]
    argv = [toolchain.compiler, *flags, "refused.cpp"]
    run_tool(toolchain.compiler, argv, cwd=folder, log=folder / "refused.log", check=False)
    return [
        line for line in (folder / "refused.log").read_text().splitlines() if not line.startswith(("$ ", "[exit code"))
    ]


def refusals(header: str, shape: str, configs: Sequence[Mapping[str, int]], folder: Path) -> list[list[str]]:
    """What the compiler has against ``shape<Config>``: for each configuration the sentences of its static_asserts."""
    text = [f'#include "bvit/{header}"']
    for number, config in enumerate(configs):
        members = " ".join(f"static constexpr int {name} = {value};" for name, value in config.items())
        text.append(f"struct Config{number} {{ {members} }};\ntemplate struct bvit::{shape}<Config{number}>;")
    found: list[list[str]] = [[] for _ in configs]
    number = -1
    for line in refused("\n".join([*text, ""]), folder):
        if instantiation := re.search(rf"In instantiation of .struct bvit::{shape}<Config(\d+)>", line):
            number = int(instantiation[1])
        elif sentence := re.search(r"static assertion failed: (.*)", line):
            found[number].append(sentence[1])
    return found


def mutants_caught(
    cases: Sequence[Case], mutations: Sequence[tuple[str, str, str]], folder: Path
) -> list[tuple[str, str, str]]:
    """Which of ``mutations`` (header, text, what it becomes) change what ``cases`` give, or do not end well."""
    caught = []
    units = [hls_unit(op, params) for op, params, _ in cases]
    for number, (header, old, new) in enumerate(mutations):
        changed = folder / f"mutant{number}"
        shutil.copytree(HLS / "bvit", changed / "bvit")
        text = (changed / "bvit" / header).read_text()
        assert old in text, f"mutation of {header}: there is no {old!r} in it; it has changed, adapt the mutation"
        (changed / "bvit" / header).write_text(text.replace(old, new, 1))
        program = csim_text(units).replace('#include "bvit/', f'#include "{changed}/bvit/')
        csim = CSim(
            executable=compile_program(program, "mutant", Toolchain(level=0), root=folder / "cache"), units=tuple(units)
        )
        if not _equal(csim, cases):
            caught.append((header, old, new))
    return caught


def _equal(csim: CSim, cases: Sequence[Case]) -> bool:
    for unit, (op, params, frames) in zip(csim.units, cases, strict=True):
        try:
            found = csim.run(unit, frames)
        except ToolError:
            return False
        for frame, outputs in zip(frames, found, strict=True):
            wanted = op.golden(params, *frame)
            if any((a != b).any() for a, b in zip(outputs, wanted, strict=True)):
                return False
    return True
