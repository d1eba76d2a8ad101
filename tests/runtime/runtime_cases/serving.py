"""Frames served: batches, streams, what images and models are refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .common import BEATS, expected, images, model_of, opened, raises, runtime, serves


def case_batches_of_every_size(package: Path) -> None:
    with opened(package) as accelerator:
        for count in (0, 1, 3, 4, 5, 8, 9, 30):
            frames = images(count, count)
            assert np.array_equal(accelerator.logits_int(frames), expected(frames)), count
        assert np.array_equal(accelerator.logits_int(images(1)[0]), expected(images(1)))
        logits = accelerator.logits(images(6))
        assert logits.dtype == np.float32 and np.array_equal(logits * 128, expected(images(6)))
        assert np.array_equal(accelerator.classify(images(6)), expected(images(6)).argmax(axis=1))


def case_stream_keeps_order_and_batches(package: Path) -> None:
    with opened(package) as accelerator:
        sizes = [3, 0, 9, 4, 4, 1, 0, 0, 17, 0]
        batches = [images(size, 7 + n) for n, size in enumerate(sizes)]
        found = list(accelerator.stream(iter(batches)))
        assert [len(f) for f in found] == sizes
        assert all(np.array_equal(f, expected(b)) for f, b in zip(found, batches, strict=True))
        assert accelerator.counters()["frames_in"] == sum(sizes)


def case_double_buffering_keeps_the_device_busy(package: Path) -> None:
    """Two transfers under way: while the second is sent, the first one's logits have not been read yet."""
    with opened(package, batch=128) as accelerator:
        frames = images(128 * 6)
        accelerator.clear_counters()
        before = accelerator.counters()["cycles"]
        assert np.array_equal(accelerator.logits_int(frames), expected(frames))
        cycles = accelerator.counters()["cycles"] - before
        # A frame is 12 beats; what lies between the transfers must stay below the transfers' own time.
        assert cycles < 1.5 * BEATS * len(frames), cycles


def case_endless_stream_closed_early(package: Path) -> None:
    def endless() -> Iterator[np.ndarray]:
        for seed in itertools.count():
            yield images(4, seed)

    with opened(package) as accelerator:
        stream = accelerator.stream(endless())
        for seed in range(5):
            assert np.array_equal(next(stream), expected(images(4, seed)))
        raises(runtime.DeviceError, "a stream is under way", lambda: accelerator.logits_int(images(1)))
        stream.close()
        serves(accelerator)


def case_source_of_images_fails(package: Path) -> None:
    def source() -> Iterator[np.ndarray]:
        yield images(8)
        yield images(8)
        raise KeyError("camera")

    with opened(package) as accelerator:
        raises(KeyError, "camera", lambda: list(accelerator.stream(source())))
        serves(accelerator)


def case_wrong_images(package: Path) -> None:
    with opened(package) as accelerator:
        for wrong in (images(2)[:, :2], images(2).astype(np.float32), images(2)[..., :1], images(2)[None], np.uint8(3)):
            raises(runtime.ImageError, "needed: uint8 N x 4 x 8 x 3", lambda w=wrong: accelerator.logits_int(w))
        raises(runtime.ImageError, "needed: uint8", lambda: list(accelerator.stream([images(9), images(1)[:, 1:]])))
        serves(accelerator)


def case_wrong_model(package: Path) -> None:
    info = package / "model.json"
    text = info.read_text()
    for old, new, words in (
        ('"0011', '"0111', "holds another model"),
        ('"height": 4', '"height": 8', "the bitstream takes 4 x 8 x 3"),
        ('"classes": 5', '"classes": 4', "gives 5 logits"),
        ('"logits_exponent": -7', '"logits_exponent": -6', "2^-7"),
        ('"interface_version": 2', '"interface_version": 1', "register map of version 2"),
    ):
        assert old in text
        other = package / "other.json"
        other.write_text(text.replace(old, new))
        raises(runtime.IdentityError, words, lambda o=other: opened(package, model=o))
        other.unlink()
    with opened(package) as accelerator:
        serves(accelerator)


def case_damaged_model_json(package: Path) -> None:
    other = package / "other.json"
    for text in ("{}", "nonsense", '{"model_hash": 1}'):
        other.write_text(text)
        raises(ValueError, "not a model.json", lambda: opened(package, model=other))
    other.unlink()


def case_wrong_batch(package: Path) -> None:
    for wrong in (0, -1, 65536):
        raises(ValueError, "allowed: 1..65535", lambda w=wrong: opened(package, batch=w))
    with opened(package, batch=1) as accelerator:
        serves(accelerator)


def case_slow_reader_of_a_stream(package: Path) -> None:
    """Whoever takes his time between batches loses nothing."""
    with opened(package) as accelerator:
        for n, found in enumerate(accelerator.stream(images(4, seed) for seed in range(4))):
            model_of(accelerator).run(100_000)
            time.sleep(0.01)
            assert np.array_equal(found, expected(images(4, n)))


def case_time_limits_are_numbers(package: Path) -> None:
    strange = (np.float32("nan"), np.complex64(1), np.timedelta64(3, "s"), np.True_, 10**400, [1.0])
    for wrong in (float("nan"), float("inf"), -1, 0, "3", True, *strange):
        raises(ValueError, "a finite number of seconds above 0", lambda wrong=wrong: opened(package, timeout=wrong))
    for wrong in (2.5, "4", True, 0, np.True_, np.timedelta64(4), np.int8(-4)):
        raises(ValueError, "allowed", lambda wrong=wrong: opened(package, batch=wrong))
    with opened(package) as accelerator:
        raises(ValueError, "a finite number", lambda: setattr(accelerator, "timeout", float("nan")))
        serves(accelerator)
    with opened(package, batch=np.uint8(200), timeout=np.float16(3)) as accelerator:  # 200 frames of bytes are no uint8
        assert accelerator.batch == 200 and accelerator.timeout == 3.0
        serves(accelerator, count=230)
