"""Files written whole or not at all; and what disks refuse, said in one sentence: which folder, why, what instead.

A full disk is seldom told with a name: write(2) knows none, so whoever writes says where. Light to import.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bvit_hw.errors import OutputError

#: a folder or name that cannot be used, whatever is freed on the disk
UNUSABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
)
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: what programs print of a full disk
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File size limit exceeded", re.IGNORECASE)


def error_number(error: OSError) -> int | None:
    """``errno`` of an error; of shutil's, which holds a list of texts, that of the first one that says it."""
    if error.errno is None and isinstance(error, shutil.Error):
        found = re.search(r"\[Errno (\d+)\]", str(error))
        return int(found[1]) if found else None
    return error.errno


def reason(error: OSError) -> str:
    """The system's words for an error, without the path."""
    number = error_number(error)
    return os.strerror(number) if number else error.strerror or str(error)


def no_folder(error: OSError) -> str:
    """Why a folder could not be made, in words: mkdir calls a file in its place something that exists."""
    return "it is a file, no folder" if error.errno == errno.EEXIST else reason(error)


def says_full(output: str) -> bool:
    """Whether a program's output tells of a full disk."""
    return _FULL.search(output) is not None


def full_disk(output: str, *folders: Path) -> str:
    """What to add to the message of a program that failed with ``output``: free space of ``folders`` if it is that."""
    if not says_full(output):
        return ""
    free = []
    for folder in dict.fromkeys((*folders, Path(tempfile.gettempdir()))):
        try:
            free.append(f"{folder} has {shutil.disk_usage(folder).free / 1e6:.0f} MB free")
        except OSError:
            continue
    return f"\na disk is full: {', '.join(free)}; TMPDIR names another temporary folder"


@contextmanager
def disk_errors(folder: Path, advice: str) -> Iterator[None]:
    """Whatever the disk refuses below ``folder`` during the block, as OutputError that ends with ``advice``.

    A full disk has no name in its error and is taken for this folder's; other refusals must name a path in it.
    """
    try:
        yield
    except OSError as error:
        number = error_number(error)
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(folder)
        if number in NO_SPACE and (inside or error.filename is None):
            raise OutputError(f"{folder}: {reason(error)}; {advice}") from error
        if number in UNUSABLE and inside:
            raise OutputError(f"{folder}: cannot be used: {error.filename}: {reason(error)}; {advice}") from error
        raise


@contextmanager
def aside(path: Path, *, sync: bool = False, sole: bool = False, keep: Path | None = None) -> Iterator[Path]:
    """A name beside ``path`` to write the file under; it is renamed to ``path`` where the block ends without an error.

    So ``path`` is whole at every moment, and nothing is left beside it, unless the process is killed. ``sync``: it is
    whole after a power failure too. ``sole``: only one process at a time writes there, so what a killed one left is
    written over. ``keep`` is where the file that was there goes. Raises the system's OSError, and one of its kind where
    ``path`` is a device or pipe, which a file would replace.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EEXIST, "is a device or pipe", str(path))
    temporary = path.with_name(f".{path.name}.tmp" if sole else f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if keep is not None and path.exists():
            path.replace(keep)
        temporary.replace(path)
        if sync:
            _sync_names(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_aside(
    path: Path, content: str | bytes, *, sync: bool = False, sole: bool = False, keep: Path | None = None
) -> None:
    """Write ``content`` to ``path`` by :func:`aside`, text as UTF-8."""
    with aside(path, sync=sync, sole=sole, keep=keep) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _sync_names(folder: Path) -> None:
    """Make renames in ``folder`` last through a power failure, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A temporary folder for the block; OutputError, naming it and TMPDIR, where there is none or it is full."""
    try:
        holder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        where = os.environ.get("TMPDIR") or "/tmp"
        raise OutputError(
            f"{where}: no temporary folder can be made: {error.strerror or error}; TMPDIR names another one"
        ) from error
    with holder as name:
        folder = Path(name)
        with disk_errors(folder, "free some space there, or name another temporary folder by TMPDIR"):
            yield folder
