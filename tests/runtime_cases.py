"""What the driver must do on a simulated device, good days and bad ones: the same cases run with and without pynq.

Imports nothing of bvit_hw but the driver, so that a notebook's environment can run it as a programme:
``python runtime_cases.py PACKAGE`` runs every case and prints one line each.
"""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

try:
    import bvit_hw_runtime as runtime
except ImportError:
    from bvit_hw import runtime

SHAPE, CLASSES, BEATS = (4, 8, 3), 5, 12
FRAME_SHORT, FRAME_LONG, STALLED, PACKET_SHORT = 1, 2, 4, 8


def images(count: int, seed: int = 0) -> np.ndarray:
    """Random frames."""
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def expected(frames: np.ndarray) -> np.ndarray:
    """What the stand-in of sim/device_stand_in.sv makes of them, int32."""
    lanes = frames.reshape(len(frames), BEATS, 8)
    return lanes.sum(axis=1, dtype=np.int32)[:, :CLASSES] - np.int32(1000)


def opened(package: Path, **options: Any) -> Any:
    """The driver on the package's simulated device, four images a transfer."""
    return runtime.Accelerator(package / "sim", **{"batch": 4, "timeout": 0.0005, **options})


def model_of(accelerator: Any) -> Any:
    """The simulated model under the driver."""
    return accelerator._link.model


def serves(accelerator: Any, count: int = 9, seed: int = 99) -> None:
    """The next inference is right, and nothing is left of what was before."""
    frames = images(count, seed)
    assert np.array_equal(accelerator.logits_int(frames), expected(frames))
    counters = accelerator.counters()
    assert counters["flags"] & ~STALLED == 0 and counters["frames_dropped"] == 0
    assert counters["frames_in"] == counters["frames_out"]


def raises(kind: type[Exception], words: str, call: Callable[[], object]) -> Exception:
    """``call`` raises exactly ``kind``, and says ``words``."""
    try:
        call()
    except kind as error:
        assert type(error) is kind, repr(error)
        assert words in str(error), f"{words!r} is not in {error}"
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


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


def case_wrong_batch(package: Path) -> None:
    for wrong in (0, -1, 65536):
        raises(ValueError, "allowed: 1..65535", lambda w=wrong: opened(package, batch=w))
    with opened(package, batch=1) as accelerator:
        serves(accelerator)


def case_two_processes(package: Path) -> None:
    """The second process is refused with the first one's number; when that is gone, even killed, the device is free."""
    program = "import sys, runtime_cases as c; a = c.opened(c.Path(sys.argv[1])); print('open', flush=True); input()"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(package)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        raises(runtime.DeviceBusyError, f"process {other.pid}", lambda: opened(package))
    finally:
        other.kill()
        other.wait()
    with opened(package) as accelerator:
        serves(accelerator)


def case_second_opening_in_one_process(package: Path) -> None:
    """A notebook's cell that is run again takes the device over."""
    first = opened(package)
    with opened(package) as second:
        serves(second)
        raises(runtime.DeviceError, "closed", lambda: first.logits_int(images(1)))
        first.close()
        serves(second)


def case_slow_reader_of_a_stream(package: Path) -> None:
    """Whoever takes his time between batches loses nothing."""
    with opened(package) as accelerator:
        for n, found in enumerate(accelerator.stream(images(4, seed) for seed in range(4))):
            model_of(accelerator).run(100_000)
            time.sleep(0.01)
            assert np.array_equal(found, expected(images(4, n)))


def case_closing_ends_a_stream_in_an_error(package: Path) -> None:
    accelerator = opened(package)
    stream = accelerator.stream(itertools.repeat(images(4)))
    for _ in range(3):
        next(stream)
    freed: list[str] = []
    reset = accelerator._link.reset
    accelerator._link.reset = lambda: (freed.append(f"{len(accelerator._held.slots)} slots"), reset())
    accelerator.close()
    accelerator.close()
    assert freed == ["0 slots"], "the device is stopped once, and then its buffers are freed"
    raises(runtime.DeviceError, "was closed", lambda: next(stream))
    with opened(package) as again:
        serves(again)


def case_a_second_accelerator_ends_the_streams_of_the_first(package: Path) -> None:
    first = opened(package)
    stream = first.stream(itertools.repeat(images(4)))
    next(stream)
    with opened(package) as second:
        raises(runtime.DeviceError, "was closed", lambda: next(stream))
        for call in (first.counters, first.reset, first.clear_counters, first.power, lambda: first.now):
            raises(runtime.DeviceError, "was closed", call)
        raises(runtime.DeviceError, "was closed", lambda: first.logits_int(images(1)))
        serves(second)


def case_closing_from_another_thread(package: Path) -> None:
    accelerator = opened(package)
    seen: list[BaseException] = []

    def work() -> None:
        try:
            for _ in accelerator.stream(itertools.repeat(images(4))):
                pass
        except runtime.DeviceError as error:
            seen.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.2)
    accelerator.close()
    worker.join(20)
    assert not worker.is_alive() and "was closed" in str(seen[0])
    with opened(package) as again:
        serves(again)


def case_out_of_scope_is_closed(package: Path) -> None:
    def lose() -> None:
        accelerator = opened(package)
        stream = accelerator.stream(itertools.repeat(images(4)))
        next(stream)

    lose()
    gc.collect()
    with opened(package) as accelerator:
        serves(accelerator)


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


def case_a_forked_process_leaves_the_device_alone(package: Path) -> None:
    """It has copies of all that the parent has: using, closing or collecting them would reset the parent's device."""
    accelerator = opened(package)
    frames = images(4)
    stream = accelerator.stream(itertools.repeat(frames))
    next(stream)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            raises(runtime.DeviceError, f"was opened by process {os.getppid()}", lambda: next(stream))
            raises(runtime.DeviceError, "forked", lambda: accelerator.logits_int(frames))
            raises(runtime.DeviceError, "forked", accelerator.reset)
            raises(runtime.DeviceBusyError, f"process {os.getppid()}", lambda: opened(package))
            accelerator.close()
            os.write(ready[1], b"1")
            os.read(go[0], 1)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(ready[1])
    assert os.read(ready[0], 1) == b"1", "the child's own checks"
    for _ in range(3):
        assert np.array_equal(next(stream), expected(frames))
    accelerator.close()
    with opened(package) as again:  # although the child, which held all of its parent's files, still runs
        serves(again)
    os.write(go[1], b"1")
    assert os.waitpid(child, 0)[1] == 0
    for end in (ready[0], go[0], go[1]):
        os.close(end)



CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_") and inspect.isfunction(value)}


def main() -> int:
    """Run every case on the package named; exit code 1 if one fails."""
    package = Path(sys.argv[1])
    failed = 0
    for name, case in CASES.items():
        start = time.perf_counter()
        try:
            case(package)
            print(f"passed {name} {time.perf_counter() - start:.2f} s")
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
