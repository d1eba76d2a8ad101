"""Where rtl/, hls/, boards/ and other data folders lie: in a source checkout or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.errors import OutputError

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Absolute path of the data folder ``name`` ("rtl", "hls", "boards", "sim").

    In a source checkout it lies beside the package, in an installed one under ``bvit_hw/_data/``.
    Raises OutputError when neither is there, which means a damaged installation.
    """
    candidates = [_PACKAGE / "_data" / name]
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        candidates.insert(0, _PACKAGE.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise OutputError(
        f"data folder {name!r} is missing; looked in {', '.join(str(c) for c in candidates)}; install bvit-hw again"
    )
