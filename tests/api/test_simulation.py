"""Simulation from Python and by `bvit-hw simulate`: faults that are seeded in a build's files are located."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import api
from bvit_hw.errors import ConfigError, DatasetError, OutputError
from bvit_hw.flows import parts_sim
from tests.command import bvit, refused
from tests.small_build import write_small_build


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "build"
    write_small_build(folder)
    return folder


@pytest.fixture
def faulty(made: Path, tmp_path: Path) -> Path:
    """A copy, for a fault."""
    return Path(shutil.copytree(made, tmp_path / "faulty"))


@pytest.mark.sim
def test_a_sound_build_is_equal_and_its_cycles_are_told(made: Path) -> None:
    found = api.compare(made, jobs=1)
    assert found.equal and found.frames == 2 and found.streams > 70 and found.window is None
    assert found.lines() == [f"RTL and frozen network are equal on {found.streams} streams for 2 images"]
    run = api.simulate(api.open_build(made), frames=6, stalls=True, jobs=1)
    assert run.equal_to_frozen and run.logits.shape == (6, 3) and np.array_equal(run.logits[0], run.logits[2])
    assert run.cycles_model == 768 and run.cycles_per_frame == pytest.approx(768, rel=0.02)
    assert run.latency_cycles == run.ends[0] - run.starts[0] > 0


@pytest.mark.sim
def test_a_wrong_word_of_a_memory_is_located(faulty: Path, tmp_path: Path) -> None:
    """The factor of channel 2 of b0.f has another lowest bit but one: its own tensor is told."""
    memory = faulty / "generate" / "mem" / "b0_f_coef.mem"
    words = memory.read_text().split()
    assert len(words) == 8
    words[2] = f"{int(words[2], 16) ^ 0x20:0{len(words[2])}x}"
    memory.write_text("\n".join(words) + "\n")
    found = api.compare(faulty, jobs=1).difference
    assert found is not None
    assert (found.tensor, found.operator, found.kind) == ("b0.f", "b0.f", "ChannelAffine")
    assert found.channel == 2 and found.found != found.wanted
    # The command says the same, writes the waveforms around it, and exits with 1.
    done = bvit("simulate", "--build", faulty, "--compare", "--trace", "out.vcd", "--operator", "b0.f", "--jobs", "1",
                cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1 and "first difference: tensor b0.f of b0.f (ChannelAffine)" in done.stdout
    assert f"channel 2: RTL {found.found}, frozen network {found.wanted}" in done.stdout
    times = [int(line[1:]) for line in (tmp_path / "out.vcd").read_text().splitlines() if line.startswith("#")]
    assert times[0] == 10 * max(0, found.cycle - 200) and times[-1] < 10 * (found.cycle + 100)
    assert not api.simulate(faulty, jobs=1).equal_to_frozen


@pytest.mark.sim
def test_a_wrong_line_of_the_rtl_is_located(faulty: Path, tmp_path: Path) -> None:
    """A Binarize the wrong way round: the first of them is told, nothing before."""
    source = faulty / "generate" / "rtl" / "bvit_binarize.sv"
    text = source.read_text()
    assert text.count("(x_q) >= signed") == 1
    source.write_text(text.replace("(x_q) >= signed", "(x_q) < signed"))
    done = bvit("simulate", "--build", faulty, "--compare", "--json", "--count", "1", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 1
    found = json.loads(done.stdout)["comparison"]
    assert found["frames"] == 1 and found["difference"]["kind"] == "Binarize"
    assert found["difference"]["tensor"] == "b0.hq" and found["difference"]["token"] == 0


@pytest.mark.sim
def test_a_large_core_is_looked_into_part_by_part(
    made: Path, faulty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small one, taken for a large one: it says the same."""
    monkeypatch.setattr(parts_sim, "LARGE", 10)
    said: list[str] = []
    sound = api.compare(made, jobs=1, say=said.append)
    assert sound.equal and sound.parts == 2 and sound.streams > 70 and "part 2 of 2" in said[-1]
    memory = faulty / "generate" / "mem" / "b0_f_coef.mem"
    words = memory.read_text().split()
    words[2] = f"{int(words[2], 16) ^ 0x20:0{len(words[2])}x}"
    memory.write_text("\n".join(words) + "\n")
    done = bvit("simulate", "--build", faulty, "--compare", "--trace", "out.vcd", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 1 and "first difference: tensor b0.f of b0.f (ChannelAffine)" in done.stdout
    assert "token 0 (row 0, column 0), channel 2: RTL" in done.stdout and "NOT those of the frozen" in done.stdout
    assert "u_b0_f " in (tmp_path / "out.vcd").read_text()
    told = bvit("simulate", "--build", made, "--trace", "b.vcd", "--jobs", "1", cwd=tmp_path)
    refused(told, "simulated in 2 parts", "name operators of one part by --operator")


@pytest.mark.sim
@pytest.mark.slow  # another model for another format
def test_waveforms_of_gtkwaves_format(made: Path, tmp_path: Path) -> None:
    done = bvit("simulate", "--build", made, "--trace", "out.fst", "--cycles", ":50", "--count", "1", "--jobs", "1",
                cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "logits all equal" in done.stdout and "waveforms: out.fst" in done.stdout
    # The first block of an FST file is its header: kind 0, 329 bytes.
    assert (tmp_path / "out.fst").read_bytes()[:9] == bytes([0, 0, 0, 0, 0, 0, 0, 1, 73])
    refused(bvit("simulate", "--build", made, "--trace", "out.fst", cwd=tmp_path), "is there already", "--trace")


def test_mistakes_are_told(made: Path, tmp_path: Path) -> None:
    refused(bvit("simulate", "--build", made, "--cycles", "1:2", cwd=tmp_path), "--cycles", "--trace")
    refused(bvit("simulate", "--build", made, "--trace", "a.fst", "--cycles", "1-2", cwd=tmp_path), "1200:1500")
    refused(bvit("simulate", "--build", made, "--trace", "a.png", cwd=tmp_path), "allowed: .fst, .vcd")
    refused(bvit("simulate", "--build", tmp_path, cwd=tmp_path), "holds no build")
    done = bvit("simulate", "--build", made, "--trace", "a.fst", "--operator", "b0.att2", cwd=tmp_path)
    refused(done, "b0.att2", "b0.att")
    with pytest.raises(ConfigError, match=r"uint8, one or more of 8 x 8 x 3"):
        api.compare(made, np.zeros((2, 9, 9, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"nothing\.png"):
        api.simulate(made, tmp_path / "nothing.png")


def test_what_has_no_rtl_is_told(made: Path, tmp_path: Path) -> None:
    for step, said in (("compile/network.prog", "step package"), ("freeze/x", "step generate")):
        folder = tmp_path / step.split("/")[0]
        (folder / step).parent.mkdir(parents=True)
        (folder / step).touch()
        (folder / "manifest.json").write_text("{}")
        with pytest.raises(ConfigError, match=f"did not come as far as the {said}"):
            api.simulate(folder)
    with pytest.raises(OutputError, match="holds no build"):
        api.open_build(tmp_path)
