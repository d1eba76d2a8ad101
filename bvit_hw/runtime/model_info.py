"""model.json of a package: what the driver must know of the model inside the bitstream."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .preprocess import Preprocessing


@dataclass(frozen=True)
class ModelInfo:
    """Identity and shapes. Images are uint8, ``height`` x ``width`` x ``channels``; logits are integers times
    2**``logits_exponent``. ``model_hash`` is the SHA-256 of the frozen model, 64 hexadecimal digits.
    ``cycles_per_frame`` is what the cycle model says, ``board`` the name that the package was built for,
    ``preprocessing`` what :class:`Preprocessing` says of pictures (None: its defaults, as in older packages),
    ``name`` what its checkpoint was called, ``pixel_bytes`` the most bytes of a beat of the pixels' stream. Of a single
    engine, which takes networks as programmes, ``engine`` has ``identity`` (64 hexadecimal digits), ``version`` of its
    commands, and ``address_bits`` of DRAM; the rest is of the programme that comes with it.
    """

    model_hash: str
    height: int
    width: int
    channels: int
    classes: int
    logits_exponent: int
    class_names: tuple[str, ...]
    clock_mhz: float
    interface_version: int
    cycles_per_frame: int
    board: str
    preprocessing: Mapping[str, Any] | None = None
    name: str = ""
    pixel_bytes: int = 8
    engine: Mapping[str, Any] | None = None

    @cached_property
    def preprocessor(self) -> Preprocessing:
        """What makes the network's images of any pictures; raises ValueError for values that do not fit."""
        return Preprocessing.from_json(self.preprocessing, (self.height, self.width, self.channels))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one image on the input stream."""
        return self.height * self.width * self.channels

    @property
    def input_bytes(self) -> int:
        """Bytes of a beat of the pixels' stream: a frame is a whole number of beats."""
        return math.gcd(self.frame_bytes, self.pixel_bytes)

    @classmethod
    def read(cls, path: str | Path) -> ModelInfo:
        """Read model.json; raises ValueError naming the file when it does not fit."""
        try:
            data = json.loads(Path(path).read_text())
            found = cls(**{**data, "class_names": tuple(data["class_names"])})
            found.preprocessor  # noqa: B018 (refuses what does not fit)
            return found
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: not a model.json of this driver: {error}") from error

    def text(self) -> str:
        """What model.json holds."""
        return json.dumps(asdict(self), indent=1) + "\n"
