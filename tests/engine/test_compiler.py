"""Compiled networks: every tensor that the golden machine holds, and the logits, are the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.reference import Reference
from bvit_hw.data import normalize
from bvit_hw.engine.commands import Kind, Memory
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import Rules, frame_cycles
from bvit_hw.errors import LimitError
from bvit_hw.freeze import random_images
from bvit_hw.freeze.network import freeze
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models.presets import preset
from tests.engine.compiled import carry_out
from tests.frozen_factory import calibrated_model
from tests.other_networks import NETWORKS

SMALL = [name for name in NETWORKS if name != "full-width"]
#: engines that differ in lanes, turns of the matrix unit, groups, and in how often parameters are loaded
ENGINES = {
    "pynq-z2": EngineConfig(),
    "wide-groups": EngineConfig(tokens=3, rows=64, channels=64),
    "halves": EngineConfig(tokens=5, rows=16, channels=16, port=128),
    "many-lanes": EngineConfig(tokens=56, rows=8),
    "shallow": EngineConfig(tokens=1, bits=2048, values=16384, params=64, weights=256),
}


@cache
def network(name: str) -> tuple[FrozenGraph, np.ndarray]:
    """A network with drawn numbers, and an image."""
    config = NETWORKS[name].config if name in NETWORKS else preset(name)
    return random_frozen(config), random_images(config, 1, 3)[0]


def holds(
    name: str, config: EngineConfig, folder: Path, fused: bool = False, heights: Mapping[int, int] | None = None
) -> None:  # fmt: skip
    """Every tensor that lies in memory, line by line, and the logits."""
    graph, image = network(name)
    found = carry_out(graph, compile_network(graph, config, fused=fused, heights=heights), config, folder, image)
    # Patches of tensors are views; what is fused lies nowhere.
    within = {"BinaryLinear", "IntLinear", "BinaryAttention", "ChannelRepeat", "Upsample"} if fused else set()
    nowhere = {"PatchGather"} | within
    pooled = {node.inputs[0] for node in graph.nodes if node.op == "ChannelPool"} if fused else set()
    seen = {node.output for node in graph.nodes if node.op not in nowhere and node.output not in pooled}
    assert seen | {graph.nodes[0].output} <= set(found.given)
    assert found.wrong == []
    assert np.array_equal(found.logits, found.wanted[graph.output].ravel())


@pytest.mark.parametrize("fused", [False, True], ids=["whole", "fused"])
@pytest.mark.parametrize("name", ["tiny-digits", *SMALL])
def test_every_tensor_of_a_network_is_the_contracts(name: str, fused: bool, tmp_path: Path) -> None:
    """With fused commands, every one that is not within a command."""
    holds(name, ENGINES["pynq-z2"], tmp_path, fused)


@pytest.mark.parametrize("name", ["three-stages", "class-token"])
def test_a_network_that_was_frozen_gives_its_logits(name: str, tmp_path: Path) -> None:
    """Numbers that freezing makes of a model, not drawn integers."""
    config = NETWORKS[name].config
    images = random_images(config, 4, 5)
    graph = freeze(calibrated_model(config, normalize(images, config.mean, config.std), 5))
    compiled = compile_network(graph, EngineConfig(), fused=True)
    found = carry_out(graph, compiled, EngineConfig(), tmp_path, images[0])
    assert found.wrong == [] and np.array_equal(found.logits, Reference(graph).logits_int(images[:1])[0])


def test_fused_commands_are_fewer_and_need_less() -> None:
    graph, _ = network("tiny-digits")
    whole, fused = (compile_network(graph, EngineConfig(), fused=fused) for fused in (False, True))
    counts = [sum(c.kind == Kind.COMPUTE for c in found.programme.commands) for found in (whole, fused)]
    assert counts[1] < 0.7 * counts[0]
    assert fused.peaks[Memory.VALUES] < 0.5 * whole.peaks[Memory.VALUES]


@pytest.mark.parametrize("fused", [False, True], ids=["whole", "fused"])
@pytest.mark.parametrize("height", [1, 3])
@pytest.mark.parametrize("name", ["three-stages", "tiny-digits", "some-fp", "side-7"])
def test_every_tensor_made_in_tiles_is_the_contracts(name: str, height: int, fused: bool, tmp_path: Path) -> None:
    """Tiles of as many lines of every grid; 3 divides none of some grids."""
    heights = dict.fromkeys(range(1, 100), height)
    holds(name, ENGINES["pynq-z2"], tmp_path, fused, heights)


@pytest.mark.parametrize("fused", [False, True], ids=["whole", "fused"])
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("tiny-digits", {"values": 1024, "bits": 128, "weights": 128, "params": 64}),
        ("three-stages", {"values": 256, "bits": 128, "weights": 128, "params": 32}),
        ("some-fp", {"values": 512, "bits": 256, "weights": 128, "params": 64}),
        ("full-width", {"values": 3072, "bits": 512, "weights": 256, "params": 256}),
        ("class-token", {"values": 512, "bits": 256, "weights": 64, "params": 32}),
    ],
)
def test_shallow_memories_make_tiles_or_loading_again(
    name: str, engine: dict[str, int], fused: bool, tmp_path: Path
) -> None:  # fmt: skip
    holds(name, EngineConfig(**engine, steps=1024), tmp_path, fused)


def test_memories_too_shallow_for_all_lines_make_the_tiles_lower() -> None:
    graph, _ = network("tiny-digits")
    deep, shallow = (compile_network(graph, EngineConfig(values=values)) for values in (4096, 1024))
    assert all(height == layout.lines for layout, height in deep.heights.items())
    assert any(height < layout.lines for layout, height in shallow.heights.items())
    assert shallow.peaks[Memory.VALUES] <= 1024 < deep.peaks[Memory.VALUES]


def test_tiles_that_were_cut_without_need_grow_again() -> None:
    """None could be twice as high and quicker."""
    graph, _ = network("three-stages")
    engine = EngineConfig(values=256, bits=256)
    found = compile_network(graph, engine)
    low = {layout.lines: height for layout, height in found.heights.items() if height < layout.lines}
    assert low
    took = frame_cycles(engine, Rules(), found.programme.commands)
    for lines, height in low.items():
        limits = {layout.lines: size for layout, size in found.heights.items()} | {lines: 2 * height}
        other = compile_network(graph, engine, heights=limits)
        assert frame_cycles(engine, Rules(), other.programme.commands) >= took


def test_weights_that_stay_are_loaded_once_whatever_the_tiles() -> None:
    """And where the memory of weights is shallow some are loaded for each tile."""
    graph, _ = network("three-stages")

    def beats(weights: int, height: int) -> int:
        compiled = compile_network(
            graph, EngineConfig(weights=weights), fused=True, heights=dict.fromkeys(range(1, 100), height)
        )
        loads = [c for c in compiled.programme.commands if c.kind == Kind.LOAD and c.memory == Memory.WEIGHTS]
        return sum(c.words * c.slices for c in loads)

    assert beats(1024, 1) == beats(1024, 100) < beats(32, 1)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "pynq-z2"])
@pytest.mark.parametrize("name", ["small", "some-fp", "odd-grid", "side-7", "class-token", "deit-multi_branch"])
def test_every_tensor_is_the_contracts_on_other_engines(name: str, engine: str, tmp_path: Path) -> None:
    holds(name, ENGINES[engine], tmp_path)
    holds(name, ENGINES[engine], tmp_path, fused=True)


def test_the_contracts_tensors_say_something() -> None:
    """Nearly all have several values, so that a wrong address or parameter shows."""
    graph, image = network("three-stages")
    found = Reference(graph).tensors(image[None], list(graph.tensors))
    assert np.mean([len(np.unique(x)) > (1 if graph.tensors[name].binary else 4) for name, x in found.items()]) > 0.95


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.END])
def test_a_command_that_is_left_out_shows(kind: Kind, tmp_path: Path) -> None:
    """The last of each kind: nothing is right by what another command left there."""
    graph, image = network("class-token")
    compiled = compile_network(graph, ENGINES["pynq-z2"])
    last = max(i for i, command in enumerate(compiled.programme.commands) if command.kind == kind)
    found = carry_out(graph, compiled, ENGINES["pynq-z2"], tmp_path, image, lambda index, _: index != last)
    assert found.wrong or not np.array_equal(found.logits, found.wanted[graph.output].ravel())


@pytest.mark.parametrize(
    ("name", "engine", "told"),
    [
        ("small-224", {"values": 64}, r"engine: the memory values has 64 words; this network needs \d+ of them"),
        ("tiny-digits", {"values": 512}, r"engine: the memory values has 512 words; this network needs \d+ of them"),
        ("tiny-digits", {"bits": 32}, r"engine: the memory bits has 32 words; this network needs \d+ of them"),
        ("tiny-digits", {"params": 16, "rows": 64}, r"engine: params=\d+; allowed: at most 16"),
        ("tiny-digits", {"weights": 16}, r"engine: weights=\d+; allowed: at most 16"),
        ("tiny-digits", {"steps": 32}, r"engine: steps=\d+; allowed: at most 32"),
        ("side-7", {"taps": 32}, r"engine: taps=\d+; allowed: at most 32"),
    ],
)
def test_a_network_beyond_a_limit_is_refused_by_its_name(name: str, engine: dict[str, int], told: str) -> None:
    graph = random_frozen(NETWORKS[name].config if name == "side-7" else preset(name))
    with pytest.raises(LimitError, match=told):
        compile_network(graph, EngineConfig(**engine))


def test_a_head_wider_than_a_word_is_refused() -> None:
    sizes = dict(NETWORKS["one-token"].sizes) | {"channels": (72,), "mlp_widths": (72,)}
    graph = random_frozen(type(NETWORKS["small"].config).create(**sizes))
    with pytest.raises(LimitError, match=r"engine: channels of a head=72; allowed: at most 64"):
        compile_network(graph, EngineConfig())
