"""Ctrl-C that cannot get lost.

Python turns SIGINT into a KeyboardInterrupt wherever the main thread happens to be. Inside some extension modules that
exception is dropped and replaced by another one (safetensors reports an unreadable storage), or by nothing. The signal
is therefore also remembered: whatever follows it is an interruption, not an error of the step.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_noted = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Remember a SIGINT during the block; an exception that follows one leaves the block as KeyboardInterrupt.

    Changes nothing outside the main thread, or where SIGINT is ignored or handled by somebody else.
    """
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:
        yield
        return

    def remember(number: int, frame: FrameType | None) -> None:
        _noted.set()
        signal.default_int_handler(number, frame)

    _noted.clear()
    signal.signal(signal.SIGINT, remember)
    try:
        yield
        check()
    except Exception as error:
        if _noted.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _noted.clear()


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that end a programme (SIGINT, SIGTERM, SIGHUP) and come during the block take effect at its end.

    For what must not be cut in two: a program is started, and noted for whoever has to end it. Changes nothing outside
    the main thread, nor for signals that nobody handles.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
    try:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
    """Raise KeyboardInterrupt if a SIGINT came earlier whose exception somebody dropped."""
    if _noted.is_set():
        raise KeyboardInterrupt
