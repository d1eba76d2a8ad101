"""The interface's names and signatures are those of surface.txt: a change to them is meant, and said.

`python -m tests.api.test_api_surface` writes the file anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bvit_hw import api

SURFACE = Path(__file__).with_name("surface.txt")


def surface() -> str:
    """Every public name: functions with their signatures, classes with their fields and public members."""
    lines = []
    for name in sorted(api.__all__):
        thing = getattr(api, name)
        if inspect.isfunction(thing):
            lines.append(f"{name}{inspect.signature(thing)}")
            continue
        lines.append(f"class {name}")
        fields = [
            f"{f.name}: {f.type}"
            for f in (dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ())
            if not f.name.startswith("_")
        ]
        members = [
            f"{key}{inspect.signature(value)}" if inspect.isfunction(value) else key
            for key, value in vars(thing).items()
            if not key.startswith("_") and not any(key == field.split(":")[0] for field in fields)
            and (inspect.isfunction(value) or hasattr(value, "__get__"))
        ]  # fmt: skip
        if thing is not api.Report:  # its fields are those of report.json, which grows
            lines += [f"    {line}" for line in (*fields, *sorted(members))]
    return re.sub(r"<function (\w+) at 0x\w+>", r"\1", "\n".join(lines)) + "\n"


def test_the_surface_is_the_one_that_was_written_down() -> None:
    assert surface() == SURFACE.read_text(), (
        "the interface changed: deprecate what goes (docs/reference/api.md), then python -m tests.api.test_api_surface"
    )
    assert len(api.__all__) > 25 and "fold(lowered: 'Lowered', *, target_fps: 'float | None'" in surface()


@pytest.mark.parametrize("name", api.__all__)
def test_every_name_is_there_documented_and_in_the_page(name: str) -> None:
    thing = getattr(api, name)
    assert inspect.getdoc(thing), name
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md").read_text()
    kind = "autofunction" if inspect.isfunction(thing) else "autoclass"
    assert f".. {kind}:: bvit_hw.api.{name}\n" in page


def test_functions_take_options_by_keyword_alone() -> None:
    for name in api.__all__:
        thing = getattr(api, name)
        if inspect.isfunction(thing):
            kinds = [p.kind for p in inspect.signature(thing).parameters.values()]
            assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 2, name


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sintesize'"):
        _ = api.sintesize
    assert set(api.__all__) <= set(dir(api))


def test_importing_it_does_without_pytorch_and_click() -> None:
    code = "import sys; from bvit_hw import api; api.build; api.load; print({'torch', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


if __name__ == "__main__":
    SURFACE.write_text(surface())
