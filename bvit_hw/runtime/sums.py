"""SHA256SUMS read: whether the files of a folder are as they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from pathlib import Path

from .errors import PackageError

SUMS = "SHA256SUMS"
#: what people write into: notebooks keep their results when they are saved
USERS_OWN = (".ipynb", ".md")


def listed(folder: Path) -> dict[str, str]:
    """The digests of ``folder``/SHA256SUMS by file name; PackageError where it cannot be read, or lists nothing."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{folder / SUMS}: cannot be read ({error}); copy the package again") from error
    found = {line[66:]: line[:64] for line in lines if line}
    if not found or any(set(digest) - set("0123456789abcdef") or not name for name, digest in found.items()):
        raise PackageError(f"{folder / SUMS} is {'damaged' if found else 'empty'}; copy the package again")
    return found


def differences(folder: Path, names: AbstractSet[str] | None = None) -> list[str]:
    """What is wrong with the files that ``folder``/SHA256SUMS lists (those of ``names`` only): missing or changed.

    Of ``names`` one that is not listed is wrong too.
    """
    wanted = listed(folder)
    wrong = []
    for name, digest in wanted.items():
        if names is not None and name not in names:
            continue
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            wrong.append(f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}")
            continue
        if found != digest:
            wrong.append(f"{name} was changed")
    if names is not None:
        wrong += [f"{name} is not in {SUMS}" for name in sorted(names - wanted.keys())]
    return wrong
