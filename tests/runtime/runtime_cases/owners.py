"""Who has the device: processes, threads, accelerators that are closed."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from .common import expected, images, opened, raises, runtime, serves


def case_two_processes(package: Path) -> None:
    """The second process is refused with the first one's number; when that is gone, even killed, the device is free."""
    program = "import sys, runtime_cases as c; a = c.opened(c.Path(sys.argv[1])); print('open', flush=True); input()"
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
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
