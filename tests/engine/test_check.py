"""The check of a compiled programme passes for a good one, and fails for one whose numbers are others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bvit_hw.engine.check import check_programme
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.errors import LoweringError
from bvit_hw.freeze import random_frozen


def test_good_and_bad() -> None:
    config, graph = EngineConfig(), random_frozen("tiny-digits")
    compiled = compile_network(graph, config, fused=True)
    check_programme(graph, compiled, config)
    data = bytearray(compiled.programme.data)
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    with pytest.raises(LoweringError, match=r"for class .* of a picture of noise, the frozen network .*: a fault"):
        check_programme(graph, replace(compiled, programme=replace(compiled.programme, data=bytes(data))), config)
