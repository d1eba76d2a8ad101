"""Networks as files: one TOML file a network, read strictly, written with a comment for each field.

The file's name is the network's. Its fields are those of :class:`BinaryViTConfig`, and three that describe it; the
presets are such files (bvit_hw/models/networks).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bvit_hw.errors import ConfigError
from bvit_hw.models.config import BinaryViTConfig

#: sizes above these are no network that any machine builds; they would end in want of memory, not in a message
_MOST = {
    "image_size": 4096, "in_channels": 64, "patch_size": 4096, "channels": 16_384, "depths": 256, "heads": 1024,
    "mlp_widths": 65_536, "reductions": 4096, "classes": 100_000,
}  # fmt: skip

#: what a file says beside the configuration, and what each field is for, in the order in which they are written
_ABOUT = {
    "summary": "One line for `bvit-hw models`.",
    "recipe": "How `bvit-hw train` trains it unless --recipe says otherwise: digits, cifar, pictures or paper.",
    "data": "What it is trained on unless --data says otherwise (docs/data.md).",
}
_FIELDS = {
    "image_size": "Side of the square pictures in pixels: a multiple of patch_size times 2^(stages - 1).",
    "in_channels": "Colour channels of a picture: 3 (colour) or 1 (grey).",
    "patch_size": "Side of the squares of pixels that become tokens. Stage s has image_size / patch_size / 2^s tokens\n"
    "a side.",
    "channels": "One entry a stage: channels of a token, a multiple of those of the stage before.",
    "depths": "One entry a stage: blocks.",
    "heads": "One entry a stage: heads of attention; they divide channels.",
    "mlp_widths": "One entry a stage: hidden channels of the MLP, a multiple of channels.",
    "reductions": "One entry a stage: keys and values are pooled over so many tokens a side (1: not at all); divides\n"
    "the side.",
    "classes": "Classes that it tells apart.",
    "full_precision_merges": "Patch merges between stages in 8 bits instead of binary.",
    "full_precision": "Real weights and activations throughout: a teacher, which is trained but never frozen.",
    "stem_norm": "A norm behind the first layer.",
    "class_token": "A class token instead of the average of all tokens; for a single stage without pool_branches.",
    "pool_branches": "Pooling of neighbouring tokens beside the MLP.",
    "affine": "A scale and a shift of each channel before each residual addition.",
    "act_bits": "Bits of activations between operators, 2 to 12.",
    "residual_bits": "Bits of the residual stream, 2 to 12.",
    "weight_bits": "Bits of the weights that are not binary (first and last layer), 2 to 12.",
    "table_bits": "Bits of attention's exponentials, 4 to 15.",
    "mean": "One entry a colour channel: pixels enter as (pixel / 255 - mean) / std.",
    "std": "The same for std.",
}


@dataclass(frozen=True, kw_only=True)
class NetworkDescription:
    """A network that has a name; ``recipe`` and ``data`` are what it is trained by and on unless told otherwise."""

    name: str
    config: BinaryViTConfig
    summary: str = ""
    recipe: str | None = None
    data: str | None = None


def read_network(path: Path) -> NetworkDescription:
    """The network that the TOML file ``path`` describes, called as the file is.

    Raises :class:`ConfigError` naming the file, and every field that is missing, unknown, of another type, out of range
    or does not fit another one.
    """
    where = f"network file {path}"
    if path.suffix.lower() != ".toml":
        raise ConfigError(f"{where}: a .toml file is expected; `bvit-hw init NAME` writes one")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # ValueError: neither TOML nor UTF-8
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    about = {key: values.pop(key) for key in _ABOUT if key in values}
    faults = [f"{key}: a text is expected; given: {value!r}" for key, value in about.items() if type(value) is not str]
    faults += _too_large(values)
    config = None
    try:
        # Strict: 32.0, "32" and true are no whole numbers here. TOML has arrays where the configuration has tuples.
        config = BinaryViTConfig.model_validate(
            {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}, strict=True
        )
    except ValidationError as error:
        faults += map(_fault, _itself(error.errors()))
    if config is None or faults:
        raise ConfigError(f"{where}: {'; '.join(faults)}")
    return NetworkDescription(name=path.stem, config=config, **about)


def _too_large(values: Mapping[str, Any]) -> Iterator[str]:
    for key, most in _MOST.items():
        given = values.get(key)
        for entry in given if isinstance(given, list) else [given]:
            if type(entry) is int and entry > most:
                yield f"{key}: at most {most}; given: {entry}"


def _itself(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Without what pydantic says of an array because its entries are wrong, which it has said one by one."""
    entries = {error["loc"][0] for error in errors if len(error["loc"]) > 1}
    return [error for error in errors if error["type"] != "too_short" or error["loc"][0] not in entries]


def _fault(error: ErrorDetails) -> str:
    """Field, what is allowed, and what was given where that is a single value."""
    first, *rest = error["loc"] or ("",)
    field = f"{first}{''.join(f'[{place}]' for place in rest)}"
    if error["type"] == "missing":
        return f"{field}: is missing"
    if error["type"] == "extra_forbidden":
        known = [*_ABOUT, *BinaryViTConfig.model_fields]
        near = difflib.get_close_matches(str(first), known, n=1)
        return f"{field}: no such field; " + (f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}")
    if error["type"] == "tuple_type":
        example = _literal((0.5,) * 3 if first in ("mean", "std") else (64, 128))
        return f"{field}: an array is expected, as in {example}; given: {error['input']!r}"
    if error["type"] == "too_short":
        return f"{field}: at least one entry is needed, as in [64]; given: []"
    text, given = error["msg"].removeprefix("Value error, "), error["input"]
    shown = f"; given: {given!r}" if isinstance(given, str | int | float) else ""
    return f"{field}: {text}{shown}" if field else text


def _literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
    return repr(value)


def network_text(network: NetworkDescription) -> str:
    """The file that :func:`read_network` reads as ``network`` again: every field with a comment on it."""
    lines = [
        f"# A network for bvit-hw, called {network.name} as this file is (docs/models.md).",
        f"#   bvit-hw models --network {network.name}.toml     what it costs",
        f"#   bvit-hw train --network {network.name}.toml --data DATA     a checkpoint",
        f"#   bvit-hw build --network {network.name}.toml --board BOARD     hardware of random weights",
    ]

    def add(key: str, comment: str, text: str) -> None:
        lines.extend(["", *(f"# {line}" for line in comment.split("\n")), text])

    for key, comment in _ABOUT.items():
        value = getattr(network, key)
        add(key, comment, f"# {key} = ..." if value is None else f"{key} = {_literal(value)}")
    for key, comment in _FIELDS.items():
        add(key, comment, f"{key} = {_literal(getattr(network.config, key))}")
    return "\n".join([*lines, ""])
