"""Copies a release to a board over ssh: checked by its hashes there, then put in place by one rename."""

from __future__ import annotations

import io
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import cannot_run

#: exit codes of the script below
_FOREIGN, _DAMAGED = 41, 42

# The release goes into a folder of its own beside PATH, which is a symbolic link: rename(2) of the new link over the
# old one is the one moment of change. The folder that the link pointed to before is kept, older ones are removed.
_SCRIPT = r"""
set -eu
path=$1 fallback=$2
if [ -z "$path" ]; then
    if [ -d "$HOME/jupyter_notebooks" ]; then path=$HOME/jupyter_notebooks/$fallback; else path=$HOME/$fallback; fi
fi
case $path in /*) ;; *) path=$HOME/$path ;; esac
if [ -e "$path" ] && [ ! -L "$path" ]; then echo "$path"; exit 41; fi
releases=$path.releases
mkdir -p "$releases"
new=$(mktemp -d "$releases/XXXXXXXX")
trap 'rm -rf "$new" "$new.link"' EXIT
tar -x -f - -C "$new"
(cd "$new" && sha256sum -c --quiet SHA256SUMS) || exit 42
chmod -R a+rX "$new"
before=
if [ -L "$path" ]; then before=$(readlink "$path"); fi
ln -s "$new" "$new.link"
mv -T "$new.link" "$path"
trap - EXIT
for release in "$releases"/*; do
    if [ "$release" != "$new" ] && [ "$release" != "$before" ]; then rm -rf "$release"; fi
done
sync
echo "$path"
"""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What was copied where: ``path`` on the board, ``bytes`` before any compression."""

    host: str
    path: str
    files: int
    bytes: int


def _tar(contents: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(contents.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def deploy(
    host: str,
    files: Mapping[str, Path],
    sums: str,
    *,
    path: str = "",
    fallback: str = "bvit_hw",
    ssh: Sequence[str] = ("ssh",),
    timeout: float | None = None,
) -> Deployed:
    """Copy ``files`` and SHA256SUMS (text ``sums``) to ``path`` on ``host`` (user@board).

    An empty ``path`` means ``fallback`` in the user's jupyter_notebooks, or home. ``ssh`` is the program with its
    options. Raises ToolError when ssh is missing or fails, the copy does not match its hashes, or something that is not
    ours lies at ``path``; the board is left as it was then.
    """
    contents = {name: file.read_bytes() for name, file in files.items()} | {"SHA256SUMS": sums.encode()}
    remote = f"sh -c {shlex.quote(_SCRIPT)} deploy {shlex.quote(path)} {shlex.quote(fallback)}"
    if host.startswith("-"):
        raise ToolError(f"ssh: host {host!r} begins with a hyphen; needed: user@board")
    argv = [*ssh, host, remote]
    try:
        # No session of its own, unlike other tools: ssh may have to ask for a password at the terminal.
        done = subprocess.run(argv, input=_tar(contents), capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ToolError(f"ssh: program {ssh[0]!r} was not found. To get it: apt install openssh-client") from error
    except OSError as error:
        raise cannot_run("ssh", ssh[0], error) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"ssh: {host} did not finish within {timeout:g} s") from error
    words = done.stderr.decode(errors="replace").strip()
    answer = done.stdout.decode(errors="replace").strip()
    if done.returncode == _FOREIGN:
        raise ToolError(
            f"{host}:{answer} is there and is not a link that deploy made; move it away or give another --path"
        )
    if done.returncode == _DAMAGED:
        raise ToolError(f"{host}: the copy does not match its hashes; nothing was changed there. {answer} {words}")
    if done.returncode != 0:
        raise ToolError(f"ssh to {host}: exit code {done.returncode}: {words or 'no message'}")
    if not answer.rpartition("\n")[2].startswith("/"):
        raise ToolError(f"{shlex.join(ssh)} to {host}: does not say where the copy lies; it answered {answer!r}")
    return Deployed(
        host=host, path=answer.splitlines()[-1], files=len(contents), bytes=sum(len(c) for c in contents.values())
    )
