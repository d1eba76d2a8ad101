"""The registers' one description: what follows from it is committed as it follows, and it is read strictly."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bvit_hw.codegen.registers import GENERATED, PAGE, SOURCE, generated, main, read_registers
from bvit_hw.errors import ConfigError
from bvit_hw.runtime import registers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the description and of all that follows from it."""
    for path in (SOURCE, PAGE, *GENERATED):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


@pytest.mark.parametrize("path", [*GENERATED, PAGE], ids=str)
def test_what_is_committed_follows_from_the_description(path: Path) -> None:
    assert (ROOT / path).read_text() == generated(ROOT)[path], "run `make registers`"


def test_the_map_has_not_moved() -> None:
    """Whoever moves a register raises VERSION, for drivers and bitstreams in the field know this map."""
    found = read_registers()
    assert [line.offset for line in found.lines] == list(range(0, 0x5C, 4))
    assert (registers.MAGIC_VALUE, registers.VERSION_VALUE) == (0x42564954, 2)
    values = {name: value for name, value in vars(registers).items() if name.isupper()}
    assert values["CONTROL"] == 0x34 and values["FLAGS"] == 0x38 and values["PACKET_FRAMES"] == 0x58
    assert values["CONTROL_CLEAR"] == 2 and values["FLAGS_PACKET_SHORT"] == 8
    assert values["IMAGE_SIZE_HEIGHT"] == 0xFFFF_0000 and values["PACKET_FRAMES_COUNT"] == 0xFFFF


def test_hardware_and_driver_name_the_same_places() -> None:
    """The two generated files, each read by itself, say the same of every offset, value and field."""
    text = (ROOT / "rtl/shell/bvit_registers_pkg.sv").read_text()
    found = re.findall(r"localparam [^=]*?(\w+) = (?:\d*'h([0-9A-F]+)|(\d+));", text)
    package = {name: int(hexadecimal or "0", 16) or int(decimal or 0) for name, hexadecimal, decimal in found}
    assert 2 ** package.pop("ADDRESS_BITS") == registers.ADDRESS_SPACE and package.pop("END") == 0x5C
    driver = {name: value for name, value in vars(registers).items() if name.isupper() and name != "ADDRESS_SPACE"}
    for name, value in driver.items():
        if name in package:
            assert package.pop(name) == value
        elif f"{name}_BIT" in package:
            assert 1 << package.pop(f"{name}_BIT") == value
        else:
            high, low = package.pop(f"{name}_MSB"), package.pop(f"{name}_LSB")
            assert (2 << high) - (1 << low) == value
    assert all(name.endswith("_BITS") for name in package), package


def test_what_was_forgotten_is_named_and_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tree, check=True) == 0 and capsys.readouterr().out == ""
    description = tree / SOURCE
    description.write_text(description.read_text().replace("value = 2", "value = 3"))
    before = {path: (tree / path).read_text() for path in (*GENERATED, PAGE)}
    assert main(tree, check=True) == 1
    assert capsys.readouterr().out == "".join(f"{path}: not what {SOURCE} says\n" for path in before)
    assert before == {path: (tree / path).read_text() for path in before}
    assert main(tree, check=False) == 0 and main(tree, check=True) == 0
    assert "VERSION_VALUE = 32'h00000003" in (tree / "rtl/shell/bvit_registers_pkg.sv").read_text()
    assert "VERSION_VALUE = 0x3\n" in (tree / "bvit_hw/runtime/registers.py").read_text()
    assert "| 0x04 | VERSION | r | version of this map, 3 |" in (tree / PAGE).read_text()


def test_a_page_without_a_place_is_refused(tree: Path) -> None:
    (tree / PAGE).write_text("# The accelerator's registers\n")
    with pytest.raises(ConfigError, match=r"registers\.md: the table stands between the lines"):
        generated(tree)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("offset = 0x58", "offset = 0x59", "multiple of 4"),
        ("offset = 0x58", "offset = 0x54", "PACKET_FRAMES: offset 0x54; the next free one is 0x58"),
        ("offset = 0x28", "offset = 0x24", "IMAGE_SIZE: offset 0x24; the next free one is 0x28"),
        ("0x1000 #", "0x40 #", "address_space 0x40; allowed: a power of two from 0x5c on"),
        ("0x1000 #", "0x1001 #", "a power of two"),
        ("CLEAR = 1", "CLEAR = 0", "field CLEAR: bits 0 to 0; allowed: highest first, no bit twice"),
        ("COUNT = [15, 0]", "COUNT = [0, 15]", "field COUNT: bits 0 to 15; allowed: highest first"),
        ("CLEAR = 1", "CLEAR = 32", "less than or equal to 31"),
        ("{CLEAR}:", "{CLEARED}:", "meaning names 'CLEARED'; allowed: value, first, last, SOFT_RESET, CLEAR"),
        ('"FRAME_LATENCY"', '"FRAME_INTERVAL"', "written as FRAME_INTERVAL; allowed: one"),
        ("HEIGHT = ", "height = ", "should match pattern"),
        ('access = "rw"', 'access = "w"', "should be 'r' or 'rw'"),
        ("words = 8", "colour = 8", "Extra inputs are not permitted"),
        ("words = 8", "words = ", "Invalid value"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(old: str, new: str, fault: str, tree: Path) -> None:
    text = (tree / SOURCE).read_text()
    assert old in text
    (tree / SOURCE).write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(fault)):
        read_registers(tree / SOURCE)
