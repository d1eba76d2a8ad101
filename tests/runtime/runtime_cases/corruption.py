"""Streams and logits that are not what they should be are noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .common import BEATS, CLASSES, expected, images, model_of, opened, raises, runtime, serves


def case_corrupted_streams(package: Path) -> None:
    """TLAST added and taken away, bytes and beats missing: an exception, or every logit right; then service."""
    rng = np.random.default_rng(20)
    faults: dict[str, int] = {}
    with opened(package) as accelerator:
        for trial in range(60):
            count = int(rng.integers(1, 13))
            marks = rng.integers(1, 32, int(rng.integers(1, 4)))
            for beat, mark in zip(rng.integers(0, count * BEATS + 6, len(marks)), marks, strict=True):
                model_of(accelerator).corrupt(int(beat), int(mark))
            frames = images(count, trial)
            try:
                found = accelerator.logits_int(frames)
            except runtime.DeviceError as error:
                name = type(error).__name__
                faults[name] = faults.get(name, 0) + 1
            else:
                assert np.array_equal(found, expected(frames)), f"trial {trial}: wrong logits without an exception"
            model_of(accelerator).heal()
            serves(accelerator)
    assert faults.get("FrameError", 0) >= 20, faults


def case_every_beat_corrupted(package: Path) -> None:
    """Each kind of corruption at each beat of two transfers, the last and the shorter one included; then service."""
    transfers = (4, 3)
    total = sum(transfers) * BEATS
    ends = {transfers[0] * BEATS - 1, total - 1}
    frames = images(sum(transfers), 5)
    with opened(package) as accelerator:
        model, served = model_of(accelerator), images(2, 6)
        for kind in (1, 2, 4, 8, 16, 1 | 4, 1 | 8, 2 | 8):
            for beat in range(total):
                model.corrupt(beat, kind)
                try:
                    found = accelerator.logits_int(frames)
                except runtime.FrameError:
                    pass
                except runtime.DeviceTimeoutError:
                    # The beat before the last is lost, and TLAST with it: nothing says that more will not come.
                    assert kind == 1 | 4 and beat + 1 in ends
                else:
                    # a lost beat cannot be the last: that would be a transfer cut, which case_truncated_transfer tries
                    assert kind & 4 and beat in ends, f"kind {kind} at beat {beat} went unnoticed"
                    assert np.array_equal(found, expected(frames))
                model.heal()
                assert np.array_equal(accelerator.logits_int(served), expected(served)), f"kind {kind} beat {beat}"


def case_corrupt_and_good_transfers_back_to_back(package: Path) -> None:
    """Batches in a stream up to the corrupted one are right, none after it come, and a new stream is served."""
    with opened(package) as accelerator:
        for bad in range(5):
            for kind, offset in ((1, 3), (1, 4 * BEATS - 1), (2, 0), (4, 7), (8, 11), (16, 13)):
                model_of(accelerator).corrupt(4 * BEATS * bad + offset, kind)
                found = []
                try:
                    for logits in accelerator.stream(images(4, seed) for seed in range(6)):
                        found.append(logits)
                except (runtime.FrameError, runtime.TransferError):
                    pass
                else:
                    raise AssertionError(f"kind {kind} in transfer {bad} went unnoticed")
                assert len(found) <= bad
                assert all(np.array_equal(f, expected(images(4, seed))) for seed, f in enumerate(found))
                model_of(accelerator).heal()
        serves(accelerator)


def case_corrupted_logits(package: Path) -> None:
    """TLAST too early or missing, logits lost on their way back: never wrong ones, and then service."""
    with opened(package) as accelerator:
        for beat in (0, 4, 5, 11, 18, 19, 20, 39):
            for mark in (1, 4, 5, 8, 9):
                model_of(accelerator).corrupt_logits(beat, mark)
                try:
                    accelerator.logits_int(images(12))
                except (runtime.TransferError, runtime.DeviceTimeoutError):
                    pass
                else:
                    raise AssertionError(f"mark {mark} at logit {beat} went unnoticed")
                model_of(accelerator).heal()
                serves(accelerator)


def case_logits_in_the_wrong_number(package: Path) -> None:
    """One twice and TLAST too early: as many bytes as were wanted, and a logit stays behind in the accelerator."""
    with opened(package) as accelerator:
        for count in (1, 4, 9):
            model_of(accelerator).corrupt_logits(CLASSES * count - 2, 1 | 8)
            raises(runtime.TransferError, "are not those of", lambda n=count: accelerator.logits_int(images(n)))
            serves(accelerator)
