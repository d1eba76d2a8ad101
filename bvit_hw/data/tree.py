"""Image trees as ImageNet has them: ROOT/train/CLASS/*.jpg and ROOT/val/CLASS/*.jpg, read by torchvision."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torchvision.datasets import ImageFolder

from bvit_hw.data.datasets import no_folder
from bvit_hw.data.folder import spread
from bvit_hw.errors import DatasetError
from bvit_hw.runtime.errors import ImageError
from bvit_hw.runtime.pictures import pillow_errors, read_picture

#: accepted names of the split that measures accuracy
VALIDATION = ("val", "validation", "test")


class DamagedImageError(DatasetError):
    """A file of an image tree that cannot be decoded."""


def read_image(path: str | Path) -> Image.Image:
    """The file as an upright RGB picture, read as the driver reads pictures (bvit_hw/runtime/pictures.py).

    One that cannot be decoded to its end, or has no known range, raises :class:`DamagedImageError` naming it.
    """
    try:
        picture = read_picture(path)
    except ImageError as error:
        raise DamagedImageError(str(error)) from error
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _read_grey(path: str | Path) -> Image.Image:
    return read_image(path).convert("L")


#: Pillow's modes of grey pictures, beside those of 16 bits
_GREY = ("1", "L", "LA", "La", "I", "F")
#: pictures of a tree whose colours are looked at: their files' heads, nothing is decoded
_LOOKED_AT = 64


def _is_grey(split: ImageFolder) -> bool:
    """Whether a tree's pictures are grey, told by some of them, evenly spread; one coloured picture decides."""
    seen = False
    for index in spread(len(split.samples), _LOOKED_AT):
        try:
            with Image.open(split.samples[index][0]) as picture:
                if picture.mode not in _GREY and not picture.mode.startswith("I;16"):
                    return False
                seen = True
        except pillow_errors():  # a damaged file; it is named when it is read, whether grey or not
            continue
    return seen


def _split(folder: Path) -> ImageFolder:
    try:
        return ImageFolder(str(folder), loader=read_image)
    except FileNotFoundError as error:
        # torchvision says which class folder is empty, or that there is none; the rest of its message is about types.
        reason = str(error).split("Supported extensions")[0].strip()
        raise DatasetError(
            f"{folder}: {reason} Images must lie in one folder a class, as in {folder}/CLASS/IMAGE.jpg"
        ) from error
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error}") from error


def _some(names: set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def open_tree(root: Path) -> tuple[ImageFolder, ImageFolder, int]:
    """Training and validation split of the tree at ``root``, listed and checked but not read, and their channels.

    Raises :class:`DatasetError` naming the folder: no such tree, a missing split, an empty class, classes that only
    one of the splits has.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: {no_folder(root)}; an image tree with train/ and {VALIDATION[0]}/ is expected")
    train = root / "train"
    val = next((root / name for name in VALIDATION if (root / name).is_dir()), None)
    if not train.is_dir() or val is None:
        missing = "train" if not train.is_dir() else "/, ".join(VALIDATION)
        found = _some({p.name for p in root.iterdir() if p.is_dir()}) or "no folders"
        raise DatasetError(f"{root}: {missing}/ is missing; found {found}. An image tree has train/ and val/")
    train_split, val_split = _split(train), _split(val)
    only_train = set(train_split.classes) - set(val_split.classes)
    only_val = set(val_split.classes) - set(train_split.classes)
    if only_train or only_val:
        facts = [f"only in {train}: {_some(only_train)}"] * bool(only_train)
        facts += [f"only in {val}: {_some(only_val)}"] * bool(only_val)
        raise DatasetError(f"{root}: the splits have different classes; {'; '.join(facts)}")
    grey = _is_grey(train_split)
    if grey:
        train_split.loader = val_split.loader = _read_grey
    return train_split, val_split, 1 if grey else 3
