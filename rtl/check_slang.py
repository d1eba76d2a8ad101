"""rtl/ as slang reads it, the strictest of the open front ends: `make lint` runs this file, and any finding fails it.

Beside Verilator (sim/, every configuration of the benches) and Yosys (every build). slang elaborates each module that
no other one instantiates, and all that these instantiate, for each set of parameters below; a module that none of them
reaches is a finding too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pyslang import TextDiagnosticClient, ast, driver

#: parameters other than the defaults, wherever a module has them: each set reaches what the others leave out
PARAMETERS = ((), ("SHARED=0", "USE_DSP=0"), ("USE_PRIMITIVES=1",), ("USE_PRIMITIVES=2", "KP=2", "MP=2"))
#: modules that are read once more by themselves, as small as they go
LEAST = {"bvit_rom": ("DEPTH=1",), "bvit_serial_table": ("ADDR_BITS=1",), "bvit_ram": ("DEPTH=1", "LANE_BITS=1")}
#: what is asked for beyond the language's own rules
GROUPS = ("extra", "pedantic", "conversion")
#: of these, what the house does on purpose
LEFT_OUT = {
    "sign-conversion": "constants are int, addresses and counters have no sign; widths are compared all the same",
    "case-type": "the same, for the labels of a case",
    "useless-cast": "a cast that only some parameters need",
    "packed-array-conv": "a stream's data are lanes in a packed array on one side of a port and a vector on the other",
    "case-redundant-default": "unique says that labels are apart, default what else reads",
    "shadow-hierarchy": "blocks in different scopes are called alike",
    "shadow-value": "so are arguments of functions",
}


def in_order(files: Sequence[Path]) -> list[Path]:
    """Packages first, as every tool wants them."""
    return sorted(files, key=lambda path: (not path.stem.endswith("_pkg"), str(path)))


def findings(files: Sequence[Path]) -> str:
    """What slang says of ``files``, as text; empty where it says nothing."""
    told, reached = [], set()
    alone = [(values, (name,)) for name, values in LEAST.items() if name in {path.stem for path in files}]
    for parameters, tops in [*((values, ()) for values in PARAMETERS), *alone]:
        text, modules = _elaborate(files, parameters, tops)
        told.append(text)
        reached |= modules
    unread = sorted({path.stem for path in files if not path.stem.endswith("_pkg")} - reached)
    told += [f"{name}: none of the sets of parameters in check_slang.py reaches it\n" for name in unread]
    return "".join(dict.fromkeys(told))


def _elaborate(files: Sequence[Path], parameters: Sequence[str], tops: Sequence[str]) -> tuple[str, set[str]]:
    """What slang says with these parameters, and the modules that it elaborated; ``tops``, or all that none has."""
    front = driver.Driver()
    front.addStandardArgs()
    words = [f"-W{group}" for group in GROUPS] + [f"-Wno-{name}" for name in LEFT_OUT] + ["--color-diagnostics=false"]
    words += [f"-G{parameter}" for parameter in parameters] + [f"--top {top}" for top in tops]
    quoted = (f'"{path}"' for path in in_order(files))
    if not (front.parseCommandLine(" ".join(["slang", *words, *quoted])) and front.processOptions()):
        return "slang: does not take its own options; is pyslang that of constraints.txt?\n", set()
    front.parseAllSources()
    compilation = front.createCompilation()
    modules: set[str] = set()
    single: set[str] = set()

    def visit(symbol: object) -> None:
        if isinstance(symbol, ast.InstanceSymbol):
            modules.add(symbol.definition.name)
        if isinstance(symbol, ast.CallExpression) and symbol.subroutineName == "$readmemh":
            memory = symbol.arguments[1]
            if memory.type.fixedRange.width < 2:
                file = front.sourceManager.getFileName(memory.sourceRange.start)
                single.add(f"{file}: $readmemh into one word, which some tools refuse: declare two ({memory.type})\n")

    compilation.getRoot().visit(visit)
    told = TextDiagnosticClient()
    front.diagEngine.addClient(told)
    for found in (*compilation.getAllDiagnostics(), *front.runAnalysis(compilation).getDiagnostics()):
        front.diagEngine.issue(found)
    return str(told.getString()) + "".join(sorted(single)), modules


def main() -> int:
    """Print the findings; the exit code is 1 when there are any."""
    found = findings(list(Path(__file__).resolve().parent.rglob("*.sv")))
    print(found or "rtl: slang finds nothing")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
