"""What goes to the board: driver, notebooks, model, test images with expected logits, and, once built, the bitstream.

The same files make the package's folder, the release archive and what `bvit-hw deploy` copies; SHA256SUMS names them.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from bvit_hw.disk import aside
from bvit_hw.errors import OutputError
from bvit_hw.resources import data_path
from bvit_hw.runtime.engine import PROGRAMME
from bvit_hw.runtime.errors import PackageError
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.sums import USERS_OWN, differences
from bvit_hw.sums import SUMS, sums

__all__ = ["SUMS", "package_files", "release_files", "sums", "write_archive", "write_board_files", "write_release"]
#: what Vivado or Vitis leaves for the board
BITSTREAMS = ("bvit_hw.bit", "bvit_hw.hwh", "bvit_hw.xclbin")
#: names (or beginnings of names, for folders) of the package that the board has a use for
_BOARD_NAMES = (
    "README.md", "model.json", "frozen.safetensors", "test_images.npz", "requirements.txt", PROGRAMME, "registers.md",
)  # fmt: skip

#: what the driver needs of bvit_hw/contract, beside the operators: what reads a frozen network and runs it
DRIVER_CONTRACT = ("__init__.py", "header.py", "interval.py", "nodes.py", "reference.py")

_README = """\
# {title}

BinaryViT accelerator, model {name} (`{hash}`), {height} x {width} x {channels} -> {classes} classes.

| file | is |
|---|---|
| `bvit_hw.bit`, `bvit_hw.hwh` (Alveo: `bvit_hw.xclbin`) | the accelerator{built} |
| `bvit_hw_runtime/` | the driver: Python 3.10, NumPy and pynq |
| `*.ipynb` | notebooks; begin with `first_inference.ipynb` |
{programme}| `test_images.npz` | test images, labels, and the logits that must come out |
| `SHA256SUMS` | of all files; `sha256sum -c SHA256SUMS`, or the self-test below |

On the board, in this folder, as root (pynq wants it): `python3 -m bvit_hw_runtime selftest` checks the files, the
accelerator's identity and every logit of the test images.
"""


_STREAMING_ROWS = """\
| `model.json`, `frozen.safetensors` | the model that the bitstream holds |
"""
_ENGINE_ROWS = """\
| `model.json`, `frozen.safetensors` | the engine that the bitstream holds, and the model of the programme |
| `network.prog` | that model as a programme; `load` of the driver takes others, made by `bvit-hw compile` |
| `registers.md` | the engine's registers |
"""


def write_board_files(
    folder: Path,
    *,
    info: ModelInfo,
    title: str,
    frozen: Path,
    images: np.ndarray,
    labels: np.ndarray | None,
    logits: np.ndarray,
) -> None:
    """Write driver, notebooks, model and test images into ``folder`` (which is there), and SHA256SUMS last.

    ``images`` are uint8 N x H x W x C, ``labels`` N or None, ``logits`` int32 N x classes.
    """
    write_driver(folder)
    notebooks = data_path("boards") / "notebooks"
    engines = sorted((notebooks / "engine").iterdir()) if info.engine is not None else []
    for file in [*sorted(notebooks.iterdir()), *engines]:
        if file.suffix == ".ipynb" or file.name == "requirements.txt":
            shutil.copyfile(file, folder / file.name)
    (folder / "model.json").write_text(info.text())
    shutil.copyfile(frozen, folder / "frozen.safetensors")
    known = {} if labels is None else {"labels": labels}
    np.savez_compressed(folder / "test_images.npz", images=images, logits=logits, **known)
    text = _README.format(
        title=title,
        name=info.name,
        hash=info.model_hash[:16],
        height=info.height,
        width=info.width,
        channels=info.channels,
        classes=info.classes,
        built=", once the vendor's tools have built it",
        programme=_STREAMING_ROWS if info.engine is None else _ENGINE_ROWS,
    )
    (folder / "README.md").write_text(text)
    files = package_files(folder)
    (folder / SUMS).write_text(sums(files))


def write_driver(folder: Path) -> Path:
    """Write the driver into ``folder``: this package's runtime, and in it what it needs of the contract."""
    house = Path(__file__).resolve().parents[1]
    driver, unwanted = folder / "bvit_hw_runtime", shutil.ignore_patterns("__pycache__")
    shutil.copytree(house / "runtime", driver, ignore=unwanted)
    (driver / "contract").mkdir()
    for name in DRIVER_CONTRACT:
        shutil.copyfile(house / "contract" / name, driver / "contract" / name)
    shutil.copytree(house / "contract" / "operators", driver / "contract" / "operators", ignore=unwanted)
    return driver


def package_files(folder: Path) -> dict[str, Path]:
    """The package's files for the board, by their path there; no SHA256SUMS."""
    found = {name: folder / name for name in _BOARD_NAMES if (folder / name).is_file()}
    found |= {file.name: file for file in folder.glob("*.ipynb")}
    for file in (folder / "bvit_hw_runtime").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            found[str(file.relative_to(folder))] = file
    return dict(sorted(found.items()))


def release_files(build: Path) -> dict[str, Path]:
    """Everything for the board of the build in folder ``build``, the bitstream with it where one was built.

    Raises OutputError when there is no finished package, and where a file is not as it was written: what is copied or
    packed gets sums of its own, which would call a damaged file whole. Notebooks and README may be the user's. A
    bitstream is none of the package's files: it is taken as Vivado left it.
    """
    package = build / "package"
    if not (package / SUMS).is_file():
        raise OutputError(f"{build}: holds no finished build (no package/{SUMS}); run bvit-hw build first")
    found = package_files(package)
    try:
        wrong = differences(package, {name for name in found if not name.endswith(USERS_OWN)})
    except PackageError as error:
        raise OutputError(str(error)) from error
    if wrong:
        raise OutputError(f"{package}: {'; '.join(wrong)}; remove that folder and run bvit-hw build again")
    # Where Vivado was run by hand, its results lie beside the script that made them.
    for folder in (package, build / "bitstream"):
        found |= {name: folder / name for name in BITSTREAMS if (folder / name).is_file()}
    return dict(sorted(found.items()))


def write_archive(target: Path, files: Mapping[str, Path], extra: Iterable[tuple[str, str]] = ()) -> None:
    """A .zip of ``files`` and texts ``extra`` (name, text) in one folder named like it; equal inputs, equal bytes."""
    contents = {name: path.read_bytes() for name, path in files.items()} | {n: t.encode() for n, t in extra}
    try:
        with aside(target) as name, zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(f"{target.stem}/{name}")  # its time is 1980, whenever it was written
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, contents[name], compresslevel=9)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error


def write_release(build: Path, board: str) -> Path:
    """Write ``bvit_hw-BOARD.zip``, all that the board needs, into the build's folder; returns its path."""
    files = release_files(build)
    target = build / f"bvit_hw-{board}.zip"
    write_archive(target, files, [(SUMS, sums(files))])
    return target
