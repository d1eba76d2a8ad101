"""Packages with the simulated device."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.emulators.device_stand_in import shared_stand_in


@pytest.fixture(scope="session")
def shared(run_folder: Path) -> Path:
    return shared_stand_in(run_folder)


@pytest.fixture
def package(shared: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time."""
    return Path(shutil.copytree(shared, tmp_path / "package"))
