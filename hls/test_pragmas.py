"""What Vitis HLS wants of pragmas (UG1399), read off the templates' text: the open headers do not look at any."""

from __future__ import annotations

import re

import pytest

from bvit_hw.codegen.hls_cycles import read_functions
from bvit_hw.resources import data_path

HEADERS = sorted((data_path("hls") / "bvit").glob("*.hpp"))
TEXTS = {path.name: path.read_text() for path in HEADERS}


def test_regions_run_free() -> None:
    """Processes of a region start by themselves only where it says so, as all regions around it do."""
    regions = [name for name, function in read_functions(HEADERS).items() if function.dataflow]
    assert sorted(regions) == ["binary_attention", "multi_pool"]
    text = "".join(TEXTS.values())
    assert text.count("#pragma HLS dataflow\n#pragma HLS interface ap_ctrl_none port = return\n") == len(regions)


def test_operators_are_bound_before_they_are_assigned() -> None:
    """``bind_op`` stands between a variable's declaration and the assignment that it is of."""
    found = 0
    for text in TEXTS.values():
        for pragma in re.finditer(r"(.*)\n#pragma HLS bind_op variable = (\w+) .*\n(.*)\n", text):
            before, name, after = pragma.groups()
            assert before.endswith(f" {name};") and "=" not in before, before
            assert after.strip().startswith(f"{name} = "), after
            found += 1
    assert found == 2


@pytest.mark.parametrize("memory", ["FrameMemory", "LineWindow"])
def test_memories_of_members_are_disaggregated(memory: str) -> None:
    """Pragmas on members of an object count only where the object is taken apart."""
    objects = [
        (declared[1], rest)
        for text in TEXTS.values()
        for declared in re.finditer(rf"static {memory}<.*> (\w+);\n(.*)\n", text)
        for rest in [declared[2]]
    ]
    assert len(objects) == 2
    assert all(rest == f"#pragma HLS disaggregate variable = {name}" for name, rest in objects)


def test_carried_memories_say_how_far() -> None:
    """What is stored is read back so many cycles later; memories of few words are split into registers."""
    for name, variables in (("binary_mvau.hpp", ("token",)), ("line_window.hpp", ("ahead", "behind"))):
        for variable in variables:
            carried = rf"dependence variable = {variable} type = inter direction = RAW distance = \S+"
            split = rf"array_partition variable = {variable} type = cyclic factor = split_of\("
            assert re.search(carried, TEXTS[name]) and re.search(split, TEXTS[name])


def test_the_widest_word_is_what_the_tool_takes() -> None:
    assert "#define AP_INT_MAX_W 4096 " in TEXTS["common.hpp"]
