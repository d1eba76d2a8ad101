"""Hardware without training: a frozen network of random weights for a network file, in the cache."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.contract.file import save_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import BvitError, ConfigError
from bvit_hw.flows.cache import cached, digest_of
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models.network_toml import NetworkDescription
from bvit_hw.network_file import network_info

_FILE = "network.safetensors"


def random_network(network: NetworkDescription) -> Path:
    """A file as `bvit-hw freeze` writes it, under the network's name; the same for the same network.

    Raises :class:`ConfigError` for a network that cannot be frozen whatever its weights.
    """
    try:
        graph = random_frozen(network.config)
    except BvitError as error:
        raise ConfigError(f"network file {network.name}.toml: {error}") from error
    info = {"network": network.name, "random_weights": True}

    def make(folder: Path) -> None:
        save_frozen(graph, folder / _FILE, info, network.name)

    return cached("random", digest_of(model_hash(graph), network.name), _FILE, make)


def random_notes(path: Path) -> list[str]:
    """What a report is to say of the network in ``path`` if it is one of these."""
    random = network_info(path).get("random_weights") is True
    return ["the weights are random: accuracy says nothing, hardware is as it will be"] if random else []
