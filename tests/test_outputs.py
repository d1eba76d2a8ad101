"""Files that commands write: never over what they read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bvit_hw.disk import write_aside


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    from bvit_hw.errors import OutputError
    from bvit_hw.outputs import writable_output

    net = tmp_path / "net.safetensors"
    net.write_bytes(b"weights")
    link = tmp_path / "link.safetensors"
    link.symlink_to(net)
    for out in (net, link):
        with pytest.raises(OutputError, match="an input is never replaced"):
            writable_output(out, net, None, overwrite=True)
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other")
    with pytest.raises(OutputError, match=r"is there already; choose another --out, or pass --overwrite"):
        writable_output(other, net, overwrite=False)
    with pytest.raises(OutputError, match="is a folder"):
        writable_output(tmp_path, net, overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/stdout"), Path("/dev/new")):
        with pytest.raises(OutputError, match="is a device or pipe; name a file"):
            writable_output(odd, net, overwrite=True)
    with pytest.raises(OSError, match="is a device or pipe"):  # which renaming would put a file in the place of
        write_aside(tmp_path / "pipe", "text")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    writable_output(other, net, overwrite=True)
    writable_output(tmp_path / "new", net, overwrite=False)
