"""The drawings of the pages are what their script draws, and both themes show the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "drawings"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_is_drawn(draw: ModuleType) -> None:
    drawn = draw.drawings()
    assert {path.name for path in FOLDER.glob("*.svg")} == set(drawn)
    for name, text in drawn.items():
        assert (FOLDER / name).read_text() == text, f"{name}: run python docs/drawings/draw.py"


def test_both_themes_show_the_same_in_their_colours(draw: ModuleType) -> None:
    for name, light in draw.drawings().items():
        if name.endswith("-light.svg"):
            dark = draw.drawings()[name.replace("-light", "-dark")]
            assert light != dark and re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)


def test_shapes_and_texts_are_within_the_drawing(draw: ModuleType) -> None:
    """Texts by a width of 0.55 of their size a letter, about what DejaVu Sans takes."""
    for name, text in draw.drawings().items():
        root = ElementTree.fromstring(text)
        width, height = (float(root.get(side, "0")) for side in ("width", "height"))
        for shape in root.iter("{http://www.w3.org/2000/svg}rect"):
            x, y, w, h = (float(shape.get(field, "nan")) for field in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0 and x + w <= width and y + h <= height, name
        for shape in root.iter("{http://www.w3.org/2000/svg}text"):
            words, size = shape.text or "", float(shape.get("font-size", "0"))
            x, long = float(shape.get("x", "nan")), 0.55 * size * len(words)
            left = x - {"start": 0, "middle": long / 2, "end": long}[shape.get("text-anchor", "start")]
            assert left >= 0 and left + long <= width, f"{name}: {words}"


def test_every_page_shows_both_themes() -> None:
    pages = [(p, p.read_text()) for p in FOLDER.parent.rglob("*.md")]
    shown = {name for _, text in pages for name in re.findall(r"drawings/([\w-]+\.svg)", text)}
    assert shown == {path.name for path in FOLDER.glob("*.svg")}
