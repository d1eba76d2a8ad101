"""Packages with the simulated device."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.emulators.device_stand_in import shared_stand_in


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return shared_stand_in(base if worker_id == "master" else base.parent)


@pytest.fixture
def package(shared: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time."""
    return Path(shutil.copytree(shared, tmp_path / "package"))
