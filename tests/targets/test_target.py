"""Targets: a third one is a module, a table and a board, as docs/targets.md says; costs and memories are its own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import targets
from bvit_hw.boards import Board, load_board
from bvit_hw.errors import BoardError, ToolError
from bvit_hw.flows.plain import by_hand
from bvit_hw.flows.vendor import flow_of
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.graph.vendor_cells import with_vendor_cells
from bvit_hw.ops.base import CostTerms, Resources
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.fifo import Fifo
from bvit_hw.targets import XC7, Target
from bvit_hw.targets.memories import Join
from tests.frozen_factory import CONFIGS
from tests.op_samples import OPS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "targets.md").read_text()

VIVADO = """[vivado]
ps_ip = "a:b:c"
memory = [{ segment = "DDR", offset = 0, size_mb = 512 }]
"""


def example(language: str) -> str:
    """The page's code in this language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert isinstance(code, str)
    return code


def doubled(match: re.Match[str]) -> str:
    return f"{match[1]} = {2 * float(match[2]):g}"


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The page's target and board, in folders of their own; its coefficients are twice those of 7 series."""
    folder = tmp_path_factory.mktemp("targets")
    (folder / "gw2a.py").write_text(example("python"))
    table = (ROOT / "bvit_hw" / "targets" / "xc7.toml").read_text()
    (folder / "gw2a.toml").write_text(re.sub(r"^(\w+) = (-?[\d.]+)$", doubled, table, flags=re.M))
    (folder / "gw2a-55.toml").write_text(example("toml"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "__path__", [*targets.__path__, str(folder)])
        targets.discovered.cache_clear()
        yield load_board(str(folder / "gw2a-55.toml"))
    targets.discovered.cache_clear()


@pytest.fixture(scope="module")
def target(third: Board) -> Target:
    return third.target


def test_its_board_knows_it(third: Board) -> None:
    assert (third.target.name, third.flow, third.ip_families) == ("gw2a", "", ())
    assert third.limits.dsp == 0.8 * 40


def test_another_familys_part_or_table_is_refused(third: Board, tmp_path: Path) -> None:
    for old, new, fault in (
        ('part = "GW2A', 'part = "xc7z', "part: String should match pattern"),
        ('family = "gw2a"', 'family = "gw3a"', "Input should be .*'gw2a'.*; given: 'gw3a'"),
        ("[resources]", f"{VIVADO}\n[resources]", r"a board of family gw2a has no table \[vivado\]"),
    ):
        path = tmp_path / "gw2a-55.toml"
        path.write_text(example("toml").replace(old, new))
        with pytest.raises(BoardError, match=fault):
            load_board(str(path))


def test_a_network_is_lowered_folded_and_costed(third: Board, target: Target) -> None:
    """All operators, the glue between them and the border are the target's, and cost what its table says."""
    graph = with_vendor_cells(hw_graph_of(random_frozen(CONFIGS["plain"], seed=1)), third)
    found = fold(graph, third, target_fps=1000)
    stitched = planned(found.graph, third.limits)
    assert {node.op.target for node in stitched.nodes} == {target}
    assert len(stitched.nodes) > len(graph.nodes)
    for node in stitched.nodes:
        terms = node.op.cost_terms()
        once = XC7.weights(terms.circuit, "lut")
        twice = 2 * sum(once[name] * count for name, count in terms.lut.items())
        if not terms.whole:
            assert node.op.resources().lut - terms.exact.lut == pytest.approx(twice), node.name
        assert not isinstance(node.op, BinaryMVAU) or node.op.primitives == 0
    assert found.resources.lut <= third.limits.lut and found.resources.dsp <= third.limits.dsp


def test_its_memories_are_its_own(target: Target) -> None:
    """Words of 16 in a cell; a table that 7 series keeps in LUTs goes into a block, a FIFO's memory is dearer."""
    assert [target.memories.lut_ram_cost(8, depth) for depth in (1, 16, 32, 64)] == [0, 12, 32, 56]
    assert [target.memories.rom(8, depth, block=False).lut for depth in (16, 64)] == [8, 32]
    fifo = Fifo(tokens=4, channels=8, bits=1, signed=False, pe=8, depth=32)
    assert fifo.cost_terms().lut["memory"] == 8 and fifo.on(target).cost_terms().lut["memory"] == 32
    in_block = [m.buffer_in_block(40, depth) for depth in (32, 64) for m in (XC7.memories, target.memories)]
    assert in_block == [False, False, False, True]


def test_an_operator_chooses_for_its_target(target: Target) -> None:
    """The RTL's memory style follows the target, and so does what the operator costs."""
    here = Binarize(tokens=4, channels=512, in_bits=8)
    there = here.on(target)
    assert here != there and there.attributes() == here.attributes()
    params = here.random_params(np.random.default_rng(0))
    assert [op.rtl(params).parameters["THRESHOLD_BLOCK"] for op in (here, there)] == [0, 1]
    assert [op.resources().bram18 for op in (here, there)] == [0, 1]


def test_it_is_counted_by_its_own_synthesis(target: Target, tmp_path: Path) -> None:
    """Yosys maps to cells that 7 series does not have."""
    op = Fifo(tokens=4, channels=8, bits=1, signed=False, pe=8, depth=16).on(target)
    counted = synthesize([job_of("fifo", op, {})], target=target, work=tmp_path / "work", cache=tmp_path / "cache")
    assert counted["fifo"].lut >= 12 and counted["fifo"].ff >= 8 and counted["fifo"].bram18 == 0


def test_no_flow_builds_nothing(third: Board) -> None:
    flow = flow_of(third)
    flow.check_clock(third, 33.3)
    assert flow.path() is None and flow.missing.startswith("bitstream not built") and not flow.results
    assert by_hand(Path("package"), flow.command, flow.results) == "", "nobody is told to run nothing"
    with pytest.raises(ToolError, match="no vendor's flow"):
        flow.build(Path())


def test_a_circuit_without_coefficients_is_named() -> None:
    poor = dataclasses.replace(XC7, name="poor", coefficients={"Fifo": XC7.coefficients["Fifo"]})
    with pytest.raises(BoardError, match=r"target poor: .* no \[Duplicate.lut\]; it has: Fifo. benchmarks/fit"):
        poor.weigh(CostTerms(circuit="Duplicate", lut={"copy": 2}))


def test_terms_are_weighed_and_added_to_what_is_known() -> None:
    table = {"Thing": {"lut": {"one": 2.5, "bit": 0.5, "unused": 9.0}, "ff": {"bit": 1.0}}}
    thing = dataclasses.replace(XC7, coefficients=table)
    exact = Resources(lut=1, bram18=3)
    terms = CostTerms(circuit="Thing", lut={"one": 1, "bit": 8}, ff={"bit": 8}, exact=exact)
    assert thing.weigh(terms) == Resources(lut=7.5, ff=8, bram18=3)
    assert thing.weigh(dataclasses.replace(terms, whole=True)).lut == 7


@pytest.mark.parametrize(
    ("join", "luts"),
    [(Join.SELECT, 3 * 24 + 18), (Join.DECODE, 3 * 24 + 18 + 8), (Join.LINE, round(3 * (24 + 0.44 * 18 + 1.3)))],
)
def test_joins_of_deep_memories(join: Join, luts: float) -> None:
    assert XC7.memories.lut_ram_cost(18, 192, join) == luts


def every_target() -> list[Target]:
    return list({target.name: target for target, _ in targets.families().values()}.values())


@pytest.mark.parametrize("target_", every_target(), ids=str)
def test_every_table_has_every_circuit(target_: Target) -> None:
    for op in OPS:
        assert op.on(target_).resources().lut >= 0
