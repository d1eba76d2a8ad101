"""What the steps of a build hand on: read once in a process, by whichever step asks first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.file import load_frozen
from bvit_hw.data.choice import spread_classes
from bvit_hw.data.labelled import LabelledImages, class_names_of, generated_images, load_images
from bvit_hw.data.record import DataRecord
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.graph.border import Border, border_of
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.file import load_graph
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.models import BinaryViTConfig
from bvit_hw.network_file import network_config, network_record
from bvit_hw.pipeline.options import BuildOptions

#: of a dataset whose pictures have to be resized, accuracy is measured on so many
MOST_IMAGES = 512
#: the file in which steps hand on a hardware graph
GRAPH_FILE = "graph.safetensors"
#: the file of the run that proved the FIFO depths: its images, logits, cycles of starts and ends
PROVEN_RUN = "proven_run.npz"
#: the file of what is known of each FIFO, by its name: what sizing measured, and what trials showed
FIFO_FILE = "fifos.json"
#: a network for a single engine
PROGRAMME_FILE = "network.prog"
T = TypeVar("T")


class _Made(Generic[T]):
    """An artefact that the step ``by`` left; a step that asks for it must have ``by`` among those it comes after."""

    def __init__(self, by: str, read: Callable[[Artefacts], T]) -> None:
        self.by, self.read = by, read
        self.__doc__ = read.__doc__

    def __get__(self, owner: Artefacts, kind: type[Artefacts]) -> T:
        if self.by not in owner.folders:
            raise KeyError(f"{self.read.__name__} is of the step {self.by!r}, which the asking one does not come after")
        name = self.read.__name__
        if name not in owner.held:
            owner.held[name] = self.read(owner)
        found: T = owner.held[name]
        return found


def made_by(step: str) -> Callable[[Callable[[Artefacts], T]], _Made[T]]:
    """Marks a method of :class:`Artefacts` as a property that reads what ``step`` left."""
    return lambda read: _Made(step, read)


class Artefacts:
    """All that steps read of a build: its options, the images, and what earlier steps made.

    ``folders`` are those of the steps that the one now running comes after.
    """

    def __init__(self, options: BuildOptions, folders: Mapping[str, Path] | None = None) -> None:
        self.options = options
        self.folders: Mapping[str, Path] = folders or {}
        self.held: dict[str, Any] = {}

    @cached_property
    def config(self) -> BinaryViTConfig:
        """The network's configuration."""
        return network_config(self.options.checkpoint)

    @cached_property
    def record(self) -> DataRecord:
        """What the network's file says of its data."""
        return replace(network_record(self.options.checkpoint), converts=self.options.convert_colours)

    @cached_property
    def images(self) -> LabelledImages:
        """The images of this build, in an order in which the simulated ones are of as many classes as may be."""
        options = self.options
        if options.data is None:
            found = generated_images(self.config, max(8, options.simulated_images))
            return replace(found, class_names=class_names_of(self.config, self.record))
        found = load_images(options.data, self.config, self.record, MOST_IMAGES)
        assert found.labels is not None
        order = spread_classes(found.labels)
        return replace(found, images=found.images[order], labels=found.labels[order])

    @made_by("freeze")
    def frozen(self) -> FrozenGraph:
        """The frozen network."""
        return load_frozen(self.folders["freeze"] / "frozen.safetensors")

    @made_by("freeze")
    def network(self) -> FrozenBinaryViT:
        """The frozen network, to be run in PyTorch."""
        return FrozenBinaryViT(self.frozen)

    @made_by("lower")
    def lowered(self) -> HwGraph:
        """The hardware graph in its slowest folding, for no board."""
        return load_graph(self.folders["lower"] / GRAPH_FILE)

    @made_by("fold")
    def folded(self) -> HwGraph:
        """The graph of operators, folded for the board, without glue."""
        return load_graph(self.folders["fold"] / GRAPH_FILE)

    @made_by("fold")
    def border(self) -> Border:
        """What is around the core."""
        return border_of(self.folded, self.options.board.limits.bram18)

    @made_by("generate")
    def stitched(self) -> HwGraph:
        """The graph with all its glue and the FIFO depths that sizing found."""
        return load_graph(self.folders["generate"] / GRAPH_FILE)

    @made_by("generate")
    def proven_run(self) -> tuple[np.ndarray, CoreRun]:
        """Images that went through the final RTL back to back, and that run."""
        with np.load(self.folders["generate"] / PROVEN_RUN) as found:
            starts, ends = (tuple(found[name].tolist()) for name in ("starts", "ends"))
            return found["images"], CoreRun(logits=found["logits"], starts=starts, ends=ends, occupancy={})

    def frozen_logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (N x classes, int64) of the frozen network for ``images`` (uint8, N x H x W x C)."""
        import torch

        return np.asarray(self.network(torch.from_numpy(images)).numpy().astype(np.int64))
