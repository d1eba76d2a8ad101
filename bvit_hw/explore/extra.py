"""What a search needs beyond the rest of the package; told in a sentence where it is missing."""

from __future__ import annotations

from importlib import import_module

from bvit_hw.errors import ConfigError

_NEEDED = ("optuna", "plotly")


def require_extra() -> None:
    """Raise :class:`ConfigError`, with the command that installs it, where Optuna or Plotly is missing."""
    for name in _NEEDED:
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(
                f"a search needs {name}, which is not installed: pip install 'bvit-hw[explore]'"
            ) from error
