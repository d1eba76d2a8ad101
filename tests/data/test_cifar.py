"""CIFAR's binary files, whole, damaged and fetched."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from bvit_hw.data import cifar, open_data
from bvit_hw.errors import DatasetError


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not talk."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def write_cifar(folder: Path, name: str, records: int = 20) -> dict[str, np.ndarray]:
    """A small dataset in the published layout; the records of each file."""
    home = folder / ("cifar-10-batches-bin" if name == "cifar10" else "cifar-100-binary")
    home.mkdir(parents=True)
    random = np.random.default_rng(3)
    files = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    if name == "cifar100":
        files = ["train.bin", "test.bin"]
    written = {}
    for file in files:
        labels = random.integers(0, 10 if name == "cifar10" else 20, (records, 1 if name == "cifar10" else 2))
        if name == "cifar100":
            labels[:, 1] = random.integers(0, 100, records)
        pixels = random.integers(0, 256, (records, 3072))
        written[file] = np.concatenate((labels, pixels), axis=1).astype(np.uint8)
        (home / file).write_bytes(written[file].tobytes())
    return written


@pytest.mark.parametrize("nested", [True, False])
def test_cifar10_is_read_as_published(tmp_path: Path, nested: bool) -> None:
    written = write_cifar(tmp_path, "cifar10")
    folder = tmp_path if nested else tmp_path / "cifar-10-batches-bin"
    (tmp_path / "cifar-10-batches-bin" / "batches.meta.txt").write_text(
        "\n".join(f"thing {i}" for i in range(10)) + "\n\n"
    )
    data = open_data(f"cifar10={folder}")
    assert (len(data.train), len(data.test), data.classes, data.size) == (100, 20, 10, 32)
    assert data.class_names[3] == "thing 3" and data.arrays is not None
    third = written["data_batch_2.bin"][3]
    assert data.arrays.train_labels[23] == third[0]
    image, label = data.train[23]
    assert isinstance(image, Tensor) and label == third[0]
    assert image.shape == (3, 32, 32) and image[2, 5, 7] == third[1 + 2 * 1024 + 5 * 32 + 7]


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    written = write_cifar(tmp_path, "cifar100")
    data = open_data(f"cifar100={tmp_path}")
    assert data.arrays is not None and data.classes == 100
    assert (data.arrays.test_labels == written["test.bin"][:, 1]).all()


def test_damaged_cifar_names_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cifar(tmp_path, "cifar10")
    home = tmp_path / "cifar-10-batches-bin"
    assert "data_batch_1.bin: 20 images" not in caplog.text
    open_data(f"cifar10={tmp_path}")
    assert "data_batch_1.bin: 20 images; the distribution has 10,000" in caplog.text, "fewer than published is told"
    third = home / "data_batch_3.bin"
    whole = third.read_bytes()
    for damaged, message in (
        (
            whole[:-1],
            r"data_batch_3.bin: 61,459 bytes; cifar10 has records of 3,073 bytes, 10,000 in this file .*truncated",
        ),
        (b"", r"data_batch_3.bin: 0 bytes"),
        (whole[:3073] + b"\x0a" + whole[3074:], r"data_batch_3.bin: record 1 has label 10; cifar10 has 0..9"),
        (whole[: 19 * 3073], r"different lengths .*data_batch_3.bin: 19"),
    ):
        third.write_bytes(damaged)
        with pytest.raises(DatasetError, match=message):
            open_data(f"cifar10={tmp_path}")
    third.unlink()
    with pytest.raises(DatasetError, match=r"data_batch_3.bin: no such file.*binary.*--download"):
        open_data(f"cifar10={tmp_path}")
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        open_data(f"cifar10={tmp_path / 'nowhere'}")


def test_a_class_without_training_records_is_named(tmp_path: Path) -> None:
    write_cifar(tmp_path, "cifar10")
    for path in (tmp_path / "cifar-10-batches-bin").glob("data_batch_*.bin"):
        records = np.fromfile(path, np.uint8).reshape(-1, 3073)
        records[records[:, 0] == 7, 0] = 6
        path.write_bytes(records.tobytes())
    with pytest.raises(DatasetError, match=r"data_batch_5\.bin: no record has label 7; cifar10 has 0\.\.9"):
        open_data(f"cifar10={tmp_path}")


def test_download_is_checked_against_the_published_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched from this machine: a foreign archive is refused, an absent one is an error."""
    write_cifar(tmp_path / "source", "cifar100")
    archive = shutil.make_archive(str(tmp_path / "cifar-100-binary"), "gztar", tmp_path / "source")
    published = cifar._LAYOUTS["cifar100"]
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = dataclasses.replace(published, url=f"http://127.0.0.1:{server.server_port}/{Path(archive).name}")
    monkeypatch.setitem(cifar._LAYOUTS, "cifar100", there)
    with pytest.raises(DatasetError, match=r"cifar100: http:.* cannot be fetched"):
        open_data(f"cifar100={tmp_path / 'a'}", download=True)
    digest = hashlib.md5(Path(archive).read_bytes()).hexdigest()
    monkeypatch.setitem(cifar._LAYOUTS, "cifar100", dataclasses.replace(there, md5=digest))
    assert len(open_data(f"cifar100={tmp_path / 'b'}", download=True).train) == 20
    with pytest.raises(DatasetError, match=r"no such folder"):
        open_data(f"cifar100={tmp_path / 'c'}")
    server.shutdown()
