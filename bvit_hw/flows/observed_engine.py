"""Simulates a single engine and looks into it: every tile of every tensor that lies in its memories, or waveforms.

The engine may be a build's own: then its files are simulated as they lie there, and what was changed in them shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bvit_hw.codegen.stitch import TEMPLATES
from bvit_hw.disk import scratch
from bvit_hw.engine.compiled import Made
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Bits
from bvit_hw.errors import DeviceFailure, LoweringError, ToolError
from bvit_hw.flows.device_model import Watched, build_engine_device
from bvit_hw.flows.observed_sim import ENDLESS, FORMATS, Trace, explain, keep
from bvit_hw.ops.base import IntArray
from bvit_hw.runtime.engine import Engine
from bvit_hw.runtime.errors import DeviceError, DeviceTimeoutError
from bvit_hw.runtime.sim_direct import open_engine_direct

#: commands and tiles that there is room for are a multiple of these, so that one model serves several programmes
_ROOM = 1 << 12
_OCTETS = 8

#: takes a frame's number and its tiles (tokens x channels), in the order of the places; None for one that never came
Tiles = Callable[[int, list[IntArray | None]], None]


@dataclass(frozen=True)
class EngineRun:
    """What was seen. Cycles count from when the device was made; ``stuck`` says in words why a frame did not end.

    ``commands`` are the cycles in which the commands of each frame ended, by their numbers.
    """

    logits: IntArray
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    stuck: str
    commands: Sequence[dict[int, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ObservedEngine:
    """The engine ``config`` with a build's ``programme`` and model.json (``model``).

    ``own`` is the folder of the build's RTL (None: the library's). ``device`` are arguments of
    :func:`bvit_hw.flows.device_model.build_engine_device`: top, clock_mhz, vlnv, primitives. ``hesitates`` are DRAM's
    latency in cycles, and in how many of 16 its channels hesitate (None: as the model of cycles has it).
    """

    config: EngineConfig
    programme: Path
    model: Path
    device: dict[str, Any]
    own: Path | None = None
    hesitates: tuple[int, int] | None = None
    jobs: int = 2

    def observe(
        self,
        images: np.ndarray,
        *,
        commands: int,
        places: Sequence[Made] = (),
        each: Tiles | None = None,
        trace: Trace | None = None,
    ) -> EngineRun:
        """Run ``images`` (uint8, N x H x W x C) one after another, the programme having so many ``commands``.

        ``each`` is called behind each frame with what lay at ``places``. Raises ToolError when a tool fails,
        OutputError where waveforms cannot be written, DeviceFailure for a device that breaks a rule.
        """
        order = sorted(range(len(places)), key=lambda number: places[number].behind)
        kind = "" if trace is None else FORMATS[trace.path.suffix]
        room = _room(commands), _room(len(places) + 1)
        text = TEMPLATES.get_template("engine_watch.sv.j2").render(commands=room[0], tiles=room[1])
        files = self._files([places[number] for number in order], room)
        if trace is not None:
            files["window.txt"] = f"{trace.first} {ENDLESS if trace.end is None else trace.end}\n"
        with scratch("bvit-watched-") as folder:
            watched = Watched(text=text, files=files, own=self.own, trace=kind)
            try:
                build_engine_device(folder / "sim", self.config, jobs=self.jobs, watched=watched, **self.device)
            except ToolError as error:
                explain(error, kind)
            seen = folder / "sim" / "mem"
            link = open_engine_direct(folder / "sim", f"watched-{folder}")
            if self.hesitates is not None:
                link.model.dram(*self.hesitates)
            logits, spent, stuck = [], [], ""
            try:
                with Engine(link=link, model=self.model, programme=self.programme) as engine:
                    for number, image in enumerate(images):
                        try:
                            logits.append(engine.logits_int(image)[0])
                        except DeviceTimeoutError as error:
                            stuck = str(error)
                        if each is not None:
                            each(number, self._tiles(seen, number, places, order))
                        if stuck:
                            break
                        spent.append(int(engine.counters()["latency_cycles"]))
            except DeviceError as error:
                raise DeviceFailure(str(error)) from error
            finally:
                link.model.close()
            if trace is not None:
                keep(seen / "waves", trace.path)
            begun, ended = _log(seen / "watch.log")
        starts = tuple(begun[: len(spent)])
        ends = tuple(start + cycles for start, cycles in zip(starts, spent, strict=True))
        return EngineRun(np.array(logits, dtype=np.int64), starts, ends, stuck, ended)

    def _files(self, places: Sequence[Made], room: tuple[int, int]) -> dict[str, str]:
        """What the RTL reads: the tiles in the order of their commands, and where those of each command begin."""
        at, tiles = [0] * room[0], []
        for number, made in enumerate(places):
            command, place = made.behind - 1, made.place
            at[command] = at[command] or number + 1
            last = place.base + _words(made) - 1
            tiles.append(f"{command:08x}{int(isinstance(place, Bits)):08x}{place.base:08x}{last:08x}")
        tiles += ["f" * 32] * (room[1] - len(tiles))
        return {
            "watch_at.hex": "".join(f"{first:x}\n" for first in at),
            "watch_tiles.hex": "\n".join(tiles) + "\n",
        }

    def _tiles(
        self, folder: Path, frame: int, places: Sequence[Made], order: Sequence[int]
    ) -> list[IntArray | None]:
        """What was written behind a frame's commands, in the order of ``places``; the files go."""
        found: list[IntArray | None] = [None] * len(places)
        for entry, number in enumerate(order):
            path = folder / f"tile_{frame}_{entry}.hex"
            if path.is_file():
                found[number] = self._tile(path, places[number])
                path.unlink()
        return found

    def _tile(self, path: Path, made: Made) -> IntArray:
        tokens, channels = self.config.tokens, self.config.channels
        is_bits = isinstance(made.place, Bits)
        size = tokens * (_OCTETS if is_bits else channels)
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("@", "/"))]
        raw = bytes.fromhex("".join(line.zfill(2 * size) for line in lines))
        # The highest byte of a word stands first.
        words = np.frombuffer(raw, dtype=np.uint8).reshape(len(lines), size)[:, ::-1]
        if len(words) != _words(made):
            raise LoweringError(f"simulation: {path.name} has {len(words)} words of {_words(made)}")
        if is_bits:
            memory = np.unpackbits(words.reshape(-1, tokens, _OCTETS), axis=2, bitorder="little")
        else:
            memory = words.reshape(-1, tokens, channels)
        return replace(made.place, base=0).read(memory)


def _words(made: Made) -> int:
    """Words that a tile takes."""
    place = made.place
    return place.layout.slots * place.words if isinstance(place, Bits) else place.words


def _room(count: int) -> int:
    return -(-count // _ROOM) * _ROOM


def _log(path: Path) -> tuple[list[int], list[dict[int, int]]]:
    """Cycles in which frames began, and those in which the commands of each ended."""
    begun: list[int] = []
    ended: list[dict[int, int]] = []
    for line in path.read_text().splitlines():
        kind, *numbers = line.split()
        if kind == "frame":
            begun.append(int(numbers[1]))
            ended.append({})
        elif begun:
            ended[int(numbers[0])][int(numbers[1])] = int(numbers[2])
    return begun, ended
