"""The single engine's top: whole, plain, and clean for every kind of board."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bvit_hw.codegen.engine_top import engine_sources, engine_top
from bvit_hw.flows.verilator import lint
from bvit_hw.ops.binary_mvau import models_of
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.engine_registers import Register, lines
from tests.emulators.engine_stand_in import CONFIG


@pytest.mark.parametrize(("bits", "primitives"), [(32, 0), (32, 1), (36, 2)])
def test_it_is_clean(bits: int, primitives: int, tmp_path: Path) -> None:
    top = tmp_path / "engine.v"
    top.write_text(engine_top(CONFIG, name="engine", memory_bits=bits, primitives=primitives))
    lint([*source_paths((*models_of(primitives), *engine_sources())), top], "engine")
    text = top.read_text()
    assert f"output wire [{bits - 1}:0] m_axi_araddr" in text and f".IDENTITY(256'h{CONFIG.identity})" in text
    numbers = {"TOKENS": 2, "ROWS": 8, "TAPS": 256}
    given = {"ADDRESS": bits, "USE_PRIMITIVES": primitives, "TIMEOUT": 1 << 16}
    for name, value in (numbers | given).items():
        assert f".{name}({value})," in text


def test_sources_are_all_that_is_instantiated() -> None:
    names = engine_sources()
    text = "\n".join(path.read_text() for path in source_paths(names))
    defined = set(re.findall(r"^(?:module|package) (\w+)", text, re.M))
    assert set(re.findall(r"^\s*(bvit_\w+) (?:#\(|u_)", text, re.M)) <= defined
    assert names[-1] == "bvit_engine.sv" and names.index("bvit_engine_pkg.sv") < names.index("bvit_engine_regs.sv")


def test_the_register_map_is_whole() -> None:
    found = lines()
    assert [offset for offset, *_ in found] == list(range(0, Register.END, 4))
    assert found[Register.CLOCK // 4][1:3] == ("CLOCK", "r") and found[Register.IDENTITY // 4 + 7][1] == "IDENTITY[7]"
    assert {name for _, name, access, _ in found if access == "rw"} == {
        "CONTROL", "PROGRAMME[0]", "PROGRAMME[1]", "INPUT[0]", "INPUT[1]", "OUTPUT[0]", "OUTPUT[1]",
    }  # fmt: skip
