"""Tiles of an engine's memories: what the RTL is told to write is what is read back, of bits and of values.

That the RTL writes it, behind the right commands, is seen in tests/api/test_engine_simulation.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvit_hw.engine.compiled import Made
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.layout import Bits
from bvit_hw.engine.machine import Machine
from bvit_hw.errors import LoweringError
from bvit_hw.flows.observed_engine import ObservedEngine, _log
from tests.emulators.engine_stand_in import CONFIG, NETWORK, frozen

ENGINE = ObservedEngine(config=CONFIG, programme=Path("none"), model=Path("none"), device={})


def _writemem(path: Path, machine: Machine, made: Made) -> None:
    """What $writememh writes of a tile: words from its first to its last, the highest byte first."""
    if isinstance(made.place, Bits):
        words = np.packbits(machine.bits, axis=2, bitorder="little").reshape(len(machine.bits), -1)
        count = made.place.layout.slots * made.place.words
    else:
        words = np.ascontiguousarray(machine.values).view(np.uint8).reshape(len(machine.values), -1)
        count = made.place.words
    taken = words[made.place.base : made.place.base + count]
    path.write_text("// 0x0\n" + "".join(bytes(word[::-1]).hex() + "\n" for word in taken))


def test_tiles_are_told_and_read(tmp_path: Path) -> None:
    machine, rng = Machine(CONFIG, b""), np.random.default_rng(5)
    machine.bits[:] = rng.integers(0, 2, machine.bits.shape)
    machine.values[:] = rng.integers(0, 256, machine.values.shape)
    places = compile_network(frozen(NETWORK), CONFIG, fused=True).places
    assert {isinstance(made.place, Bits) for made in places} == {True, False}
    room = 4096, len(places) + 1
    files = ENGINE._files(places, room)
    at = [int(line, 16) for line in files["watch_at.hex"].split()]
    tiles = files["watch_tiles.hex"].split()
    assert len(at) == room[0] and len(tiles) == room[1] and tiles[-1] == "f" * 32
    for number, made in enumerate(places):
        command, is_bits, first, last = (int(tiles[number][8 * i : 8 * i + 8], 16) for i in range(4))
        assert (command, is_bits, first) == (made.behind - 1, isinstance(made.place, Bits), made.place.base)
        # From where its command points, the entries of it follow one another.
        start = at[command] - 1
        assert start <= number and all(places[n].behind == made.behind for n in range(start, number))
        path = tmp_path / f"tile_0_{number}.hex"
        _writemem(path, machine, made)
        assert last - first + 1 == len(path.read_text().splitlines()) - 1
    missing = len(places) // 2
    (tmp_path / f"tile_0_{missing}.hex").unlink()
    found = ENGINE._tiles(tmp_path, 0, places, range(len(places)))
    for number, (made, tile) in enumerate(zip(places, found, strict=True)):
        if number == missing:
            assert tile is None
            continue
        memory = machine.bits if isinstance(made.place, Bits) else machine.values.view(np.uint8)
        assert tile is not None and np.array_equal(tile, made.place.read(memory)), made.name
    assert not list(tmp_path.iterdir())


def test_a_short_tile_is_told(tmp_path: Path) -> None:
    made = compile_network(frozen(NETWORK), CONFIG, fused=True).places[0]
    (tmp_path / "t.hex").write_text("00\n")
    with pytest.raises(LoweringError, match=r"t\.hex has 1 words of "):
        ENGINE._tile(tmp_path / "t.hex", made)


def test_the_log_is_by_frame(tmp_path: Path) -> None:
    (tmp_path / "watch.log").write_text("frame 0 40\ncommand 0 0 45\ncommand 0 1 60\nframe 1 90\ncommand 1 0 95\n")
    assert _log(tmp_path / "watch.log") == ([40, 90], [{0: 45, 1: 60}, {0: 95}])
