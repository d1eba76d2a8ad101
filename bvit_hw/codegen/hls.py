"""C++ around the templates of hls/: programs for C simulation, and top functions with test benches for Vitis HLS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES
from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import HwOp, IntArray, Params, Stream
from bvit_hw.ops.hls import MAX_BEAT_BITS, HlsInstance, HlsTable


@dataclass(frozen=True, kw_only=True)
class CppStream:
    """A stream argument of a template."""

    name: str
    width: int
    beats: int


@dataclass(frozen=True, kw_only=True)
class CppTable:
    """A constant argument of a template: ``type name dimensions;`` declares it."""

    name: str
    type: str
    dimensions: str
    table: HlsTable

    @property
    def initializer(self) -> str:
        """The values in braces, a line for each innermost row."""
        return _braces(self.table.values, self.type, self.table.bits)


@dataclass(frozen=True, kw_only=True, eq=False)
class HlsUnit:
    """An instance as C++ text sees it, with the operator that it implements."""

    op: HwOp
    params: Params
    instance: HlsInstance
    inputs: tuple[CppStream, ...]
    outputs: tuple[CppStream, ...]
    tables: tuple[CppTable, ...]

    @property
    def header(self) -> str:
        """File of hls/bvit/."""
        return self.instance.header

    @property
    def function(self) -> str:
        """The template's name."""
        return self.instance.function

    @property
    def config(self) -> dict[str, int]:
        """Members of the configuration struct."""
        return {name: int(value) for name, value in self.instance.config.items()}

    @property
    def key(self) -> tuple[object, ...]:
        """What the compiled code depends on: all but the tables' values."""
        types = tuple((table.name, table.type, table.dimensions) for table in self.tables)
        return (self.function, tuple(sorted(self.config.items())), types)

    @property
    def arguments(self) -> list[str]:
        """Names of the call's arguments, in order."""
        streams = [stream.name for stream in (*self.inputs, *self.outputs)]
        return streams + [table.name for table in self.tables]


def hls_unit(op: HwOp, params: Params) -> HlsUnit:
    """The operator's template with these parameters; ConfigError where it has none or a beat is too wide."""
    instance = op.hls(params)
    for stream in (*op.inputs, *op.outputs):
        if stream.width > MAX_BEAT_BITS:
            raise ConfigError(
                f"{op.op_type}: a beat of {stream.lanes} x {stream.bits} = {stream.width} bits; the HLS templates "
                f"take up to {MAX_BEAT_BITS}: fold further, or choose the RTL"
            )
    return HlsUnit(
        op=op,
        params=params,
        instance=instance,
        inputs=_streams("in", op.inputs),
        outputs=_streams("out", op.outputs),
        tables=tuple(
            CppTable(
                name=name,
                type=f"ap_{'' if table.signed else 'u'}int<{table.bits}>",
                dimensions="".join(f"[{n}]" for n in table.values.shape),
                table=table,
            )
            for name, table in instance.tables.items()
        ),
    )


def _braces(values: np.ndarray, cpp_type: str, bits: int) -> str:
    if values.ndim == 0:
        return _literal(int(values), cpp_type, bits)
    parts = [_braces(np.asarray(part), cpp_type, bits) for part in values]
    return "{" + (", " if values.ndim == 1 else ",\n ").join(parts) + "}"


def _literal(value: int, cpp_type: str, bits: int) -> str:
    """An integer literal, or beyond the compiler's integers a hexadecimal string."""
    if bits > 64:
        # With 0x, for without it digits that begin with 0b are read as binary, base or no base.
        return f'{cpp_type}("0x{value & ((1 << bits) - 1):x}", 16)'
    return str(value) if abs(value) < 1 << 31 else f"{value}ll" if value < 1 << 63 else f"0x{value:x}ull"


def _streams(prefix: str, streams: Sequence[Stream]) -> tuple[CppStream, ...]:
    return tuple(CppStream(name=f"{prefix}{i}", width=s.width, beats=s.beats) for i, s in enumerate(streams))


def csim_text(units: Sequence[HlsUnit]) -> str:
    """A program that runs any one of ``units`` on frames in files; it does not depend on the tables' values."""
    return TEMPLATES.get_template("hls_csim.cpp.j2").render(units=units, version=__version__)


def vector_frames(op: HwOp, params: Params, count: int, seed: int = 1) -> list[tuple[np.ndarray, ...]]:
    """Random frames within what the integer contract allows: uniform, and narrower where sums would leave it."""
    rng = np.random.default_rng(seed)
    for narrowing in range(max(stream.bits for stream in op.inputs)):
        frames = [
            tuple(
                rng.integers(s.low >> narrowing, (s.high >> narrowing) + 1, (s.tokens, s.channels)) for s in op.inputs
            )
            for _ in range(count)
        ]
        try:
            for frame in frames:
                op.golden(params, *frame)
        except ConfigError:
            continue
        return frames
    raise ConfigError(f"{op.op_type}: its parameters leave the integer contract whatever comes in")


def project_texts(
    unit: HlsUnit, top: str, frames: Sequence[Sequence[np.ndarray]], *, dataflow: bool
) -> dict[str, str]:
    """Files of a Vitis HLS project by path: top function, constants, test bench, and its vectors from ``frames``.

    The vectors' outputs are the golden function's. ``top`` is the function's name; with ``dataflow`` it is a dataflow
    region around the template, which then is one too, so that frames overlap.
    """
    golden = [unit.op.golden(unit.params, *frame) for frame in frames]
    values = {"unit": unit, "top": top, "version": __version__, "frames": len(frames), "dataflow": dataflow,
              "streams": len(unit.inputs) + len(unit.outputs)}  # fmt: skip
    files = {
        name: TEMPLATES.get_template(f"hls_{name}.j2").render(values)
        for name in ("top.hpp", "top.cpp", "tables.hpp", "tb.cpp")
    }
    sides = ((unit.inputs, unit.op.inputs, frames), (unit.outputs, unit.op.outputs, golden))
    for names, streams, arrays in sides:
        for i, (named, stream) in enumerate(zip(names, streams, strict=True)):
            digits = (stream.width + 3) // 4
            beats = [beat for frame in arrays for beat in stream.pack(frame[i])]
            files[f"tb_data/{named.name}.dat"] = "".join(f"0x{beat:0{digits}x}\n" for beat in beats)
    return files


# ---------------------------------------------------------------------- contents of files


def _to_bytes(values: np.ndarray, bits: int) -> bytes:
    """Integers, each in whole bytes, low byte first, two's complement."""
    size = (bits + 7) // 8
    if bits <= 64 and values.dtype != object:
        # Cut to the width: bits above it are the sign's.
        raw = values.astype(np.int64).view(np.uint64) & np.uint64((1 << bits) - 1)
        return raw.astype("<u8").reshape(-1, 1).view(np.uint8)[:, :size].tobytes()
    mask = (1 << bits) - 1
    return b"".join((int(value) & mask).to_bytes(size, "little") for value in values.reshape(-1))


def table_bytes(unit: HlsUnit) -> bytes:
    """tables.bin of a C simulation: every table's elements, first index slowest."""
    return b"".join(_to_bytes(table.table.values, table.table.bits) for table in unit.tables)


def stream_bytes(stream: Stream, frames: Sequence[np.ndarray]) -> bytes:
    """Beats of frames (tokens x channels each) one after the other, each in whole bytes, low byte first."""
    values = np.stack([np.asarray(f, dtype=np.int64).reshape(stream.beats, stream.lanes) for f in frames])
    if values.min() < stream.low or values.max() > stream.high:
        raise OverflowError(f"values {values.min()}..{values.max()} do not fit {stream.low}..{stream.high}")
    bits = ((values[..., np.newaxis] >> np.arange(stream.bits)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1, stream.width), axis=1, bitorder="little").tobytes()


def stream_frames(stream: Stream, data: bytes, frames: int) -> list[IntArray]:
    """Inverse of :func:`stream_bytes`; ConfigError when ``data`` is not ``frames`` frames."""
    size = (stream.width + 7) // 8
    if len(data) != frames * stream.beats * size:
        raise ConfigError(f"C simulation: {len(data)} bytes, must be {frames} frames of {stream.beats} x {size}")
    raw = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    bits = np.unpackbits(raw, axis=1, bitorder="little")[:, : stream.width]
    lanes = bits.reshape(frames, stream.tokens, stream.channels, stream.bits).astype(np.int64)
    values: IntArray = (lanes << np.arange(stream.bits)).sum(axis=-1)
    if stream.signed:
        values -= (values >> (stream.bits - 1)) << stream.bits
    return list(values)
