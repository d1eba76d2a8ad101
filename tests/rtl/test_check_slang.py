"""rtl/check_slang.py: slang finds nothing in rtl/, and does find what is wrong."""

import importlib.util
from pathlib import Path

import pytest

from bvit_hw.resources import data_path
from bvit_hw.rtl_library import library

pytest.importorskip("pyslang", reason="no slang: pip install 'bvit-hw[test]'")
_SPEC = importlib.util.spec_from_file_location("check_slang", data_path("rtl") / "check_slang.py")
assert _SPEC is not None and _SPEC.loader is not None
check_slang = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_slang)


def test_nothing_is_found_in_the_library() -> None:
    assert check_slang.findings(list(library().values())) == ""


def test_packages_come_first() -> None:
    names = [path.name for path in check_slang.in_order(list(library().values()))]
    packages = ["bvit_engine_pkg.sv", "bvit_popcount_pkg.sv", "bvit_registers_pkg.sv"]
    assert names[:3] == packages and not [name for name in names[3:] if name.endswith("_pkg.sv")]
    assert len(names) == len(library()) > 50


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("bvit_saturate.sv", "endmodule", "endmodul", "expected"),
        ("bvit_fifo.sv", "input  wire logic         rst,", "input  wire logic reset,", "rst"),
        ("bvit_delay.sv", "output      logic [WIDTH-1:0] q", "output      logic [WIDTH:0] q", "width"),
        ("bvit_rom.sv", "assign data = data_q;", "assign data = data_q; assign data = '0;", "multiple"),
        ("bvit_rom.sv", "(DEPTH > 1) ? DEPTH : 2;", "DEPTH;", "one word"),
        ("bvit_attention_choice.sv", "threshold[2]", "threshold[1]", "one word"),
        ("bvit_xilinx_carry.sv", "input  wire logic [WIDTH-1:0] propagate,\n", "", "propagate"),
    ],
)
def test_what_is_wrong_is_found(name: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    files = dict(library())
    text = files[name].read_text()
    assert old in text
    files[name] = tmp_path / name
    files[name].write_text(text.replace(old, new))
    found = check_slang.findings(list(files.values()))
    assert said in found and name.removesuffix(".sv") in found


def test_a_module_that_is_never_elaborated_is_named(tmp_path: Path) -> None:
    outer = "module bvit_outer; if (0) begin : gen_x bvit_inner u_x (); end endmodule\n"
    (tmp_path / "bvit_outer.sv").write_text(outer)
    (tmp_path / "bvit_inner.sv").write_text("module bvit_inner; endmodule\n")
    found = check_slang.findings(sorted(tmp_path.iterdir()))
    assert found == "bvit_inner: none of the sets of parameters in check_slang.py reaches it\n"
