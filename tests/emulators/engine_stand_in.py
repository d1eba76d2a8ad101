"""A package with a small single engine as a simulated device, and two networks as programmes, for driver tests."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.file import save_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.contract.reference import Reference
from bvit_hw.data.record import DataRecord, default_preprocessing
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import VERSION, EngineConfig
from bvit_hw.engine.programme import Programme, save_programme
from bvit_hw.flows.device_model import build_engine_device
from bvit_hw.freeze import random_images
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.pipeline.engine_programme import network_programme
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.sums import SUMS, sums
from tests.other_networks import NETWORKS

CONFIG = EngineConfig(tokens=2, rows=8, bits=256, values=1024, weights=256, params=256, steps=256, taps=256)
#: other fields of the same depth: another engine
OTHER_ENGINE = EngineConfig(tokens=2, rows=8, bits=256, values=1024, weights=256, params=256, steps=256, taps=512)
#: file names, and which of the other networks they hold: colour pictures of 15 x 15, grey ones of 28 x 28
NETWORK, OTHER = "network", "other"
NAMES = {NETWORK: "byte-beats", OTHER: "digits-28"}


def frozen(name: str) -> FrozenGraph:
    """One of the two, with drawn numbers."""
    return random_frozen(NETWORKS[NAMES[name]].config, seed=1)


def programme(name: str) -> Programme:
    """It, compiled."""
    graph, config = frozen(name), NETWORKS[NAMES[name]].config
    record = DataRecord(default_preprocessing(config))
    return network_programme(graph, compile_network(graph, CONFIG, fused=True), CONFIG, name=name, record=record)


def write_engine_package(package: Path) -> Path:
    """``package`` with model.json, programmes, frozen networks, test images, and the simulated device in ``sim``."""
    package.mkdir(parents=True)
    for name in NAMES:
        save_frozen(frozen(name), package / f"{name}.safetensors", {}, name)
        save_programme(programme(name), CONFIG, package / f"{name}.prog")
    (package / f"{NETWORK}.safetensors").rename(package / "frozen.safetensors")
    graph, facts = frozen(NETWORK), programme(NETWORK).facts
    height, width, channels = facts["picture"]  # type: ignore[misc]
    info = ModelInfo(
        model_hash=model_hash(graph),
        height=height,
        width=width,
        channels=channels,
        classes=int(str(facts["logits"])),
        logits_exponent=int(str(facts["logits_exponent"])),
        class_names=tuple(map(str, range(10))),
        clock_mhz=100.0,
        interface_version=VERSION,
        cycles_per_frame=int(str(facts["cycles"])),
        board="pynq-z2",
        engine={"identity": CONFIG.identity, "version": VERSION, "address_bits": 32},
    )
    (package / "model.json").write_text(info.text())
    images = random_images(NETWORKS[NAMES[NETWORK]].config, 4, 3)
    np.savez_compressed(
        package / "test_images.npz", images=images, logits=Reference(graph).logits_int(images).astype(np.int32)
    )
    names = ("model.json", "network.prog", "frozen.safetensors", "test_images.npz")
    (package / SUMS).write_text(sums({name: package / name for name in names}))
    build_engine_device(
        package / "sim", CONFIG, top="bvit_accelerator", clock_mhz=100.0, vlnv="bvit_hw:bvit_hw:bvit_accelerator:1.0",
    )  # fmt: skip
    return package


def shared_engine(base: Path) -> Path:
    """One for all pytest workers, under ``base``."""
    package = base / "engine"
    with (base / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not package.is_dir():
            write_engine_package(base / "engine.new")
            (base / "engine.new").rename(package)
    return package
