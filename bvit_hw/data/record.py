"""What a checkpoint says of its data: data set, class names, preprocessing. Training writes it, all others read it.

It lies in the checkpoint's free data. Checkpoints of before have the data set inside ``recipe`` and no preprocessing;
what they were trained with then are the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bvit_hw.data.mnist import FASHION_CLASSES
from bvit_hw.data.sources import parse_data
from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.runtime.preprocess import Preprocessing

#: classes of data sets that have the same wherever they lie
_CLASSES = {"digits": tuple(map(str, range(10))), "mnist": None, "fashion-mnist": FASHION_CLASSES}


def default_preprocessing(config: BinaryViTConfig) -> Preprocessing:
    """What a network is trained with: proportions kept, bicubic, the middle 7/8."""
    return Preprocessing(config.image_size, config.image_size, config.in_channels)


@dataclass(frozen=True)
class DataRecord:
    """``dataset`` as ``--data`` names it and ``class_names`` in the classifier's order, None where not known.

    ``accuracy`` (a fraction) is what training measured at its end, of the QAT model on the data set's test split.
    """

    preprocessing: Preprocessing
    dataset: str | None = None
    class_names: tuple[str, ...] | None = None
    accuracy: float | None = None
    #: how many images that split has
    images: int | None = None
    #: whether the user wants grey pictures converted for a colour network, or the reverse; not kept in a file
    converts: bool = False

    def as_info(self) -> dict[str, object]:
        """The entries of a checkpoint's free data that :func:`record_of` reads; what is not known is left out."""
        found: dict[str, object] = {"preprocessing": self.preprocessing.as_json()}
        if self.dataset is not None:
            found["dataset"] = self.dataset
        if self.class_names is not None:
            found["classes"] = list(self.class_names)
        if self.accuracy is not None:
            found["test_accuracy"] = self.accuracy
        if self.images is not None:
            found["test_images"] = self.images
        return found


def record_of(info: Mapping[str, object], config: BinaryViTConfig, where: object = "checkpoint") -> DataRecord:
    """The record in a checkpoint's free data (:func:`bvit_hw.models.checkpoint_info`) for a network of ``config``.

    Raises :class:`CheckpointError`, naming ``where``, for entries that are not what training writes.
    """
    recipe = info.get("recipe")
    dataset = info.get("dataset", recipe.get("dataset") if isinstance(recipe, Mapping) else None)
    if not (dataset is None or isinstance(dataset, str)):
        raise CheckpointError(f"{where}: its record names the data set {dataset!r}; a text is expected")
    names = info.get("classes")
    if names is None and dataset is not None:
        kind = kind_of(dataset)
        fixed = _CLASSES.get(kind, ())
        names = tuple(map(str, range(config.classes))) if fixed is None else fixed or None
        names = None if names is not None and len(names) != config.classes else names
    if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise CheckpointError(f"{where}: its record names the classes {names!r}; a list of texts is expected")
    if names is not None and (len(names) != config.classes or len(set(names)) != len(names)):
        raise CheckpointError(
            f"{where}: its record names {len(set(names))} different classes; the network has {config.classes}"
        )
    size = config.image_size
    try:
        preprocessing = Preprocessing.from_json(info.get("preprocessing"), (size, size, config.in_channels))
    except ValueError as error:
        raise CheckpointError(f"{where}: {error}") from error
    accuracy = info.get("test_accuracy")
    share = float(accuracy) if isinstance(accuracy, int | float) and 0 <= accuracy <= 1 else None
    count = info.get("test_images")
    images = count if isinstance(count, int) and count > 0 else None
    return DataRecord(preprocessing, dataset, None if names is None else tuple(names), share, images)


def kind_of(dataset: str) -> str:
    """Kind of the data set that ``--data`` names; a folder that is not there any more is a tree."""
    try:
        return parse_data(dataset)[0]
    except ConfigError:
        return "tree"


def lasting(dataset: str) -> str:
    """``dataset`` with its folder's whole path, so that it means the same in another working directory."""
    try:
        kind, folder = parse_data(dataset)
    except ConfigError:
        return dataset
    if folder is None or ("=" not in dataset and kind not in ("tree", "npz")):
        return dataset
    return str(folder.absolute()) if kind in ("tree", "npz") else f"{kind}={folder.absolute()}"
