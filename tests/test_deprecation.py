"""What is deprecated warns, goes on working, and is gone when it was said to be."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import bvit_hw
from bvit_hw import api, deprecation
from bvit_hw.deprecation import BvitDeprecationWarning, Deprecation, deprecated, overdue, renamed_keyword, version


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[Deprecation]:
    found: list[Deprecation] = []
    monkeypatch.setattr(deprecation, "KNOWN", found)
    return found


def test_a_deprecated_function_warns_where_it_is_called_and_works(known: list[Deprecation]) -> None:
    @deprecated(since="0.3.0", until="0.5.0", instead="use fold")
    def squeeze(cycles: int, *, by: int = 2) -> int:
        """Half of it."""
        return cycles // by

    with pytest.warns(BvitDeprecationWarning, match=r"squeeze is deprecated since bvit-hw 0\.3\.0.* 0\.5\.0: use fold"):
        assert squeeze(12, by=3) == 4
    with pytest.warns(BvitDeprecationWarning) as caught:
        squeeze(2)
    assert caught[0].filename == __file__
    assert squeeze.__doc__ == "Half of it." and list(inspect.signature(squeeze).parameters) == ["cycles", "by"]
    assert [found.until for found in known] == ["0.5.0"]


def test_a_renamed_keyword_warns_and_is_handed_on(known: list[Deprecation]) -> None:
    @renamed_keyword("fps", "target_fps", since="0.3.0", until="1.0.0")
    def fold(*, target_fps: float) -> float:
        return target_fps

    with pytest.warns(BvitDeprecationWarning, match=r"fold\(fps=\.\.\.\).*say target_fps="):
        assert fold(fps=3.0) == 3.0
    assert fold(target_fps=4.0) == 4.0
    with pytest.raises(TypeError, match="fps and target_fps are the same"):
        fold(fps=1.0, target_fps=1.0)


@pytest.mark.parametrize(
    ("since", "until"),
    [("0.3.0", "0.3.1"), ("0.3.2", "0.3.0"), ("0.3.0", "0.2.0"), ("1.0.0", "1.1.3"), ("0.3", "1.0.0")],
)
def test_an_end_that_the_rule_does_not_allow_is_refused(since: str, until: str) -> None:
    with pytest.raises(ValueError, match=r"needed: "):
        Deprecation("x", since, until, "use y")


def test_what_is_overdue_is_told(known: list[Deprecation]) -> None:
    known += [Deprecation("a", "0.3.0", "0.4.0", "b"), Deprecation("c", "0.3.0", "1.0.0", "d")]
    assert [found.what for found in overdue("0.4.0")] == ["a"]
    assert not overdue("0.3.9") and len(overdue("1.0.0")) == 2


def test_nothing_stays_beyond_its_end() -> None:
    for module in pkgutil.iter_modules(api.__path__):
        importlib.import_module(f"bvit_hw.api.{module.name}")
    assert version(bvit_hw.__version__) > (0, 0, 0) and not overdue(bvit_hw.__version__)
