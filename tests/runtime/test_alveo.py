"""The driver on an Alveo card: movers that cannot be interrupted come to rest, whatever happened to their batch."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.runtime.alveo import KernelLink
from tests.emulators.card_stand_in import BEATS, Card
from tests.emulators.device_stand_in import INFO, images, logits

PROTOCOLS = pytest.mark.parametrize("protocol", ["ap_ctrl_hs", "ap_ctrl_chain"])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """model.json; and pynq in place, as far as a link needs it."""
    allocate = lambda shape, dtype, target: target.card.allocate(shape, dtype, target)  # noqa: E731
    monkeypatch.setitem(sys.modules, "pynq", SimpleNamespace(allocate=allocate))
    (tmp_path / "model.json").write_text(INFO.text())
    return tmp_path / "model.json"


def opened(card: Card, model: Path) -> runtime.Accelerator:
    """The driver on a card, four images a transfer."""
    link = KernelLink(card, card, name=f"card-{model.parent}", input_bytes=8, frame_bytes=96, classes=5)
    link.timeout, link.now = 0.05, lambda: card.seconds  # type: ignore[method-assign]
    return runtime.Accelerator(link=link, model=model, batch=4, timeout=0.05)


def serves(accelerator: runtime.Accelerator, count: int = 9) -> None:
    frames = images(count, 3)
    assert np.array_equal(accelerator.logits_int(frames), logits(frames))
    assert accelerator.counters()["frames_in"] == count


@PROTOCOLS
def test_batches_of_every_size(model: Path, protocol: str) -> None:
    card = Card(protocol)
    with opened(card, model) as accelerator:
        for count in (1, 3, 4, 5, 10):
            frames = images(count, count)
            assert np.array_equal(accelerator.logits_int(frames), logits(frames)), count
        assert card.packet == 0  # a packet a frame, and not what a reset leaves
        assert accelerator.power() == {}
    assert not card.memory


@PROTOCOLS
@pytest.mark.parametrize("soft", [False, True], ids=["pin", "register"])
def test_reset_in_mid_batch(model: Path, protocol: str, soft: bool) -> None:
    """At every kind of moment: between frames, inside one, in the second transfer, with logits on their way."""
    for beat in (1, 7, BEATS, BEATS + 1, 4 * BEATS, 4 * BEATS + 5, 8 * BEATS - 1, 10 * BEATS - 1):
        card = Card(protocol)
        card.soft = soft
        with opened(card, model) as accelerator:
            card.reset_at = beat
            with pytest.raises(runtime.DeviceResetError, match="in the middle of a batch"):
                accelerator.logits_int(images(10))
            assert not card.mm2s.left and not card.s2mm.left
            serves(accelerator)
        assert not card.memory


def test_movers_that_a_killed_process_left_at_work(model: Path) -> None:
    for started in (("s2mm",), ("mm2s",), ("mm2s", "s2mm")):
        card = Card()
        if "s2mm" in started:
            card.s2mm.words.update({0x10: 0x1000, 0x14: 0, 0x1C: 7, 0x24: INFO.classes})
            card.s2mm.write(0, 1)
        if "mm2s" in started:
            card.mm2s.words.update({0x10: 0x2000, 0x14: 0, 0x1C: 30, 0x24: BEATS})
            card.mm2s.write(0, 1)
        with opened(card, model) as accelerator:
            assert not card.mm2s.left and not card.s2mm.left
            serves(accelerator)


def test_a_card_that_moves_nothing_any_more(model: Path) -> None:
    card = Card()
    accelerator = opened(card, model)
    card.dead = True
    with pytest.raises(runtime.DeviceTimeoutError, match="no end after"):
        accelerator.logits_int(images(10))
    with pytest.raises(runtime.TransferError, match="still at work"):
        accelerator.logits_int(images(1))
    accelerator.close()
    with pytest.raises(runtime.TransferError, match=r"do not come to rest \(mm2s and s2mm\): reset the card"):
        opened(card, model)
    card.dead = False
    with opened(card, model) as accelerator:
        serves(accelerator)


def test_a_stream_closed_early(model: Path) -> None:
    card = Card()
    with opened(card, model) as accelerator:
        stream = accelerator.stream(images(4, seed) for seed in range(9))
        assert np.array_equal(next(stream), logits(images(4, 0)))
        stream.close()
        serves(accelerator)
