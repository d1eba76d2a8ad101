"""What compiling a network gives: the programme, how pictures and logits lie, and where each tensor lies when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import Memory
from bvit_hw.engine.emitter import held_words
from bvit_hw.engine.layout import Bits, Layout, Values
from bvit_hw.engine.programme import Programme


@dataclass(frozen=True)
class Made:
    """Behind so many commands the lines of a tensor from ``first`` on lie at ``place``."""

    behind: int
    name: str
    first: int
    place: Values | Bits


@dataclass(frozen=True)
class Compiled:
    """A programme, how a frame goes into it and out, and where each tensor lies when."""

    programme: Programme
    first: Values
    window: tuple[int, int]
    last: Values
    places: tuple[Made, ...]
    #: by task in their order: behind how many commands it is done, and the node that it is of
    tasks: tuple[tuple[int, str], ...]
    #: lines of a tile, by grid
    heights: Mapping[Layout, int]
    #: the most words that lie in each memory at once
    peaks: Mapping[Memory, int]

    def frame(self, image: np.ndarray) -> bytes:
        """An image, uint8 H x W x C, as it has to lie in DRAM: the stem's patches in the words of their lanes."""
        h, w = self.window
        rows, columns, channels = image.shape
        cut = image.reshape(rows // h, h, columns // w, w, channels).transpose(0, 2, 1, 3, 4)
        return held_words(self.first, cut.reshape(-1, h * w * channels).astype(np.int64)).tobytes()

    @property
    def picture(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        grid, (h, w) = self.first.layout, self.window
        return grid.rows * h, grid.strip * grid.lanes * w, self.first.channels // (h * w)

    @property
    def facts(self) -> dict[str, object]:
        """How a picture becomes a frame, and an output logits, as a programme's file holds it (docs/engine.md)."""
        return {
            "picture": list(self.picture),
            "window": list(self.window),
            "strip": self.first.layout.strip,
            "lanes": self.first.layout.lanes,
            "group": self.first.group,
            "logits": self.last.channels,
            "logit_bytes": self.last.bytes,
        }

    def logits(self, output: bytes | np.ndarray) -> IntArray:
        """What a frame's output says."""
        words = np.frombuffer(bytes(output), dtype=np.uint8).reshape(self.last.words, 1, self.last.group)
        found: IntArray = replace(self.last, base=0).read(words)[0]
        return found
