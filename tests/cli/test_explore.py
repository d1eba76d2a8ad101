"""`bvit-hw explore` and `bvit-hw build --from-study`, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bvit_hw.resources import data_path
from tests.command import bvit, refused
from tests.explore.tiny import write_space


def test_a_front_of_foldings_and_a_point_of_it_built(tmp_path: Path) -> None:
    write_space(tmp_path)
    words = ["explore", "--network", "tiny.toml", "--board", "u250", "--objective", "rate,lut", "--out", "out"]
    done = bvit(*words, "--jobs", "1", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "explore.json").read_text())
    points = found["points"]
    assert len(points) == 5 and points[0]["front"]
    half = next(point for point in points if point["choices"]["target_fps"] == "fastest/2")
    command = f"bvit-hw build --network tiny.toml --board u250 --target-fps {half['point']['target_fps']:g}"
    assert half["command"] == command and command in done.stdout
    assert (tmp_path / "out" / "explore.html").stat().st_size > 1_000_000, "Plotly is in it"

    # The same command goes on where nothing is left to do; --json has what the page has.
    again = bvit(*words, "--jobs", "1", "--quiet", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == {**found, "page": str(Path("out/explore.html"))}

    for number, build in enumerate((
        command.split()[2:], ["--from-study", "out/study.journal", "--trial", half["number"]],
    )):  # fmt: skip
        folder = tmp_path / f"build-{number}"
        built = bvit("build", *build, "--until", "fold", "--quiet", "--out", folder, cwd=tmp_path)
        assert built.returncode == 0, built.stderr
        manifests = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        fold = next(found for found in map(_folded, manifests) if found is not None)
        assert fold["cycles"] == half["point"]["cycles"] and fold["resources"]["lut"] == half["point"]["lut"]


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    """The command names its file; what has changed since is told."""
    text = (data_path("boards") / "u250.toml").read_text().replace('name = "u250"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(text)
    write_space(tmp_path, 'base = "tiny.toml"\n[hardware]\ntarget_fps = [20000]\n')
    search = ["explore", "--space", "space.toml", "--board", "mine.toml", "--objective", "rate,lut", "--out", "out"]
    search += ["--quiet", "--jobs", "1"]
    assert bvit(*search, cwd=tmp_path).returncode == 0
    (point,) = json.loads((tmp_path / "out" / "explore.json").read_text())["points"]
    file = tmp_path / "mine.toml"
    assert point["command"] == f"bvit-hw build --network tiny.toml --board {file} --target-fps 20000"
    words = ["build", "--from-study", tmp_path / "out", "--trial", 0, "--until", "checkpoint", "--quiet"]
    built = bvit(*words, "--out", "one", cwd=tmp_path)
    assert built.returncode == 0 and "has changed" not in built.stderr
    refused(bvit(*words, "--architecture", "engine", cwd=tmp_path), "--from-study decides --architecture engine")

    file.write_text(text.replace("lut = 0.70", "lut = 0.60"))
    assert file.read_text() != text
    refused(bvit(*search, cwd=tmp_path), "of another space (boards.mine")
    assert f"board {file} has changed since" in bvit(*words, "--out", "two", cwd=tmp_path).stderr


def _folded(tree: object) -> dict[str, Any] | None:
    """What the step `fold` says, somewhere in nested objects."""
    if not isinstance(tree, dict):
        return None
    if "limited_by" in tree:
        return tree
    return next((found for found in map(_folded, tree.values()) if found is not None), None)


def test_mistakes_are_told(tmp_path: Path) -> None:
    write_space(tmp_path)
    refused(bvit("explore", "--board", "u250", cwd=tmp_path), "give one of --space, --preset, --network")
    words = ["explore", "--space", "space.toml", "--board"]
    refused(bvit(*words, "pynq", cwd=tmp_path), "pynq")
    refused(bvit(*words, "u250", "--objective", "rate,speed", cwd=tmp_path), "'speed' is unknown", "area_time")
    refused(bvit(*words, "u250", "--objective", "rate,lut", "--data", "digits", cwd=tmp_path), "trains nothing")
    refused(bvit("build", "--from-study", "none.journal", "--trial", "0", cwd=tmp_path), "there is no such file")
    refused(bvit("build", "--from-study", "none.journal", cwd=tmp_path), "--trial N")
    refused(
        bvit("build", "--from-study", "x", "--trial", "0", "--board", "u250", cwd=tmp_path),
        "--from-study decides --board u250",
    )
    refused(bvit("build", "--trial", "0", cwd=tmp_path), "--from-study STORAGE")
    (tmp_path / "engine.toml").write_text('base = "tiny.toml"\n[hardware]\narchitecture = ["engine"]\n')
    words = ["explore", "--space", "engine.toml", "--objective", "rate,lut", "--board"]
    refused(bvit(*words, "u250", cwd=tmp_path), "no board of the search has one", "pynq-z2")
    (tmp_path / "recipe.toml").write_text('base = "tiny.toml"\n[training]\nrecipe = "digit"\n')
    refused(bvit("explore", "--space", "recipe.toml", "--board", "u250", cwd=tmp_path), "recipe 'digit' is unknown")
