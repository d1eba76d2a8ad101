"""Ctrl-C, SIGTERM and SIGHUP as a wish to stop at the next whole step, where the state can be saved."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

#: Ctrl-C; batch systems, service managers and `timeout`; a terminal that is closed
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: seconds within which a second signal is the first one's echo: torchrun and `timeout` hand on what the whole process
#: group has been sent already
_ECHO = 2.0


class StopWish:
    """Set once a signal has come."""

    def __init__(self) -> None:
        self.wished = False


@contextmanager
def stop_on_signals() -> Iterator[StopWish]:
    """Turn the first of :data:`SIGNALS` in the block into a wish; a SIGINT later on interrupts at once.

    Changes nothing outside the main thread, or for a signal that is ignored.
    """
    wish = StopWish()
    before: dict[int, object] = {}
    first = 0.0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if wish.wished:
            if number != signal.SIGINT or time.monotonic() - first < _ECHO:
                return
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        wish.wished, first = True, time.monotonic()
        log.warning("stopping after this step, its state will be saved; Ctrl-C again, in 2 seconds, stops at once")

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is not signal.SIG_IGN and handler is not None:
                before[number] = signal.signal(number, note)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
