"""The RTL's package says what the commands say."""

from __future__ import annotations

from bvit_hw.engine.package import PATH, package_text
from bvit_hw.resources import data_path


def test_the_package_follows_from_the_commands() -> None:
    assert (data_path("rtl") / PATH).read_text() == package_text(), "python -m bvit_hw.engine.package"
