"""A hardware graph on disk: read back it is the same, and what is no such file is refused by name."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from bvit_hw.boards import load_board
from bvit_hw.contract.file import save_frozen
from bvit_hw.errors import LoweringError
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import with_pixel_beats
from bvit_hw.graph.file import GRAPH_KEY, load_graph, save_graph
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.graph.vendor_cells import with_vendor_cells
from bvit_hw.ops.base import Resources
from tests.frozen_factory import CONFIGS


@cache
def stitched(board: str, name: str = "pyramid") -> HwGraph:
    """Operators in their widest foldings, cells and beats of the board, glue, FIFOs in every kind of its memory."""
    passes = (with_vendor_cells, with_pixel_beats)
    plain = run_passes(
        hw_graph_of(random_frozen(CONFIGS[name], seed=3)), [partial(each, board=load_board(board)) for each in passes]
    )
    widest = plain.with_ops({node.name: list(node.op.foldings())[-1] for node in plain.nodes})
    return planned(widest, Resources(bram18=40, uram=60))


@pytest.mark.parametrize(
    "board, name", [*(("pynq-z2", name) for name in sorted(CONFIGS)), ("kv260", "pyramid"), ("u250", "pyramid")]
)
def test_read_back_it_is_the_same(board: str, name: str, tmp_path: Path) -> None:
    graph = stitched(board, name)
    save_graph(graph, tmp_path / "graph.safetensors")
    found = load_graph(tmp_path / "graph.safetensors")
    assert (found.name, found.input, found.output) == (graph.name, graph.input, graph.output)
    assert found.pixel_bytes == graph.pixel_bytes == load_board(board).pixel_bytes
    assert found.target is graph.target is load_board(board).target
    assert found.resources() == graph.resources() and found.cycles == graph.cycles
    for a, b in zip(found.nodes, graph.nodes, strict=True):
        assert (a.name, a.op, a.inputs, a.outputs) == (b.name, b.op, b.inputs, b.outputs)
        assert a.params.keys() == b.params.keys()
        for key, value in a.params.items():
            assert value.dtype == b.params[key].dtype and np.array_equal(value, b.params[key]), (a.name, key)
    save_graph(found, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "graph.safetensors").read_bytes()


def _changed(path: Path, *, empty: bool = False, **fields: object) -> Path:
    """The graph of ``path`` with fields of its head exchanged, or without its tensors, as another file."""
    with safe_open(path, framework="numpy") as file:
        head = json.loads(file.metadata()[GRAPH_KEY])
        stored = {} if empty else {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(stored, path.with_name("changed"), metadata={GRAPH_KEY: json.dumps(head | fields)})
    return path.with_name("changed")


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    whole = tmp_path / "graph.safetensors"
    save_graph(stitched("pynq-z2"), whole)
    with safe_open(whole, framework="numpy") as file:
        nodes = json.loads(file.metadata()[GRAPH_KEY])["nodes"]
    (tmp_path / "text").write_text("hello")
    (tmp_path / "half").write_bytes(whole.read_bytes()[:-100])
    save_frozen(random_frozen(CONFIGS["plain"], seed=1), tmp_path / "frozen")
    given = {
        "none": "No such file",
        "text": "text: no hardware graph",
        "half": "half: no hardware graph",
        "frozen": GRAPH_KEY,
    }
    for name, said in given.items():
        with pytest.raises(LoweringError, match=said):
            load_graph(tmp_path / name)
    unfolded = [nodes[0] | {"fields": nodes[0]["fields"] | {"lanes_in": 5}}, *nodes[1:]]
    changes: list[tuple[dict[str, object], str]] = [
        ({"format": 0}, "format 0; allowed: 2"),
        ({"target": "ecp6"}, "target 'ecp6'; known: ecp5, xc"),
        ({"nodes": nodes[1:]}, "which nothing before it writes"),
        ({"output": "nowhere"}, "nothing writes the output 'nowhere'"),
        ({"nodes": unfolded}, "lanes=5 does not divide"),
    ]
    for fields, said in changes:
        with pytest.raises(LoweringError, match=said):
            load_graph(_changed(whole, **fields))
    with pytest.raises(LoweringError, match="changed: no hardware graph"):
        load_graph(_changed(whole, empty=True))


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "graph.safetensors"
    path.write_text("before")

    def refuse(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="No space left"):
        save_graph(stitched("pynq-z2"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["graph.safetensors"] and path.read_text() == "before"
