"""Transfers and devices that fail: said, and got over."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .common import expected, images, model_of, opened, raises, runtime, serves


def case_dma_stops_sending(package: Path) -> None:
    with opened(package) as accelerator:
        for beat in (0, 1, 12, 47, 48, 60):
            model_of(accelerator).inject("halt_send", beat)
            raises(runtime.DeviceTimeoutError, "no end after", lambda: accelerator.logits_int(images(12)))
            serves(accelerator)


def case_dma_stops_receiving(package: Path) -> None:
    with opened(package) as accelerator:
        for beat in (0, 3, 19, 20, 33):
            model_of(accelerator).inject("halt_receive", beat)
            raises(runtime.DeviceTimeoutError, "no end after", lambda: accelerator.logits_int(images(12)))
            serves(accelerator)


def case_truncated_transfer(package: Path) -> None:
    """A transfer that ends early with TLAST, in mid-frame and between frames."""
    with opened(package) as accelerator:
        for beat in (0, 5, 11, 12, 23, 30, 46, 50):
            model_of(accelerator).inject("truncate", beat)
            try:
                accelerator.logits_int(images(12))
            except (runtime.TransferError, runtime.FrameError) as error:
                assert "cut" in str(error) or "short" in str(error) or "ended before" in str(error), error
            else:
                raise AssertionError(f"truncation after beat {beat} went unnoticed")
            serves(accelerator)


def case_memory_error(package: Path) -> None:
    with opened(package) as accelerator:
        for beat in (0, 7, 48):
            model_of(accelerator).inject("send_error", beat)
            raises(runtime.TransferError, "slave error", lambda: accelerator.logits_int(images(12)))
            serves(accelerator)


def case_reset_in_mid_batch(package: Path) -> None:
    with opened(package) as accelerator:
        for cycle in (70, 100, 150, 260, 300):
            model_of(accelerator).inject("reset", cycle)
            raises(runtime.DeviceResetError, "reset in the middle", lambda: accelerator.logits_int(images(40)))
            serves(accelerator)


def case_soft_reset_by_somebody_else(package: Path) -> None:
    """By the register, before each of the driver's own register accesses in turn: never a wrong logit."""
    fired = 0
    with opened(package) as accelerator:
        model = model_of(accelerator)
        control, plain = model.description["registers_base"] + runtime.registers.CONTROL, type(model).read
        left = [0]

        def read(address: int) -> int:
            left[0] -= 1
            if left[0] == 0:
                model.write(control, 1)
            return int(plain(model, address))

        model.read = read
        for count in range(1, 90):
            left[0], found = count, []
            try:
                for logits in accelerator.stream(images(size, size) for size in (4, 4, 1, 1, 4)):
                    found.append(logits)
            except runtime.DeviceResetError:
                fired += 1
            assert all(np.array_equal(f, expected(images(len(f), len(f)))) for f in found), count
            left[0] = 0
            serves(accelerator)
    assert fired > 20


def case_reset_by_the_caller_in_mid_stream(package: Path) -> None:
    with opened(package) as accelerator:
        stream = accelerator.stream(images(4, seed) for seed in range(5))
        next(stream)
        accelerator.reset()
        raises(runtime.DeviceResetError, "in the middle of a batch, by reset()", lambda: next(stream))
        serves(accelerator)


def case_counters_cleared_in_mid_stream(package: Path) -> None:
    with opened(package) as accelerator:
        for seed, found in enumerate(accelerator.stream(images(4, seed) for seed in range(5))):
            accelerator.clear_counters()
            assert np.array_equal(found, expected(images(4, seed)))
        serves(accelerator)


def case_many_faults_leave_no_buffers(package: Path) -> None:
    accelerator = opened(package)
    model = model_of(accelerator)
    held = len(model._memory)
    for _ in range(5):
        model.inject("halt_send", 3)
        raises(runtime.DeviceTimeoutError, "no end", lambda: accelerator.logits_int(images(12)))
    assert len(model._memory) == held > 0
    accelerator.close()
    accelerator.close()
    assert not model._memory
    raises(runtime.DeviceError, "closed", lambda: accelerator.logits_int(images(1)))
