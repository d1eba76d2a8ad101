"""space.toml, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.explore.space import Axis, read_space
from bvit_hw.models.presets import preset

_GOOD = """
base = "tiny-digits"
[network]
channels = [[16, 32, 64, 128], [32, 64, 128, 256]]
depths = { each = [1, 2] }
act_bits = { min = 4, max = 8, step = 2 }
affine = [true, false]
mlp_widths = [64, 128, 256, 512]
[hardware]
target_fps = ["fastest", "fastest/4", 2000]
[constraints]
min_fps = 1000
max_lut = 30000
[training]
epochs = 10
first_rung = 2
reduction = 2
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return path


def test_a_space_is_read(tmp_path: Path) -> None:
    space = read_space(_file(tmp_path, _GOOD))
    assert space.networks == 2 * 16 * 3 * 2 and not space.fixed
    assert space.targets == ("fastest", "fastest/4", 2000) and space.constraints.max_lut == 30000
    assert space.training.rungs == (2, 4, 8)
    axes = {axis.name: axis for axis in space.axes}
    assert axes["act_bits"] == Axis("act_bits", (4, 6, 8), ordered=True)
    assert axes["mlp_widths"].alternatives == ((64, 128, 256, 512),)

    def last(axis: Axis) -> object:
        return axis.alternatives[-1]

    drawn = space.config(last)
    assert drawn.depths == (2, 2, 2, 2) and drawn.act_bits == 8 and drawn.affine is False
    assert drawn.heads == preset("tiny-digits").heads
    # 512 is a multiple of 128 and of 256; of both widths of stages every network is legal
    legal, reasons = space.looked_at()
    assert legal == space.networks and not reasons


def test_each_follows_the_number_of_stages(tmp_path: Path) -> None:
    text = """
base = "tiny-digits"
[network]
channels = [[32, 64], [32, 64, 128, 256]]
heads = { each = [1] }
mlp_widths = { each = [256] }
reductions = { each = [1] }
depths = { each = [1, 2] }
"""
    space = read_space(_file(tmp_path, text))
    legal, reasons = space.looked_at()
    assert legal == 2**2 + 2**4 and not reasons


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ('base = "tiny-digit"', ["neither a preset nor a .toml file", "tiny-digits"]),
        ("[network]\n", ["base:", "expected"]),
        ('base = "tiny-digits"\n[netwerk]', ["netwerk: no such field; did you mean network?"]),
        ('base = "tiny-digits"\n[network]\nchanels = [[1]]', ["network.chanels: no such", "did you mean channels?"]),
        ('base = "tiny-digits"\n[network]\nclasses = [10, 11]', ["network.classes: is not searched"]),
        ('base = "tiny-digits"\n[network]\nact_bits = [8, "6"]', ["network.act_bits", "given: '6'"]),
        ('base = "tiny-digits"\n[network]\nact_bits = [13]', ["network.act_bits", "less than or equal to 12"]),
        ('base = "tiny-digits"\n[network]\nact_bits = { min = 4 }', ["network.act_bits", "max"]),
        ('base = "tiny-digits"\n[network]\ndepths = { min = 1, max = 2 }', ["network.depths", "each"]),
        ('base = "tiny-digits"\n[network]\ndepths = [[1, 0, 1, 1]]', ["network.depths", "given: 0"]),
        ('base = "tiny-digits"\n[hardware]\ntarget_fps = ["fast"]', ["target_fps 'fast'", "fastest/N"]),
        ('base = "tiny-digits"\n[hardware]\ntarget = [1]', ["hardware.target: no such", "did you mean target_fps?"]),
        ('base = "tiny-digits"\n[hardware]\ntarget_fps = [50, "fastest", 50]', ["hardware.target_fps: 50 is given 2"]),
        ('base = "tiny-digits"\n[hardware]\narchitecture = ["engin"]', ["hardware.architecture", "'streaming' or"]),
        ('base = "tiny-digits"\n[network]\ndepths = { each = [1, 1] }', ["network.depths: 1 is given 2 times"]),
        ('base = "tiny-digits"\n[constraints]\nmin_fsp = 3', ["constraints.min_fsp", "did you mean min_fps?"]),
        ('base = "tiny-digits"\n[training]\nepochs = 1', ["training.epochs", "given: 1"]),
        ('base = "tiny-digits"\n[training]\nepoch = 4', ["training.epoch: no such field; did you mean epochs?"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as told:
        read_space(_file(tmp_path, text))
    for fragment in ["space.toml", *fragments]:
        assert fragment in str(told.value)


def test_an_engine_is_one_point_more(tmp_path: Path) -> None:
    text = 'base = "tiny-digits"\n[hardware]\narchitecture = [{}]\ntarget_fps = [1000, 2000]\n'
    words = ('"streaming"', '"streaming", "engine"', '"engine"')
    found = [read_space(_file(tmp_path, text.format(word))) for word in words]
    assert [space.points_a_network for space in found] == [2, 3, 1]
    assert [space.identity()["architecture"] for space in found][1] == ["streaming", "engine"]


def test_a_space_without_a_legal_network_is_refused(tmp_path: Path) -> None:
    space = read_space(_file(tmp_path, 'base = "tiny-digits"\n[network]\nheads = [[3, 2, 4, 8], [5, 2, 4, 8]]'))
    with pytest.raises(ConfigError, match=r"no legal network among 2 looked at: .*heads=[35] does not divide"):
        space.require_legal()


def test_spaces_are_told_apart(tmp_path: Path) -> None:
    one = read_space(_file(tmp_path, _GOOD)).identity()
    assert one == read_space(_file(tmp_path, _GOOD + "\n# the same\n")).identity()
    assert one != read_space(_file(tmp_path, _GOOD.replace("[1, 2]", "[1, 3]"))).identity()
