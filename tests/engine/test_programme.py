"""A programme comes back from its file as it was; every other file is refused with its name and the reason."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.engine.commands import Command, Kind, Memory, View
from bvit_hw.engine.config import VERSION, EngineConfig
from bvit_hw.engine.machine import Machine
from bvit_hw.engine.programme import HEAD, Programme, load_programme, save_programme
from bvit_hw.errors import ProgrammeError

CONFIG = EngineConfig(tokens=3, rows=16)
DATA = np.random.default_rng(1).integers(0, 256, 48, dtype=np.uint8).tobytes()
COMMANDS = (
    Command(kind=Kind.LOAD, memory=Memory.VALUES, weights=View(7), words=2, slices=3, address=3 * 128),
    Command(kind=Kind.STORE, operand0=View(7), words=2, slices=3),
    Command(kind=Kind.END),
)
PROGRAMME = Programme(COMMANDS, DATA, 12, 48)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_programme(PROGRAMME, CONFIG, tmp_path / "network.prog")
    return tmp_path / "network.prog"


def test_facts_come_back_and_are_proven_whole(tmp_path: Path) -> None:
    path = tmp_path / "network.prog"
    told = replace(PROGRAMME, facts={"network": "Grüße", "picture": [8, 8, 3], "class_names": ["a", "b"]})
    save_programme(told, CONFIG, path)
    assert load_programme(path, CONFIG) == told
    whole = path.read_bytes()
    assert PROGRAMME.body in whole and not whole.endswith(DATA)
    path.write_bytes(whole[:-1])
    with pytest.raises(ProgrammeError, match=r"network\.prog: truncated or longer"):
        load_programme(path, CONFIG)
    path.write_bytes(whole.replace(b'"a"', b'"c"'))
    with pytest.raises(ProgrammeError, match=r"network\.prog: damaged"):
        load_programme(path, CONFIG)


def test_a_programme_comes_back_and_runs(file: Path) -> None:
    found = load_programme(file, CONFIG)
    assert found == PROGRAMME and [p.name for p in file.parent.iterdir()] == ["network.prog"]
    machine = Machine(CONFIG, found.body, output_size=found.output_bytes)
    for command in found.commands:
        machine.run(command)
    assert machine.output.tobytes() == DATA


@pytest.mark.parametrize("size", [9, HEAD - 1, HEAD, HEAD + 200, -1])
def test_a_truncated_file_is_refused(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ProgrammeError, match=r"network.prog: truncated"):
        load_programme(file, CONFIG)


@pytest.mark.parametrize("at", [16, 24, 40, HEAD - 1, HEAD, -1])
def test_a_changed_byte_is_refused(file: Path, at: int) -> None:
    """In the number of commands, of output, in the identity, the hash, the commands, the data."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(ProgrammeError, match=r"network.prog: damaged"):
        load_programme(file, CONFIG)


def test_a_file_of_another_version_or_engine_is_refused(file: Path) -> None:
    other = replace(CONFIG, channels=16)
    told = f"for the engine {CONFIG.identity[:12]}; this one is {other.identity[:12]}"
    with pytest.raises(ProgrammeError, match=told):
        load_programme(file, other)
    content = bytearray(file.read_bytes())
    content[8:12] = struct.pack("<I", 1)
    file.write_bytes(content)
    with pytest.raises(ProgrammeError, match=rf"commands of version 1; this engine's are of version {VERSION}$"):
        load_programme(file, CONFIG)


def test_no_file_and_no_programme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeError, match=r"none: cannot be read: No such file"):
        load_programme(tmp_path / "none", CONFIG)
    (tmp_path / "text").write_text("BVIT")
    with pytest.raises(ProgrammeError, match=r"text: no programme of an engine"):
        load_programme(tmp_path / "text", CONFIG)


def test_a_programme_without_an_end_is_ours_to_mend() -> None:
    with pytest.raises(ValueError, match="last command is END"):
        Programme(COMMANDS[:1], b"", 0, 0)
