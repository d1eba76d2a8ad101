"""Ctrl-C, SIGTERM and SIGHUP as interruptions that cannot get lost.

Python turns SIGINT into a KeyboardInterrupt wherever the main thread happens to be. Inside some extension modules that
exception is dropped and replaced by another one (safetensors reports an unreadable storage), or by nothing. The signal
is therefore also remembered: whatever follows it is an interruption, not an error of the step. SIGTERM and SIGHUP would
end Python at once, and leave the programs running that it has started.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Ctrl-C; batch systems, service managers and `timeout`; a terminal that is closed. With what Python has for each
_ENDING = {
    signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL
}  # fmt: skip

_noted = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Remember an ending signal during the block; an exception that follows one leaves the block as KeyboardInterrupt.

    Changes nothing outside the main thread, or for a signal that is ignored or handled by somebody else.
    """
    ours: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        ours = [number for number, handler in _ENDING.items() if signal.getsignal(number) is handler]
    if not ours:
        yield
        return

    def remember(number: int, frame: FrameType | None) -> None:
        _noted.set()
        signal.default_int_handler(number, frame)

    _noted.clear()
    for number in ours:
        signal.signal(number, remember)
    try:
        yield
        check()
    except Exception as error:
        if _noted.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number in ours:
            signal.signal(number, _ENDING[number])
        _noted.clear()


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that end a programme and come during the block take effect at its end.

    For what must not be cut in two: a program is started, and noted for whoever has to end it. Changes nothing outside
    the main thread, nor for signals that nobody handles.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
    try:
        for ending in _ENDING:
            handler = signal.getsignal(ending)
            if callable(handler):
                handlers[ending] = handler
                signal.signal(ending, lambda number, frame: came.append((number, frame)))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number, frame in came:
        handlers[number](number, frame)


def check() -> None:
    """Raise KeyboardInterrupt if a signal came earlier whose exception somebody dropped."""
    if _noted.is_set():
        raise KeyboardInterrupt
