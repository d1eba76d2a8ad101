"""A missing Optuna or Plotly is told with the command that installs it."""

from __future__ import annotations

import sys

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.explore.extra import require_extra


@pytest.mark.parametrize("name", ["optuna", "plotly"])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    require_extra()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"needs {name}, .*pip install 'bvit-hw\[explore\]'"):
        require_extra()
