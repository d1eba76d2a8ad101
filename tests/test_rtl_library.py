"""rtl/ is found by file name: names are unique, each file holds its module, each operator has its room."""

import re
from pathlib import Path

import pytest

from bvit_hw.errors import LoweringError
from bvit_hw.ops.registry import op_class, operators
from bvit_hw.resources import data_path
from bvit_hw.rtl_library import index, library, source_paths

ROOMS = {"prim", "ops", "shell", "serial", "engine", "xilinx"}


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    for room in ("prim", "shell"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "bvit_x.sv").write_text("")
    with pytest.raises(LoweringError, match=r"bvit_x\.sv is in .*prim and in .*shell; allowed: one"):
        index(tmp_path)


def test_paths_come_in_the_order_asked_for() -> None:
    names = ["bvit_logits_out.sv", "bvit_fifo.sv"]
    assert [path.name for path in source_paths(names)] == names
    with pytest.raises(LoweringError, match=r"lacks bvit_a\.sv, bvit_b\.sv"):
        source_paths(["bvit_a.sv", *names, "bvit_b.sv"])


def test_every_file_lies_in_a_room_and_is_named_for_its_module() -> None:
    root = data_path("rtl")
    for name, path in library().items():
        assert path.relative_to(root).parts[0] in ROOMS, path
        assert re.search(rf"^(module|package) {path.stem}\b", path.read_text(), re.M), f"{path} is not of {path.stem}"
        assert name == path.name


def test_every_operator_has_its_room() -> None:
    """Its own module lies in rtl/ops/<operator>/, or is a primitive; what it needs beside lies there or in prim/."""
    root = data_path("rtl")
    for op_type in operators():
        op = op_class(op_type)
        rooms = [path.relative_to(root).parent.as_posix() for path in source_paths(op.rtl_sources)]
        own = f"ops/{op.__module__.rpartition('.')[2]}"
        assert rooms[-1] in ("prim", own), f"{op_type}: its module lies in {rooms[-1]}"
        assert set(rooms) <= {"prim", own}, f"{op_type}: {rooms}"


def test_the_operators_found_are_those_of_the_library() -> None:
    """No room without its operator, and none of them missing: the others' own modules are primitives."""
    root = data_path("rtl")
    found = {cls.__module__.rpartition(".")[2]: source_paths(cls.rtl_sources[-1:])[0] for cls in operators().values()}
    with_room = {name for name, path in found.items() if path.parent != root / "prim"}
    assert with_room == {path.name for path in (root / "ops").iterdir()}
    # A StreamRegister is a FIFO of two beats.
    assert found.pop("stream_register").stem == "bvit_fifo"
    assert all(path.stem == f"bvit_{name}" for name, path in found.items()), found


def test_the_page_names_every_room() -> None:
    root = data_path("rtl")
    page = (root / "README.md").read_text()
    rooms = {path.parent.relative_to(root).as_posix() for path in library().values()}
    named = {room for room in rooms if f"`{room}/" in page or room.startswith("ops/")}
    assert rooms == named
    for module in re.findall(r"`(bvit_\w+)`", page):
        assert f"{module}.sv" in library(), f"rtl/README.md names {module}, which is not there"
