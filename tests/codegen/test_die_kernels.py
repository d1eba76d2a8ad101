"""Kernels behind the first one: their streams are whole bytes, and each is connected to its neighbours."""

from __future__ import annotations

import re

from bvit_hw.codegen.accelerator import whole_bytes
from bvit_hw.codegen.die_kernels import die_module, linked, stream_links
from tests.codegen.test_design import CUT, made


def test_every_stream_has_one_sender_and_one_receiver() -> None:
    parts = made(*CUT)
    streams = {kernel.module: kernel.streams for kernel in parts.kernels}
    links = stream_links(list(streams))
    senders = [(link.source, link.source_port) for link in links]
    receivers = [(link.sink, link.sink_port) for link in links]
    ports = {(module, port) for module, streams_of in streams.items() for port in streams_of}
    assert sorted([*senders, *receivers]) == sorted(ports - {("top", "s_axis"), ("top", "m_axis")})
    for link in links:
        assert link.source_port.startswith("m_") and link.sink_port.startswith("s_")
        bits = streams[link.source][link.source_port]
        assert bits == streams[link.sink][link.sink_port] and bits % 8 == 0
    assert stream_links(["top"]) == []


def test_beats_are_filled_up_to_whole_bytes() -> None:
    parts = made(*CUT)
    for before, core, kernel in zip(parts.cores, parts.cores[1:], parts.others, strict=False):
        assert kernel.streams["s_prev"] == whole_bytes(before.output.width)
        assert f".W({before.output.width})" in kernel.text
        assert core.module in kernel.text
    assert [whole_bytes(bits) for bits in (1, 8, 9)] == [8, 8, 16]
    last = parts.others[-1]
    assert "m_next" not in last.streams and "m_next" not in last.text
    assert last.module == die_module("top", 2)


def test_ports_of_each_kernel_are_what_its_streams_say() -> None:
    parts = made(*CUT)
    for kernel in parts.kernels:
        found = {name: int(high) + 1 for high, name in re.findall(r"\[(\d+):0\]\s+(\w+)_tdata[,;]", kernel.text)
                 if name in kernel.streams}  # fmt: skip
        assert found == dict(kernel.streams)


def test_the_connected_whole_has_the_ports_of_a_single_kernel() -> None:
    parts = made(*CUT)

    def ports(text: str) -> list[str]:
        return re.findall(r"^\s*(?:input|output)\s+wire\s+(?:\[\d+:0\])?\s*\w+", text.partition(");")[0], re.M)

    assert ports(linked(parts.first, parts.others)) == ports(made().first.text)
