"""The exact versions of constraints.txt can be installed with every Python that pyproject.toml admits."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PINS = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", (ROOT / "constraints.txt").read_text(), re.M))


def oldest() -> str:
    """The first Python that is admitted: 3.11 is 3.11.0, and Debian 12 has 3.11.2."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (version,) = re.findall(r"^>=(\d+\.\d+)$", wanted)
    return f"{version}.0"


def refusing(python: str) -> tuple[dict[str, str], int]:
    """Pins whose own metadata refuse that Python, and how many of the pins are installed and were looked at."""
    refused, seen = {}, 0
    for name, version in PINS.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform, or not wanted here
        if found.version != version:
            continue
        seen += 1
        wanted = found.metadata.get("Requires-Python")
        if wanted and not SpecifierSet(wanted).contains(python):
            refused[f"{name}=={version}"] = wanted
    return refused, seen


def test_pins_admit_the_oldest_python() -> None:
    refused, seen = refusing(oldest())
    assert refused == {} and seen > len(PINS) * 0.8


def test_a_pin_that_does_not_is_noticed() -> None:
    assert "torch==2.12.1" in refusing("3.6.0")[0]
