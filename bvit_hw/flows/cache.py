"""The cache of compiled things: found by their contents wherever they lie, made once, whole or not at all.

It is $BVIT_HW_CACHE, or bvit-hw in the user's cache folder. One that can only be read serves what it holds; what it
lacks is then made in a folder of the user's own among the temporary ones. Programs and libraries are run out of it, and
their results believed: what no longer has the contents that it was made with is taken for missing, and made again.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bvit_hw.disk import NO_SPACE, UNUSABLE, disk_errors, reason, write_aside
from bvit_hw.errors import OutputError
from bvit_hw.runtime.errors import PackageError
from bvit_hw.runtime.sums import differences
from bvit_hw.sums import seal

#: what a path says that cannot become a cache
_NO_CACHE = UNUSABLE | {errno.ENOENT, errno.EEXIST}
_log = logging.getLogger(__name__)
_MOVE = "name another folder by the variable BVIT_HW_CACHE"
_SPACE = f"free some space there, or {_MOVE}"


def cache_folder() -> Path:
    """Where compiled things are kept: $BVIT_HW_CACHE, or bvit-hw in the user's cache folder.

    Raises OutputError for a user's home that is not known.
    """
    named = os.environ.get("BVIT_HW_CACHE")
    if named:
        try:
            return Path(named).expanduser().absolute()
        except RuntimeError as error:
            raise OutputError(f"BVIT_HW_CACHE={named}: {error}; name a folder") from error
    # The XDG specification has relative paths ignored.
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if not base.is_absolute():
        try:
            base = Path.home().absolute() / ".cache"
        except RuntimeError as error:  # neither $HOME nor an entry among the users
            second = _second_folder(create=True)
            if second is None:
                raise OutputError(f"cache: {error}; name a folder by the variable BVIT_HW_CACHE") from error
            return second
    return base / "bvit-hw"


def _second_folder(*, create: bool = False) -> Path | None:
    """The user's own folder among the temporary ones; None where it is not there, or is somebody else's."""
    try:
        folder = Path(tempfile.gettempdir()) / f"bvit-hw-cache-{os.getuid()}"
        if create:
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return None
    # Programs are run out of it: nobody else may be able to put one there.
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if own else None


@functools.cache
def _warn(folder: Path, why: str, instead: str) -> None:
    _log.warning("cache %s cannot be written: %s; %s; %s", folder, why, instead, _MOVE)


def digest_of(*parts: object) -> str:
    """A key made of JSON-ready parts (others by their text)."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the file stays, for removing it would let two in at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def publish(temporary: Path, final: Path) -> None:
    """Rename a whole folder into place; another process may have been first, with the same contents."""
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(temporary, ignore_errors=True)


def cached(kind: str, name: str, file: str, make: Callable[[Path], None], *, root: Path | None = None) -> Path:
    """``file`` of the cache's folder ``kind``/``name``; where it is not there whole, ``make`` fills a folder with it.

    ``make`` is given a folder beside the final one, which keeps its logs where it fails. Processes that want the same
    at once wait for the first. ``root`` is a cache other than the user's, without a second folder. Raises OutputError,
    naming the folder and the variable that moves it, where nothing can be written or the disk is full.
    """
    found = find_cached(kind, name, file, root=root)
    if found is not None:
        return found
    first = root or cache_folder()
    try:
        return _made(first, kind, name, file, make)
    except _CannotWrite as refused:
        second = None if root is not None else _second_folder(create=True)
        if second is None:
            raise OutputError(f"cache {first}: cannot be written: {refused}; {_MOVE}") from refused.__cause__
        _warn(first, str(refused), f"what it lacks is made in {second}")
    try:
        return _made(second, kind, name, file, make)
    except _CannotWrite as refused:
        raise OutputError(f"cache {second}: cannot be written: {refused}; {_MOVE}") from refused.__cause__


def find_cached(kind: str, name: str, file: str, *, root: Path | None = None) -> Path | None:
    """``file`` of the cache's folder ``kind``/``name``, None where it is not there whole."""
    for place in _places(root):
        with suppress(OSError):  # a folder on the way that may not be entered
            if _whole(place / kind / name, file):
                return place / kind / name / file
    return None


def _whole(folder: Path, file: str) -> bool:
    """Whether ``file`` is in a folder of the cache, and all that was made along with it as it was then."""
    if not (folder / file).is_file():
        return False
    try:
        wrong = differences(folder)
    except PackageError as error:
        wrong = [str(error)]
    if wrong:
        _log.debug("cache %s: %s; it is made again", folder, "; ".join(wrong))
    return not wrong


def any_cached(kind: str) -> bool:
    """Whether there is anything of ``kind`` in the cache, wherever that lies."""
    for place in _places(None):
        with suppress(OSError):  # there is none yet, or it may not be entered
            if any((place / kind).iterdir()):
                return True
    return False


def _places(root: Path | None) -> list[Path]:
    """Where to look."""
    if root is not None:
        return [root]
    second = _second_folder()
    return [cache_folder()] if second is None else [cache_folder(), second]


class _CannotWrite(Exception):
    """A cache that refuses to be written; the text is the system's reason."""


def _made(root: Path, kind: str, name: str, file: str, make: Callable[[Path], None]) -> Path:
    final = root / kind / name
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(root / "locks" / f"{kind}-{name}"))
            if _whole(final, file):
                return final / file
            if os.path.lexists(final):  # damaged, or made by a version that kept no sums
                _remove(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=final.parent))
        except OSError as error:
            if error.errno in NO_SPACE:
                raise OutputError(f"cache {root}: {reason(error)}; {_SPACE}") from error
            if error.errno in _NO_CACHE:
                raise _CannotWrite(reason(error)) from error
            raise
        try:
            with disk_errors(root, _SPACE):
                make(work)
                seal(work)
                publish(work, final)
        except OutputError:
            shutil.rmtree(work, ignore_errors=True)
            raise
        except BaseException:
            with suppress(OSError):
                work.rmdir()  # where it holds no log yet
            raise
        return final / file


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def recall(kind: str, name: str, *, root: Path | None = None) -> str | None:
    """The text that :func:`remember` kept, from whichever folder has it; None where it is not there whole."""
    for place in _places(root):
        with suppress(OSError, UnicodeDecodeError):
            text, _, digest = (place / kind / name).read_text("utf-8").removesuffix("\n").rpartition("\n")
            if digest == _sha256(text):
                return text
    return None


def remember(kind: str, name: str, text: str, *, root: Path | None = None) -> None:
    """Keep a small text, atomically, with its digest.

    Where nothing can be written it is only said: the text can be made again.
    """
    first = root or cache_folder()
    try:
        _write(first / kind / name, text)
    except OSError as error:
        second = None if root is not None else _second_folder(create=True)
        instead = "results are not kept" if second is None else f"results are kept in {second}"
        _warn(first, reason(error), instead)
        if second is not None:
            with suppress(OSError):
                _write(second / kind / name, text)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_aside(file, f"{text}\n{_sha256(text)}\n")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
