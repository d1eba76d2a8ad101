"""tiny-digits on the ULX3S, from the checkpoint to the bitstream, and what was placed simulated as a whole.

Half an hour on two cores, so slow. What is simulated is the netlist that nextpnr was given, with models of its cells
(netlist.py), at a serial line that is a pseudo-terminal, by the board's own driver.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from netlist import board_netlist

from bvit_hw.boards import load_board
from bvit_hw.flows.ecp5 import TOP, bit_sixteenths
from bvit_hw.flows.serial_model import build_serial_model, running
from bvit_hw.report.model import Report
from bvit_hw.runtime import Accelerator, ModelInfo, expected_results
from bvit_hw.runtime.serial_link import open_serial
from tests.command import bvit

pytestmark = pytest.mark.slow
BOARD = load_board("ulx3s-85f")
#: how much slower than a board the simulation is, at most
PATIENCE = 5000.0


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The build's folder."""
    folder = tmp_path_factory.mktemp("ulx3s")
    done = bvit("build", "--board", BOARD.name, "--preset", "tiny-digits", "--target-fps", 12_207, "--images", 2,
                "--quiet", "--no-simulated-device", "--out", "out", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield folder / "out"


def test_it_is_placed_and_routed(built: Path) -> None:
    report = Report.read(built / "report.json")
    assert report.bitstream.built and report.bitstream.note == "bitstream built, timing met"
    found = report.bitstream.implementation
    assert found is not None and found.setup_slack_ns is not None and found.setup_slack_ns > 0
    assert found.clock_mhz >= 50 and report.clock_note == "from nextpnr's timing check"
    assert report.cycles_per_frame.simulated is not None and report.cycles_per_frame.simulated <= 4096
    assert found.lut <= BOARD.available.lut and found.bram18 <= BOARD.available.bram18
    (archive,) = built.glob("bvit_hw-*.zip")
    with zipfile.ZipFile(archive) as files:
        bits = files.read("bvit_hw-ulx3s-85f/bvit_hw.bit")
    assert b"LFE5U-85F" in bits[:200]
    timing = json.loads((built / "bitstream" / "timing.json").read_text())
    assert min(clock["achieved"] for clock in timing["fmax"].values()) >= found.clock_mhz


def sources_of(built: Path, what: str, folder: Path) -> Sequence[Path]:
    """Verilog of the whole top: the package's RTL, or what was placed."""
    if what == "netlist":
        return board_netlist(built / "bitstream", folder)
    places = {file.name: file for name in ("ip", "board") for file in (built / "package" / name).iterdir()}
    for memory in (built / "package" / "ip" / "mem").iterdir():
        shutil.copyfile(memory, folder / memory.name)
    return [places[name] for name in (built / "package" / "board" / "files.f").read_text().split()]


@pytest.mark.parametrize("what", ["rtl", "netlist"])
def test_the_whole_top_computes_the_logits(built: Path, tmp_path: Path, what: str) -> None:
    """An image comes in at the serial line, its logits go out there, bit for bit those of the frozen network."""
    sources = sources_of(built, what, tmp_path)
    clock_mhz = Report.read(built / "report.json").clock_mhz
    program = build_serial_model(
        tmp_path, top=TOP, sources=sources, bit_sixteenths=bit_sixteenths(BOARD, clock_mhz)
    )
    model = built / "package" / "model.json"
    info = ModelInfo.read(model)
    images, _, logits = expected_results(built / "package")
    with running(program, tmp_path) as port:
        link = open_serial(port, frame_bytes=info.frame_bytes, classes=info.classes, patience=PATIENCE)
        with Accelerator(link=link, model=model, timeout=3600.0) as accelerator:
            assert np.array_equal(accelerator.logits_int(images[:1]), logits[:1])
            assert accelerator.counters()["frames_out"] == 1
