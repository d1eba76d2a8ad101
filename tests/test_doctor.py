"""`bvit-hw doctor` names tools, what they are for, and what to do where they are missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command import bvit


def test_doctor_names_every_tool_with_purpose_and_remedy(tmp_path: Path) -> None:
    done = bvit("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    for tool in ("verilator", "pyosys", "finn-plus", "vivado", "vitis hls", "xrt", "g++"):
        assert tool in done.stdout
    assert "not found" in done.stdout or "Vivado v" in done.stdout


def test_doctor_says_what_is_missing_to_the_letter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bvit_hw import cli, doctor

    tools = [
        doctor.Tool("compiler", "compiles [a] lot", "pip install 'bvit-hw[test]'", True, lambda: None),
        doctor.Tool("other", "is there", "", False, lambda: "1.0 [gcc]"),
    ]
    monkeypatch.setattr(doctor, "TOOLS", tuple(tools))
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor"])
    out = capsys.readouterr().out
    assert ended.value.code == 2
    assert "'bvit-hw[test]'" in out and "compiles [a] lot" in out and "1.0 [gcc]" in out


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\0\1", "Exec format error"), (b"#!/no/such/sh\n", "No such file"), (b"#!/bin/sh\necho torn >&2; exit 9\n",
      "exit code 9: torn")],
)  # fmt: skip
def test_a_program_that_does_not_run_is_not_found(
    content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("make", "git"):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = bvit("doctor", cwd=tmp_path)
    assert done.returncode == 2
    text = " ".join(done.stdout.split())
    assert done.stdout.count("does not run") == 2 and "missing, required" in text  # g++ is not there at all
    assert all(word in text for word in says.split())


@pytest.mark.parametrize("width", ["40", "80", "159"])
def test_on_a_narrow_terminal_every_text_keeps_its_line(
    width: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes rich take it for a terminal
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in bvit("doctor", cwd=tmp_path).stdout.splitlines()]
    assert "  how to get it: apt install g++  (Debian, Ubuntu)" in lines and "  found: missing, required" in lines
    assert "  for: FINN: the dataflow compiler our operators register with" in lines
