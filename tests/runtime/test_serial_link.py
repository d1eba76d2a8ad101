"""The driver at a serial port: the whole top of the ULX3S, Verilated, behind a pseudo-terminal that pyserial opens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.boards import load_board
from bvit_hw.flows.ecp5 import TOP, bit_sixteenths, write_top
from bvit_hw.flows.serial_model import build_serial_model, running
from bvit_hw.flows.vivado import IpContents
from bvit_hw.resources import data_path
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.serial_link import open_serial

BOARD = load_board("ulx3s-85f")
LIBRARY = (
    "bvit_fifo.sv", "bvit_frame_guard.sv", "bvit_registers_pkg.sv", "bvit_axi_lite_regs.sv", "bvit_logits_out.sv",
    "bvit_axis_check.sv",
)  # fmt: skip
STAND_IN = "device_stand_in.sv"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    """The name of the board's serial port; its accelerator is the stand-in, its clock and baud rate the board's."""
    contents = IpContents(
        top="bvit_accelerator", sources=(*LIBRARY, STAND_IN), model_hash="00" * 32,
        streams={"s_axis": 64, "m_axis": 32}, frame_bytes=96, classes=5,
    )  # fmt: skip
    write_top(tmp_path, BOARD, BOARD.clock_mhz, [contents])
    own = tmp_path / "board"
    for source in (*source_paths(LIBRARY), data_path("sim") / STAND_IN):
        shutil.copyfile(source, own / source.name)
    program = build_serial_model(
        tmp_path, top=TOP, sources=[own / name for name in (own / "files.f").read_text().split()],
        bit_sixteenths=bit_sixteenths(BOARD, BOARD.clock_mhz),
    )  # fmt: skip
    with running(program, tmp_path) as name:
        yield name


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 4, 8, 3), np.uint8)


def logits_of(frames: np.ndarray) -> np.ndarray:
    """What the stand-in computes."""
    return frames.reshape(len(frames), -1, 8)[:, :, :5].sum(axis=1, dtype=np.int32) - 1000


def test_a_package_is_reached_through_it(port: str, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the package's other devices are: identity, batches, counters, reset; with the package named, or in it."""
    with runtime.connect(package, f"serial:{port}", timeout=60.0) as accelerator:
        assert not accelerator.simulated and accelerator.power() == {}
        for count in (1, 7, 3):
            assert np.array_equal(accelerator.logits_int(images(count)), logits_of(images(count)))
        counters = accelerator.counters()
        assert (counters["frames_in"], counters["frames_out"], counters["flags"]) == (11, 11, 0)
        accelerator.reset()
        assert accelerator.counters()["frames_in"] == 0
    monkeypatch.chdir(package)
    with runtime.connect(f"serial:{port}@3000000", timeout=60.0) as accelerator:
        assert np.array_equal(accelerator.logits_int(images(2)), logits_of(images(2)))


def test_lost_logits_are_told_and_the_next_call_is_served(port: str, package: Path) -> None:
    """They are computed again, and the counter of frames shows it."""
    link = open_serial(port, frame_bytes=96, classes=5, patience=2.0)
    with runtime.Accelerator(link=link, model=package / "model.json", timeout=60.0) as accelerator:
        real, left = link._decoder.feed, [1]

        def harmed(data: bytes) -> list[object]:
            found = [packet for packet in real(data)]
            if left[0] and any(packet.kind == 0x83 for packet in found):
                left[0] -= 1
                return []
            return list(found)

        link._decoder.feed = harmed  # type: ignore[method-assign, assignment]
        with pytest.raises(runtime.TransferError, match="the logits received are not those of 3 frames"):
            accelerator.logits_int(images(3))
        assert np.array_equal(accelerator.logits_int(images(3)), logits_of(images(3)))


class Noisy:
    """A port whose line harms bytes, in both directions: one of so many is lost, doubled, or has bits flipped."""

    def __init__(self, port: Any, seed: int, one_in: int) -> None:
        self.port, self.rng, self.one_in = port, np.random.default_rng(seed), one_in
        self.harmed = 0

    @property
    def in_waiting(self) -> int:
        return int(self.port.in_waiting)

    def read(self, size: int) -> bytes:
        return self._line(self.port.read(size))

    def write(self, data: bytes) -> int:
        self.port.write(self._line(data))
        return len(data)

    def _line(self, data: bytes) -> bytes:
        found = bytearray()
        for byte in data:
            if self.one_in and self.rng.integers(self.one_in) == 0:
                self.harmed += 1
                kind = self.rng.integers(3)
                found += (b"", bytes([byte, byte]), bytes([byte ^ int(self.rng.integers(1, 256))]))[kind]
            else:
                found.append(byte)
        return bytes(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_line_gives_right_logits_or_none(port: str, package: Path, seed: int) -> None:
    """Bytes of pixels, logits, registers and frames' ends are lost, doubled and flipped; once it is quiet, all is well.

    A call may fail, for a frame whose logits were lost is computed again, or a request was harmed five times.
    """
    link = open_serial(port, frame_bytes=96, classes=5, patience=2.0)
    with runtime.Accelerator(link=link, model=package / "model.json", timeout=60.0) as accelerator:
        line = Noisy(link._port, seed, 0)
        link._port = line
        right = failed = 0
        for call in range(6):
            line.one_in = 400
            frames = images(1 + call % 3)
            try:
                found = accelerator.logits_int(frames)
            except runtime.DeviceError:
                failed += 1
            else:
                assert np.array_equal(found, logits_of(frames))
                right += 1
            line.one_in = 0
        assert line.harmed > 3 and right > 0 and link.resent > 0
        assert np.array_equal(accelerator.logits_int(images(4)), logits_of(images(4)))


@pytest.mark.parametrize(
    ("place", "says"),
    [("/dev/no-such-port", "cannot be opened"), ("/dev/ttyUSB0@fast", "'fast' is no baud rate")],
)
def test_a_port_that_is_not_there_is_told(place: str, says: str, package: Path) -> None:
    with pytest.raises(runtime.DeviceError, match=f"serial:{place}: {says}"):
        runtime.connect(package, f"serial:{place}")
