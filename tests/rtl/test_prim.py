"""rtl/prim: what no bench can see, for it only decides what a vendor's tool makes of a module."""

from __future__ import annotations

import pytest

from bvit_hw.rtl_library import source_paths

pyslang = pytest.importorskip("pyslang", reason="no slang: pip install 'bvit-hw[test]'")


def columns(lanes: int, bits: int) -> tuple[int, int]:
    """Bits that a lane of bvit_ram takes in block RAM, and of a whole word, by slang's elaboration."""
    (path,) = source_paths(["bvit_ram.sv"])
    tree = pyslang.syntax.SyntaxTree.fromFile(str(path))
    options = pyslang.ast.CompilationOptions()
    options.paramOverrides = ["BLOCK=1", f"LANES={lanes}", f"LANE_BITS={bits}"]
    compilation = pyslang.ast.Compilation(pyslang.Bag([options]))
    compilation.addSyntaxTree(tree)
    found: dict[str, int] = {}

    def visit(symbol: object) -> None:
        if isinstance(symbol, pyslang.ast.ParameterSymbol) and symbol.name == "COLUMN":
            found["column"] = int(str(symbol.value))
        is_memory = isinstance(symbol, pyslang.ast.VariableSymbol) and symbol.name == "mem"
        if is_memory and "gen_block" in symbol.hierarchicalPath:
            found["word"] = symbol.type.elementType.bitWidth

    compilation.getRoot().visit(visit)
    return found["column"], found["word"]


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 9, 10, 13, 16, 17, 18, 19, 25, 27, 32, 33, 64, 65, 85])
def test_columns_of_block_ram(bits: int) -> None:
    """Vivado (UG901) shares a block RAM between columns of a multiple of 8 or 9 bits only; Yosys takes bytes of 9."""
    column, word = columns(3, bits)
    assert word == 3 * column and column >= bits
    assert column % 8 == 0 or column % 9 == 0
    assert -(-column // 9) == -(-bits // 9), "more bytes than the lane takes anyway"
    assert columns(1, bits) == (bits, bits), "a word that is written whole is as wide as it is"
