"""Paths that AMD's tools take, and where to run them for a build whose path is another.

Vivado, Vitis HLS and v++ take letters, digits and a few signs in paths, and nothing else (UG973, "Vivado Naming
Conventions"): no space, no quote, no bracket, no letter with an accent.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bvit_hw.errors import ToolError

#: a regular expression for Python, Tcl and bash; the generated scripts check their own folder with it
PLAIN = "^[A-Za-z0-9_~./@+-]*$"
TAKEN = "letters without accents, digits and _ ~ . - @ + only"


def is_plain(path: Path) -> bool:
    """Whether AMD's tools take ``path``, as the system calls it: links in it are followed."""
    return re.fullmatch(PLAIN.strip("^$"), str(path.resolve())) is not None


def vendor_base(target: Path) -> Path:
    """The folder in which AMD's tools can work for ``target``: its own, or a temporary one.

    Raises ToolError, naming the path and what is taken, where there is none.
    """
    if is_plain(target):
        return target.parent
    for name in (tempfile.gettempdir(), "/var/tmp", "/tmp"):
        if is_plain(Path(name)) and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    raise ToolError(
        f"{target}: AMD's tools take {TAKEN} in paths, and no temporary folder with such a path can be written; "
        "choose another --out, or name another temporary folder by TMPDIR"
    )


@contextmanager
def vendor_copy(source: Path, target: Path) -> Iterator[Path]:
    """A copy of the folder ``source`` to run AMD's tools in, which is ``target`` when the block has ended.

    Where something fails the copy stays, for the message names its log.
    """
    if is_plain(target):
        shutil.copytree(source, target)
        yield target
        return
    holder = Path(tempfile.mkdtemp(prefix="bvit-vendor-", dir=vendor_base(target)))
    shutil.copytree(source, holder / target.name)
    yield holder / target.name
    shutil.move(holder / target.name, target)
    holder.rmdir()


@contextmanager
def vendor_folder(folder: Path) -> Iterator[Path]:
    """``folder`` itself where AMD's tools take its path, else a copy whose files come back when the block has ended."""
    if is_plain(folder):
        yield folder
        return
    holder = Path(tempfile.mkdtemp(prefix="bvit-vendor-", dir=vendor_base(folder)))
    shutil.copytree(folder, holder / "work")
    yield holder / "work"
    shutil.copytree(holder / "work", folder, dirs_exist_ok=True)
    shutil.rmtree(holder)


def by_hand(package: Path, command: str, results: Sequence[str]) -> str:
    """One line for a shell that runs ``command`` in ``package``, or, if need be, in a copy, and brings the results.

    Empty where there is no command.
    """
    if not command:
        return ""
    quoted = shlex.quote(str(package))
    if is_plain(package):
        return f"cd {quoted} && {command}"
    back = " ".join(results)
    return f'cd "$(mktemp -d /tmp/bvit-vendor-XXXXXX)" && cp -r {quoted}/. . && {command} && cp {back} {quoted}'
