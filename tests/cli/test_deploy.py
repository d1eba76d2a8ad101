"""`bvit-hw deploy` to an sshd on the loopback interface, and the release archive."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.errors import OutputError, ToolError
from bvit_hw.flows.ssh import Deployed, deploy
from bvit_hw.pipeline.board_package import SUMS, release_files, sums, write_board_files, write_release
from tests.command import bvit, refused
from tests.emulators.device_stand_in import INFO, images, logits


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build's folder as far as deploying goes."""
    package = tmp_path / "build" / "package"
    (package / "ip").mkdir(parents=True)
    (package / "ip" / "top.sv").write_text("not for the board")
    frozen = tmp_path / "frozen.safetensors"
    frozen.write_bytes(b"\0" * 5000)
    frames = images(4)
    write_board_files(
        package,
        info=INFO,
        title="TUL PYNQ-Z2",
        frozen=frozen,
        images=frames,
        labels=np.zeros(4, np.int64),
        logits=logits(frames),
    )
    return tmp_path / "build"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The ssh command with options that reach a daemon of our own on 127.0.0.1."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("no sshd here (apt install openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    keys = folder / "authorized_keys"
    shutil.copyfile(folder / "user.pub", keys)
    keys.chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {keys}\n"
        f"PidFile {folder / 'pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where a daemon of root's drops its privileges to
    daemon = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.PIPE)
    options = ["-F", "none", "-p", str(port), "-i", str(folder / "user"), "-o", "StrictHostKeyChecking=no"]
    options += ["-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert daemon.poll() is None, daemon.stderr.read() if daemon.stderr else ""
            time.sleep(0.05)
        yield ["ssh", *options]
    finally:
        daemon.terminate()
        daemon.wait()


HOST = f"{getpass.getuser()}@127.0.0.1"


def copied(ssh: list[str], build: Path, path: Path) -> Deployed:
    files = release_files(build)
    return deploy(HOST, files, sums(files), path=str(path), ssh=ssh, timeout=60)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_deploy_copies_what_the_board_needs(sshd: list[str], build: Path, tmp_path: Path) -> None:
    target = tmp_path / "the board's" / "jupyter notebooks" / "bvit"
    done = copied(sshd, build, target)
    assert done.path == str(target) and target.is_symlink()
    found = tree(target)
    assert found == {name: file.read_bytes() for name, file in release_files(build).items()} | {
        SUMS: (build / "package" / SUMS).read_bytes()
    }
    assert done.files == len(found) and "bvit_hw_runtime/driver.py" in found and "first_inference.ipynb" in found
    assert not any(name.startswith(("ip/", "sim/")) for name in found)
    subprocess.run(["sha256sum", "-c", "--quiet", SUMS], cwd=target, check=True)


def test_deploying_again_replaces_all_at_once_and_keeps_the_last(sshd: list[str], build: Path, tmp_path: Path) -> None:
    target = tmp_path / "board" / "bvit"
    copied(sshd, build, target)
    first = target.resolve()
    (target / "notes.txt").write_text("the user's own")
    (build / "bitstream").mkdir()
    (build / "bitstream" / "bvit_hw.bit").write_bytes(b"\1" * 100)
    copied(sshd, build, target)
    second = target.resolve()
    assert second != first and (target / "bvit_hw.bit").read_bytes() == b"\1" * 100
    assert (first / "notes.txt").is_file()
    copied(sshd, build, target)
    assert not first.exists() and second.exists()
    assert len(list((tmp_path / "board" / "bvit.releases").iterdir())) == 2


def test_what_fails_leaves_the_board_as_it_was(sshd: list[str], build: Path, tmp_path: Path) -> None:
    target = tmp_path / "board" / "bvit"
    copied(sshd, build, target)
    before, release = tree(target), target.resolve()
    files = release_files(build)
    wrong = sums(files).replace(sums(files)[:4], "0000", 1)
    with pytest.raises(ToolError, match="does not match its hashes; nothing was changed"):
        deploy(HOST, files, wrong, path=str(target), ssh=sshd, timeout=60)
    assert tree(target) == before and target.resolve() == release
    assert list((tmp_path / "board" / "bvit.releases").iterdir()) == [release]
    foreign = tmp_path / "board" / "mine"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("...")
    with pytest.raises(ToolError, match="is there and is not a link that deploy made"):
        copied(sshd, build, foreign)
    assert tree(foreign) == {"thesis.tex": b"..."}
    with pytest.raises(ToolError, match="exit code"):
        copied([*sshd, "-o", "User=nobody-of-that-name"], build, target)
    with pytest.raises(ToolError, match="begins with a hyphen"):
        deploy("-oProxyCommand=touch x", files, "", ssh=sshd)
    with pytest.raises(ToolError, match="apt install openssh-client"):
        deploy(HOST, files, "", ssh=["no-ssh-here"])


def test_the_command(sshd: list[str], build: Path, tmp_path: Path) -> None:
    target = tmp_path / "board" / "bvit"
    done = bvit("deploy", "--host", HOST, "--path", target, "--build", build, "--ssh", " ".join(sshd), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"at {HOST}:{target}" in done.stdout and "selftest" in done.stdout
    assert "no bitstream among them" in done.stderr
    refused(bvit("deploy", "--host", HOST, "--build", tmp_path, cwd=tmp_path), "holds no finished build")


def test_release_archive(build: Path, tmp_path: Path) -> None:
    archive = write_release(build, "pynq-z2")
    assert archive == build / "bvit_hw-pynq-z2.zip"
    first = archive.read_bytes()
    for file in (build / "package").rglob("*"):
        os.utime(file, (1, 1))
    assert write_release(build, "pynq-z2").read_bytes() == first
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "out")
    unpacked = tmp_path / "out" / "bvit_hw-pynq-z2"
    assert set(tree(unpacked)) == {*release_files(build), SUMS}
    subprocess.run(["sha256sum", "-c", "--quiet", SUMS], cwd=unpacked, check=True)
    (build / "bitstream").mkdir()
    for name in ("bvit_hw.bit", "bvit_hw.hwh"):
        (build / "bitstream" / name).write_bytes(name.encode())
    write_release(build, "pynq-z2")
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("bvit_hw-pynq-z2/bvit_hw.bit") == b"bvit_hw.bit"
        assert b"bvit_hw.hwh" in opened.read(f"bvit_hw-pynq-z2/{SUMS}")
    with pytest.raises(OutputError, match="no finished build"):
        write_release(tmp_path, "pynq-z2")


def test_a_damaged_package_is_not_sealed_anew(build: Path) -> None:
    """What is copied gets sums of its own: they must not call a damaged file whole."""
    frozen = build / "package" / "frozen.safetensors"
    frozen.write_bytes(b"\1" + frozen.read_bytes()[1:])
    with pytest.raises(OutputError, match=r"frozen\.safetensors was changed; remove that folder and run bvit-hw build"):
        release_files(build)
    frozen.write_bytes(b"\0" * 5000)
    (build / "package" / "mine.ipynb").write_text("{}")  # a notebook of the user's own goes with the rest
    assert "mine.ipynb" in release_files(build)
    (build / "package" / "bvit_hw_runtime" / "more.py").write_text("")
    with pytest.raises(OutputError, match=r"bvit_hw_runtime/more\.py is not in SHA256SUMS"):
        release_files(build)


@pytest.mark.parametrize(
    ("ssh", "says"),
    [
        ("ssh 'x", "--ssh ssh 'x: No closing quotation; allowed: a program with options"),
        ("true", "true to pynq: does not say where the copy lies; it answered ''"),
        ("echo no:", "does not say where the copy lies; it answered 'no: pynq"),
        ("{}/torn", "torn cannot be run: Exec format error"),
        ("{}", "cannot be run: Permission denied"),
        ("{}/none", "was not found. To get it: apt install openssh-client"),
    ],
)
def test_programs_that_are_no_ssh(build: Path, tmp_path: Path, ssh: str, says: str) -> None:
    (tmp_path / "torn").write_bytes(b"\0\1")
    (tmp_path / "torn").chmod(0o755)
    done = bvit("deploy", "--host", "pynq", "--build", build, "--ssh", ssh.format(tmp_path), cwd=tmp_path)
    refused(done, says)
