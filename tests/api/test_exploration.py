"""A search from Python: what it gives is typed, and is what the study holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bvit_hw import api
from bvit_hw.errors import BoardError, ConfigError
from tests.explore.tiny import write_space


def test_foldings_of_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_space(tmp_path)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    found = api.explore(network="tiny.toml", board=["u250"], objective="rate,lut", out="out", jobs=1, say=said.append)
    assert found.study == "bvit-hw" and found.objectives == {"rate": "maximize", "lut": "minimize"}
    assert len(found.points) == found.trials == 5 and not found.dropped and said
    fastest = max(found.points, key=lambda point: point.frames_per_second)
    assert fastest in found.front and fastest.target_fps is None and fastest.command.startswith("bvit-hw build ")
    for point in found.points:
        assert point.values == {"rate": point.frames_per_second, "lut": point.resources["lut"]}
        assert point.training == "none" and point.accuracy is None and point.checkpoint is None
        beaten = any(
            other.values["rate"] > point.values["rate"] and other.values["lut"] < point.values["lut"]
            for other in found.points
        )
        assert not (point.on_front and beaten)
    assert found.page.is_file()
    kept = json.loads(Path("out/explore.json").read_text())
    assert found.as_json() == {**kept, "page": "out/explore.html"}


def test_mistakes_are_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_space(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="give one of --space, --preset, --network"):
        api.explore(board="u250", preset="tiny-digits", network="tiny.toml")
    with pytest.raises(BoardError, match="pynq"):
        api.explore(board="pynq", space="space.toml")
    with pytest.raises(ConfigError, match="no board is named"):
        api.explore(board=(), space="space.toml")
    with pytest.raises(ConfigError, match="'annealing' is unknown; allowed: auto, grid"):
        api.explore(board="u250", space="space.toml", sampler="annealing")
    with pytest.raises(ConfigError, match="--trials 0 must be a whole number from 1 on"):
        api.explore(board="u250", space="space.toml", trials=0)
    with pytest.raises(ConfigError, match="a name without /"):
        api.explore(board="u250", space="space.toml", study="a/b")
    assert not Path("build").exists()
