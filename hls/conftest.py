"""The marker that every test of this folder has, so that `-m "not hls"` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder ``hls``."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.hls)
