"""Errors as tests want them: a full disk's, and what a user is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from bvit_hw.errors import BvitError


def refusal(call: Callable[[], object], error: type[BvitError]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def full(name: str | None = None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([] if name is None else [name]))
