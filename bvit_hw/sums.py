"""SHA256SUMS: what the files of a folder were when they were written, as `sha256sum -c` reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from bvit_hw.runtime.sums import SUMS


def sums(files: Mapping[str, Path]) -> str:
    """The text of SHA256SUMS for ``files`` by their names in it, as sha256sum writes and checks it."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in files.items())


def seal(folder: Path, files: Iterable[Path] | None = None) -> None:
    """Write ``folder``/SHA256SUMS over ``files``, or over all that is below the folder."""
    chosen = folder.rglob("*") if files is None else files
    named = {file.relative_to(folder).as_posix(): file for file in chosen if file.is_file()}
    named.pop(SUMS, None)
    (folder / SUMS).write_text(sums(dict(sorted(named.items()))))
