"""How a name of the Python interface goes away: it warns for at least one minor version before (docs/reference/api.md).

Versions are MAJOR.MINOR.PATCH. What is deprecated goes on working until the version that is named for its end; a test
holds that nothing stays beyond it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class BvitDeprecationWarning(FutureWarning):
    """Something of the interface will be gone; it is shown unless it is filtered out, for users are to see it."""


@dataclass(frozen=True)
class Deprecation:
    """``what`` is deprecated since version ``since`` and is gone in ``until``; ``instead`` says what to use."""

    what: str
    since: str
    until: str
    instead: str

    def __post_init__(self) -> None:
        before, end = version(self.since), version(self.until)
        if end[2] or end[:2] <= before[:2]:
            raise ValueError(
                f"{self.what}: deprecated since {self.since} and gone in {self.until}; needed: a later minor or major "
                "version for the end, with patch 0"
            )

    @property
    def text(self) -> str:
        """The warning."""
        return f"{self.what} is deprecated since bvit-hw {self.since} and will be gone in {self.until}: {self.instead}"


#: every deprecation of the modules that are imported
KNOWN: list[Deprecation] = []


def version(text: str) -> tuple[int, int, int]:
    """MAJOR.MINOR.PATCH as numbers; ValueError for anything else."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"version {text!r}; needed: MAJOR.MINOR.PATCH, such as 0.2.0")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch


def deprecated(*, since: str, until: str, instead: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that warns whenever it is called, and is otherwise as it was."""

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        found = _known(f"{function.__module__}.{function.__qualname__}", since, until, instead)

        @functools.wraps(function)
        def warned(*args: P.args, **kwargs: P.kwargs) -> R:
            warnings.warn(found.text, BvitDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warned

    return mark


def renamed_keyword(old: str, new: str, *, since: str, until: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A function whose keyword ``old`` is called ``new`` now: the old one warns; TypeError where both are given."""

    def mark(function: Callable[..., R]) -> Callable[..., R]:
        name = f"{function.__module__}.{function.__qualname__}"
        found = _known(f"{name}({old}=...)", since, until, f"say {new}=...")

        @functools.wraps(function)
        def warned(*args: Any, **kwargs: Any) -> R:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{name}: {old} and {new} are the same; give {new} alone")
                warnings.warn(found.text, BvitDeprecationWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return warned

    return mark


def overdue(current: str) -> list[Deprecation]:
    """What ought to be gone in version ``current``."""
    return [found for found in KNOWN if version(found.until) <= version(current)]


def _known(what: str, since: str, until: str, instead: str) -> Deprecation:
    found = Deprecation(what, since, until, instead)
    if found not in KNOWN:
        KNOWN.append(found)
    return found
