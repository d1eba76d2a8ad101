"""`bvit-hw compile`: what it writes is a programme that an engine takes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bvit_hw.boards import load_board
from bvit_hw.cli.group import cli
from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.reference import Reference
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.machine import Machine
from bvit_hw.engine.programme import load_programme
from bvit_hw.errors import BoardError, BvitError, LimitError, LoweringError
from bvit_hw.models import shipped_checkpoint
from bvit_hw.network_file import load_graph


def run(*words: object) -> str:
    """The command's output; raises what it raises."""
    result = CliRunner().invoke(cli, ["compile", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_shipped_network_is_a_programme_of_the_boards_engine(tmp_path: Path) -> None:
    """The file alone says how a picture becomes a frame; what the golden machine makes of it are the logits."""
    out = tmp_path / "tiny.prog"
    told = run("--board", "pynq-z2", "-o", out)
    assert "tiny-digits" in told and "not simulated" in told and "equal" in told
    config = engine_of(load_board("pynq-z2"))
    programme = load_programme(out, config)
    facts = programme.facts
    assert facts["network"] == "tiny-digits" and len(facts["class_names"]) == facts["logits"] == 10  # type: ignore[arg-type]
    graph, _ = load_graph(shipped_checkpoint())
    image = np.random.default_rng(3).integers(0, 256, facts["picture"], dtype=np.uint8)  # type: ignore[call-overload]
    (h, w), lanes, strip, group = facts["window"], facts["lanes"], facts["strip"], facts["group"]  # type: ignore[misc]
    rows = image.shape[0] // h
    # rows, lane, slot of a row, values of a patch -> slots, groups, lanes, channels of a group
    cut = image.reshape(rows, h, lanes, strip, w, -1).transpose(0, 3, 2, 1, 4, 5).reshape(rows * strip, lanes, -1)  # type: ignore[operator]
    cut = np.pad(cut, ((0, 0), (0, 0), (0, -cut.shape[-1] % group)))  # type: ignore[operator]
    frame = cut.reshape(*cut.shape[:2], -1, group).transpose(0, 2, 1, 3).tobytes()  # type: ignore[call-overload]
    machine = Machine(config, programme.body, frame, programme.output_bytes)
    for command in programme.commands:
        machine.run(command)
    size = int(facts["logit_bytes"])  # type: ignore[call-overload]
    planes = machine.output.reshape(-1, size, group).transpose(0, 2, 1).reshape(-1, size)[:10]  # type: ignore[call-overload]
    found = [int.from_bytes(row.tobytes(), "little", signed=True) for row in planes]
    assert found == Reference(graph).logits_int(image[None])[0].tolist()


def test_random_weights_are_told(tmp_path: Path) -> None:
    assert "weights are random" in run(
        "--board", "pynq-z2", "-o", tmp_path / "n.prog", "--preset", "tiny-digits", "--random-weights", "--no-check"
    )


def test_a_programme_that_gives_other_logits_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: FrozenGraph, config: EngineConfig, *, fused: bool) -> Compiled:
        compiled = compile_network(graph, config, fused=fused)
        data = bytearray(compiled.programme.data)
        data[len(data) // 2 : len(data) // 2 + 4096] = bytes(4096)
        return replace(compiled, programme=replace(compiled.programme, data=bytes(data)))

    monkeypatch.setattr("bvit_hw.engine.compiler.compile_network", wrong)
    with pytest.raises(LoweringError, match="a fault of the compiler"):
        run("--board", "pynq-z2", "-o", tmp_path / "n.prog")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (["--board", "u250"], BoardError, r"no table \[engine\]; boards that have one: kv260, pynq-z1"),
        (["--board", "pynq-z3"], BoardError, "pynq-z3"),
        (["--board", "pynq-z2", "--preset", "no-such"], BvitError, "no-such"),
        (["--board", "pynq-z2", "nowhere.safetensors"], BvitError, "nowhere.safetensors"),
    ],
)
def test_refusals(words: list[str], error: type[Exception], told: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=told):
        run(*words, "-o", tmp_path / "n.prog")
    assert not list(tmp_path.iterdir())


def test_a_network_beyond_the_engine_is_refused_by_the_limits_name(tmp_path: Path) -> None:
    """An engine of few words of values: which memory, how many, how many are needed."""
    text = (Path(__file__).parents[2] / "boards" / "pynq-z2.toml").read_text()
    board = tmp_path / "small.toml"
    board.write_text(text.replace('name = "pynq-z2"', 'name = "small"').replace("values = 5120", "values = 16"))
    with pytest.raises(LimitError, match="the memory values has 16 words; this network needs"):
        run("--board", board, "-o", tmp_path / "n.prog")
    board.write_text(text.replace('name = "pynq-z2"', 'name = "small"').replace("values = 5120", "values = 17"))
    with pytest.raises(BoardError, match="board small: engine: values=17; allowed"):
        run("--board", board, "-o", tmp_path / "n.prog")
