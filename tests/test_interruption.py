"""A Ctrl-C whose exception a library swallows or replaces is still an interruption."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from bvit_hw import interruption
from bvit_hw.interruption import interruptible


@pytest.fixture(autouse=True)
def _default_handler() -> Iterator[None]:
    """Whoever started the tests may have SIGINT ignored; children of a background shell inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_exception_put_in_its_place_is_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        try:
            press_ctrl_c()
        except KeyboardInterrupt:
            raise ValueError("could not determine the shape") from None
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_exception_dropped_is_noticed_at_the_next_check() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interruptible():
        with contextlib.suppress(KeyboardInterrupt):
            press_ctrl_c()
        reached.append("step goes on")
        interruption.check()
        reached.append("next step")
    assert reached == ["step goes on"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ways_to_end_a_programme_are_interruptions(number: signal.Signals) -> None:
    """Even where Ctrl-C is ignored, as in the background of a shell."""
    before = signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), interruptible():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_other_exceptions_stay_what_they_are_and_the_handler_is_given_back() -> None:
    with pytest.raises(ValueError, match="unrelated"), interruptible():
        raise ValueError("unrelated")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interruption.check()


def test_a_handler_of_somebody_else_is_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        press_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_what_is_held_back_comes_at_the_end() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interruption.held_back():
        press_ctrl_c()
        reached.append("to the end")
    assert reached == ["to the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_held_back_gives_way_to_an_error() -> None:
    """The error ends the block as well, and says more."""
    with pytest.raises(ValueError, match="said"), interruption.held_back():
        raise ValueError("said")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_is_held_back_that_is_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption.held_back():
        press_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
