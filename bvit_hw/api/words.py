"""What functions of the interface tell their caller while they work: lines of text, and progress."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bvit_hw.errors import ConfigError

if TYPE_CHECKING:
    from bvit_hw.pipeline.progress import Progress

#: takes a line of text that is meant for whoever waits
Say = Callable[[str], None]
_log = logging.getLogger("bvit_hw")


def log_it(text: str) -> None:
    """The :data:`Say` of who gives none: the log `bvit_hw`, as information."""
    _log.info("%s", text)


def require(given: object, kinds: tuple[type, ...], allowed: str) -> None:
    """ConfigError where ``given`` is none of ``kinds``, saying in words what is ``allowed``."""
    if not isinstance(given, kinds):
        raise ConfigError(f"{allowed}; given: {type(given).__name__}")


def progress_of(shown: bool) -> Progress:
    """Progress on stderr as the commands show it, or none."""
    from bvit_hw.pipeline.progress import Progress

    return Progress(quiet=not shown)
