"""Networks: a checkpoint or a frozen network in a file, frozen into integers, and written for other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bvit_hw.api.words import require
from bvit_hw.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.contract import FrozenGraph
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.freeze.calibrate import CalibrationReport
    from bvit_hw.models.config import BinaryViTConfig

#: what :func:`export` writes
FORMATS = ("qonnx", "onnx")
#: bits of coefficients and of RPReLU's slopes where nothing else is asked for
_BITS = 8


@dataclass(frozen=True)
class Network:
    """A trained network's file: a checkpoint, or one that is frozen already; made by :func:`load`.

    ``random`` says that its weights are random, made for its hardware.
    """

    path: Path
    random: bool = False

    @cached_property
    def name(self) -> str:
        """What people call it: what training wrote, or its file's name."""
        from bvit_hw.network_file import network_name

        return network_name(self.path)

    @cached_property
    def config(self) -> BinaryViTConfig:
        """Its configuration: image size, channels, depths, classes; raises CheckpointError for a damaged file."""
        from bvit_hw.network_file import network_config

        return network_config(self.path)

    @cached_property
    def is_frozen(self) -> bool:
        """Whether the file holds integers, with nothing left to train or to calibrate."""
        from bvit_hw.contract.file import is_frozen

        return is_frozen(self.path)

    @cached_property
    def info(self) -> Mapping[str, object]:
        """The free data that training wrote: data set, class names, preprocessing, accuracy."""
        from bvit_hw.network_file import network_info

        return network_info(self.path)


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """A network in integers, proven exact: a graph of docs/contract.md, and what is known of it.

    ``info`` is the free data of its checkpoint, ``calibration`` what choosing its scales here showed (None: they came
    from training). Made by :func:`freeze`.
    """

    graph: FrozenGraph
    name: str
    info: Mapping[str, object] = field(default_factory=dict)
    calibration: CalibrationReport | None = None
    #: the file that it was read from or frozen from; outputs never replace it
    source: Path | None = None

    @cached_property
    def model_hash(self) -> str:
        """64 hex digits that name these integers, wherever they are: in files, bitstreams and drivers."""
        from bvit_hw.contract.header import model_hash

        return model_hash(self.graph)

    @property
    def exponent(self) -> int:
        """Real logits are the integer ones times 2**exponent."""
        return self.graph.tensors[self.graph.output].exponent

    @cached_property
    def _executed(self) -> FrozenBinaryViT:
        from bvit_hw.execute.frozen import FrozenBinaryViT

        return FrozenBinaryViT(self.graph)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Integer logits (N x classes, int64) of ``images`` (uint8, N x H x W x C); ConfigError for another shape."""
        import numpy as np
        import torch

        found = self._executed(torch.from_numpy(np.ascontiguousarray(images)))
        return np.asarray(found.numpy(), dtype=np.int64)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Classes (N, int64) of ``images`` (uint8, N x H x W x C); of equal logits the lower class."""
        return self._executed.predict(images)

    def trace(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Every named tensor for ``images`` (uint8, N x H x W x C), int32, N x height x width x channels.

        Binary ones hold 1 for +1 and 0 for -1.
        """
        import numpy as np
        import torch

        found = self._executed.trace(torch.from_numpy(np.ascontiguousarray(images)))
        return {name: value.numpy() for name, value in found.items()}

    def save(self, out: str | Path, *, overwrite: bool = False) -> str:
        """Write the integers to ``out`` (.safetensors), whole or not at all; returns :attr:`model_hash`.

        Raises OutputError for a file that is there without ``overwrite``, and for the file that this came from.
        """
        from bvit_hw.contract.file import save_frozen
        from bvit_hw.outputs import writable_output

        path = Path(out)
        writable_output(path, self.source, overwrite=overwrite)
        return save_frozen(self.graph, path, self.info, self.name)


@dataclass(frozen=True)
class Exported:
    """A file that :func:`export` wrote: ``nodes`` of its graph, its size in ``bytes``; Netron shows it."""

    path: Path
    nodes: int
    bytes: int
    calibration: CalibrationReport | None = None


@dataclass(frozen=True)
class Imported:
    """A checkpoint of the paper's code as one of ours.

    ``assumed`` are the keywords that shapes cannot show and nobody gave, taken as in the paper. ``calibration`` is None
    where no images were given: the network has no fixed-point scales yet.
    """

    network: Network
    assumed: tuple[str, ...]
    calibration: CalibrationReport | None


def load(
    checkpoint: str | Path | None = None,
    *,
    preset: str | None = None,
    network: str | Path | None = None,
    random_weights: bool = False,
) -> Network:
    """The network in a file: ``checkpoint`` (a checkpoint, or frozen), or the one that ships for ``preset``.

    ``network`` is a network's .toml file and gets random weights, as ``preset`` does with ``random_weights``: for its
    hardware. Where nothing is named it is the shipped tiny-digits. Raises ConfigError for two at once or an unknown
    preset, CheckpointError for a file that is missing or damaged.
    """
    from bvit_hw.pipeline.options import chosen_network

    path, described = chosen_network(
        preset_name=preset,
        network=None if network is None else Path(network),
        random_weights=random_weights,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        calibrate=None,
    )
    return Network(path, random=described is not None)


def as_network(network: Network | str | Path) -> Network:
    """The network, of which the file may be given."""
    require(network, (Network, str, Path), "a network is what api.load gives, or the path of its file")
    return network if isinstance(network, Network) else load(network)


def freeze(
    network: Network | str | Path,
    *,
    calibrate: str | None = None,
    coef_bits: int = _BITS,
    slope_bits: int = _BITS,
) -> FrozenNetwork:
    """``network`` in integers only, each sum proven to fit (docs/freezing.md); one that is frozen comes as it is.

    ``calibrate`` names images (a folder, an .npz, a dataset) to choose fixed-point scales with, for a checkpoint that
    has none. Coefficients have ``coef_bits`` and RPReLU's slopes ``slope_bits``, 4 to 12. Raises FreezeError for a
    checkpoint without scales or whose numbers do not fit, ConfigError for ``calibrate`` where there are scales already
    or for bits that a frozen network cannot take any more.
    """
    from bvit_hw.calibration import load_ready
    from bvit_hw.freeze import freeze as freeze_model
    from bvit_hw.network_file import load_graph

    given = as_network(network)
    if given.is_frozen:
        if (coef_bits, slope_bits) != (_BITS, _BITS):
            raise ConfigError(
                f"{given.path}: is frozen, with the widths of its coefficients; leave out coef_bits={coef_bits}, "
                f"slope_bits={slope_bits}"
            )
        graph, _ = load_graph(given.path, calibrate)
        return FrozenNetwork(graph, given.name, given.info, None, given.path)
    model, report = load_ready(given.path, calibrate)
    graph = freeze_model(model, coef_bits=coef_bits, slope_bits=slope_bits)
    more = {} if report is None else {"calibration": report.as_json()}
    return FrozenNetwork(graph, given.name, {**given.info, **more}, report, given.path)


def as_frozen(network: FrozenNetwork | Network | str | Path, calibrate: str | None = None) -> FrozenNetwork:
    """The network in integers, frozen here where it is not yet; ConfigError for ``calibrate`` where it is."""
    if not isinstance(network, FrozenNetwork):
        return freeze(network, calibrate=calibrate)
    if calibrate is not None:
        raise ConfigError(f"{network.name}: is frozen, with its fixed-point scales; leave out calibrate={calibrate!r}")
    return network


def export(
    network: FrozenNetwork | Network | str | Path,
    out: str | Path,
    *,
    form: str = "qonnx",
    calibrate: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write ``network``, frozen, as an ONNX file (docs/qonnx.md).

    ``form`` is "qonnx" (what the hardware is made of) or "onnx" (standard operators alone, for any number of images).
    ``calibrate`` is that of :func:`freeze`. Raises ConfigError for another form, OutputError for an ``out`` that is
    there without ``overwrite``, and what :func:`freeze` raises.
    """
    if form not in FORMATS:
        raise ConfigError(f"form {form!r}; allowed: {', '.join(FORMATS)}")
    from bvit_hw.outputs import writable_output

    path = Path(out)
    source = network.source if isinstance(network, FrozenNetwork) else as_network(network).path
    writable_output(path, source, overwrite=overwrite)
    from bvit_hw.qonnx import export_onnx, export_qonnx

    frozen = as_frozen(network, calibrate)
    written = export_onnx(frozen.graph, path) if form == "onnx" else export_qonnx(frozen.graph, path).model
    return Exported(path, len(written.graph.node), path.stat().st_size, frozen.calibration)


def import_checkpoint(
    paper: str | Path,
    out: str | Path,
    *,
    heads: Sequence[int] | None = None,
    reduction: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    act_bits: int = 8,
    residual_bits: int = 8,
    weight_bits: int = 8,
    calibrate: str | None = None,
    calibration_images: int | None = 256,
    overwrite: bool = False,
) -> Imported:
    """Write ``paper``, a checkpoint of the published BinaryViT code (.pth), as one of ours to ``out`` (.safetensors).

    Sizes and variant are read off the tensors; no code in the file is run. ``heads``, ``reduction`` (key/value pooling,
    1 for none) and ``depths`` are one number a stage, ``mean`` and ``std`` one a colour channel, of pixels in 0..1.
    Activations, residual stream, stem and classifier get so many bits. ``calibrate`` names images to choose fixed-point
    scales with, of which ``calibration_images`` are taken. Raises CheckpointError, naming each tensor that does not
    fit, ConfigError for values that are not allowed, OutputError for ``out``.
    """
    from bvit_hw.data import DATASETS
    from bvit_hw.models import save_checkpoint
    from bvit_hw.outputs import writable_output
    from bvit_hw.paper import load_paper_checkpoint

    source, path = Path(paper), Path(out)
    writable_output(path, source, overwrite=overwrite)
    changes: dict[str, object] = {"act_bits": act_bits, "residual_bits": residual_bits, "weight_bits": weight_bits}
    changes |= {name: tuple(value) for name, value in (("mean", mean), ("std", std)) if value is not None}
    model = load_paper_checkpoint(
        source,
        heads=None if heads is None else tuple(heads),
        reduction=None if reduction is None else tuple(reduction),
        depths=None if depths is None else tuple(depths),
        changes=changes,
    )
    # Shapes do show that there is no pooling, only not how much there is.
    pooled = max(model.config.reductions) > 1
    given = {"heads": heads, "reduction": reduction if pooled else (), "mean": mean, "std": std}
    assumed = tuple(name for name, value in given.items() if value is None)
    info: dict[str, object] = {"imported_from": source.name}
    report = None
    if calibrate is not None:
        from bvit_hw.calibration import calibrate_from

        report = calibrate_from(model, calibrate, calibration_images)
        info["calibration"] = report.as_json()
        if calibrate in DATASETS:
            # evaluate and build then take its test images unless told otherwise.
            info["dataset"] = calibrate
    save_checkpoint(model, path, info)
    return Imported(Network(path), assumed, report)
