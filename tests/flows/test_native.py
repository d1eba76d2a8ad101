"""Kernels in C++: compiled once, kept by what they are made of, and named where they cannot be."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.native import native_library

_FLAGS = ("-shared", "-fPIC")


def test_a_library_is_compiled_once_for_each_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVIT_HW_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "three.cpp"
    source.write_text('extern "C" int three() { return 3; }')
    first = native_library("three", source, _FLAGS)
    made = first.stat().st_mtime_ns
    assert ctypes.CDLL(str(first)).three() == 3
    assert native_library("three", source, _FLAGS) == first and first.stat().st_mtime_ns == made
    source.write_text('extern "C" int three() { return 4; }')
    other = native_library("three", source, _FLAGS)
    assert other != first and ctypes.CDLL(str(other)).three() == 4


def test_what_cannot_be_compiled_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVIT_HW_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "wrong.cpp"
    source.write_text("int three( {")
    with pytest.raises(ToolError, match=r"compile\.log"):
        native_library("wrong", source, _FLAGS)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"g\+\+"):
        native_library("wrong", source, _FLAGS)
