"""Packing of words for the read-only memories of per-channel operators (bvit_rom.sv)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.ops.base import Memory


def pack_words(fields: np.ndarray, bits: int | Sequence[int]) -> Memory:
    """Memory of words x fields integers in two's complement, field 0 in the low bits.

    Each field is ``bits`` bits wide, or as wide as ``bits`` says of it.
    """
    fields = np.asarray(fields, dtype=np.int64)
    widths = np.full(fields.shape[1], bits) if isinstance(bits, int) else np.array(bits, dtype=np.int64)
    # one column for each bit of a word: its field, shifted by its place in the field
    places = np.concatenate([np.arange(width) for width in widths])
    table = (np.repeat(fields, widths, axis=1) >> places) & 1
    packed = np.packbits(table.astype(np.uint8), axis=1, bitorder="little")
    return Memory(width=len(places), words=[int.from_bytes(row.tobytes(), "little") for row in packed])
