"""One preprocessing on every way to the network: equal to Pillow pass by pass, and what is no picture is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from bvit_hw.data.augment import evaluation_transform
from bvit_hw.data.tree import DamagedImageError, read_image
from bvit_hw.runtime import ImageError, load_pictures
from bvit_hw.runtime.images import prepare
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.preprocess import Preprocessing, luma
from tests.emulators.device_stand_in import INFO

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def by_pillow(picture: np.ndarray, how: Preprocessing) -> np.ndarray:
    """The same with Pillow: columns, then rows, then the middle."""
    image = Image.fromarray(picture)
    if how.channels == 1 and picture.ndim == 3:
        image = image.convert("L")
    if picture.shape[:2] != (how.height, how.width):
        if how.resize == "stretch":
            rows, cols = round(how.height / how.crop), round(how.width / how.crop)
        else:
            least = round(how.height / how.crop)
            scale = least / min(picture.shape[:2])
            rows, cols = (least if n == min(picture.shape[:2]) else int(n * scale + 1e-9) for n in picture.shape[:2])
        kind = _FILTERS[how.filter]
        image = image.resize((cols, picture.shape[0]), kind).resize((cols, rows), kind)
        left, top = round((cols - how.width) / 2), round((rows - how.height) / 2)
        image = image.crop((left, top, left + how.width, top + how.height))
    found = np.asarray(image)
    return found[..., None] if found.ndim == 2 else found


def pictures() -> list[np.ndarray]:
    """Parts of two photographs, noise, black and white dots; upright, lying, square, down to one pixel wide."""
    random = np.random.default_rng(3)
    photographs = load_sample_images().images
    found = [photographs[0], photographs[1][:300, :301], photographs[0][::7, 100:130], photographs[1][5:6, :50]]
    found += [photographs[0][:90, 7:8], photographs[1][:1, :1], photographs[0][:40, :32], photographs[1][:32, :32]]
    for size in ((37, 53), (53, 37), (8, 8), (28, 28), (33, 32), (3, 400), (400, 3), (224, 225)):
        found.append(random.integers(0, 256, (*size, 3), np.uint8))
        found.append((random.random((*size, 3)) < 0.5).astype(np.uint8) * 255)
    return found


@pytest.mark.parametrize("side", [28, 32, 64])
@pytest.mark.parametrize("words", [{}, {"filter": "bilinear"}, {"crop": 1.0}, {"resize": "stretch", "crop": 1.0}])
def test_every_pass_is_pillows(side: int, words: dict[str, object]) -> None:
    for picture in pictures():
        for channels in (3, 1):
            how = Preprocessing(side, side, channels, **words)  # type: ignore[arg-type]
            found = how(picture[None])[0]
            assert np.array_equal(found, by_pillow(picture, how)), (picture.shape, how)


def test_training_and_driver_see_the_same_bytes(tmp_path: Path) -> None:
    """The transform of training's evaluation on files against the driver on the same files."""
    how = Preprocessing(INFO.height, INFO.width, 3)
    for number, picture in enumerate(pictures()[:8]):
        Image.fromarray(picture).save(tmp_path / "a.png")
        (driver,) = prepare(load_pictures(tmp_path / "a.png").images, INFO)
        trained = evaluation_transform(how)(read_image(tmp_path / "a.png")).permute(1, 2, 0).numpy()
        assert np.array_equal(driver, trained), number


def test_many_at_once_are_what_each_is_alone() -> None:
    batch = np.random.default_rng(0).integers(0, 256, (300, 50, 41, 3), np.uint8)
    how = Preprocessing(32, 32, 3)
    whole = how(batch)
    assert all(np.array_equal(whole[i : i + 1], how(batch[i : i + 1])) for i in range(0, 300, 37))
    assert how(whole) is whole, "pictures of the very size are not touched"


def test_luma_is_pillows() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(luma(colours)[..., 0], np.asarray(Image.fromarray(colours).convert("L")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"resize": "longer"}, "allowed: shorter, stretch"),
        ({"filter": "lanczos"}, "allowed: bicubic, bilinear"),
        ({"crop": 0}, "crop=0"),
        ({"crop": float("nan")}, "crop=nan"),
        ({"crop": "1"}, "crop='1'"),
        ({"height": 64}, "to 64 x 32 x 3; the network takes 32 x 32 x 3"),
        ({"width": 0}, "width=0"),
        ({"mean": 0}, "'mean'"),
        ("bicubic", "bicubic"),
    ],
)
def test_specifications_that_are_wrong(data: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Preprocessing.from_json(data, (32, 32, 3))


def test_a_specification_survives_json() -> None:
    how = Preprocessing(32, 32, 1, "stretch", "bilinear", 1.0)
    assert Preprocessing.from_json(how.as_json(), (32, 32, 1)) == how
    assert Preprocessing.from_json(None, (32, 32, 3)) == Preprocessing(32, 32, 3, "shorter", "bicubic", 0.875)


RAMP = np.linspace(0, 1, 24 * 40).reshape(24, 40)


def saved(tmp_path: Path, name: str, array: np.ndarray) -> Path:
    Image.fromarray(array).save(tmp_path / name)
    return tmp_path / name


def both_readers(path: Path) -> np.ndarray:
    """The picture as the driver reads it, grey or RGB; a tree's reader must see the same."""
    (found,) = load_pictures(path).images
    tree = np.asarray(read_image(path))
    assert np.array_equal(tree, found if found.ndim == 3 else np.repeat(found[..., None], 3, axis=2))
    return found


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled(tmp_path: Path, name: str) -> None:
    found = both_readers(saved(tmp_path, name, np.rint(RAMP * 65535).astype(np.uint16)))
    assert np.abs(found - RAMP * 255).max() <= 0.51


def test_reals_count_from_0_to_1_and_others_are_refused(tmp_path: Path) -> None:
    assert np.abs(both_readers(saved(tmp_path, "a.tif", RAMP.astype(np.float32))) - RAMP * 255).max() <= 0.51
    for wrong, words in ((RAMP * 255, r"0\.\.255"), (RAMP - 0.5, r"-0\.5"), (np.where(RAMP, RAMP, np.nan), "NaN")):
        path = saved(tmp_path, "b.tif", wrong.astype(np.float32))
        with pytest.raises(ImageError, match=words) as caught:
            load_pictures(path)
        assert "b.tif" in str(caught.value)
        with pytest.raises(DamagedImageError, match=words):
            read_image(path)


def test_thirty_two_bits_have_no_known_range(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.tif", np.rint(RAMP * 1e6).astype(np.int32))
    with pytest.raises(ImageError, match=r"a\.tif: picture of 32-bit integers"):
        load_pictures(path)
    with pytest.raises(DamagedImageError, match="32-bit integers"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_pictures_are_turned_upright(tmp_path: Path, name: str) -> None:
    """One bright corner of a lying picture; each orientation says where it belongs."""
    stored = np.zeros((16, 32), np.uint8)
    stored[:8, :8] = 255
    corners = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}
    for orientation, corner in corners.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored).convert("RGB").save(tmp_path / name, exif=exif)
        found = both_readers(tmp_path / name)[..., 0]
        assert found.shape == ((16, 32) if orientation < 5 else (32, 16)), orientation
        upright = found[:: 1 if corner[0] == "t" else -1, :: 1 if corner[1] == "l" else -1]
        assert upright[:6, :6].min() > 200 and upright[9:, :].max() < 60 and upright[:, 9:].max() < 60, orientation


def test_other_modes(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    picture = Image.fromarray(rgb)
    opaque = picture.copy()
    opaque.putalpha(7)
    opaque.save(tmp_path / "a.png")
    assert np.array_equal(both_readers(tmp_path / "a.png"), rgb), "opacity is left out, not mixed in"
    picture.convert("1").save(tmp_path / "b.png")
    assert set(np.unique(both_readers(tmp_path / "b.png"))) == {0, 255}
    picture.quantize(255).save(tmp_path / "c.png")
    assert both_readers(tmp_path / "c.png").shape == (9, 7, 3)
    grey = Image.fromarray(rgb[..., 0])
    grey.putalpha(9)
    grey.save(tmp_path / "d.png")
    assert np.array_equal(both_readers(tmp_path / "d.png"), rgb[..., 0])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40), b"II*\0" + b"\xff" * 30])
def test_damaged_pictures(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: damaged"):
        load_pictures(tmp_path / "a.png")
    with pytest.raises(DamagedImageError, match=r"a\.png: damaged"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((3, 32, 32), np.uint8), "planes of one picture, or 3 grey"),
        (np.zeros((4, 32, 32), np.uint8), "planes of one picture, or 4 grey"),
        (np.zeros((2, 32, 32), np.float32), "planes of one picture, or 2 grey"),
        (np.zeros((32, 32, 2), np.uint8), "a picture of 2 channels"),
        (np.zeros((32, 32, 5), np.uint8), "a picture of 5 channels"),
        (np.zeros((5, 32, 32, 2), np.uint8), "2 channels"),
        (np.zeros((5, 3, 32, 32), np.uint8), "channels come last"),
        (np.zeros((1, 1, 5, 32, 3), np.uint8), "of shape"),
        (np.full((8, 8), np.inf), "inf"),
        (np.full((8, 8), -np.inf, np.float16), "inf"),
        (np.full((8, 8), 1.01), r"1\.01"),
        (np.full((8, 8), -0.01, np.float32), r"-0\.01"),
        (np.linspace(0, 255, 64).reshape(8, 8), r"0\.\.255"),
        (np.zeros((8, 8), bool), "are bool"),
        (np.zeros((8, 8), np.uint16), "are uint16"),
        (np.zeros((8, 8), complex), "are complex"),
        (np.zeros((8, 8), object), "are object"),
        (None, "are None"),
        ("a.png", "of type str"),
        (7, "of type int"),
        ([None], "image 0 of the list: None is no image"),
        ([np.zeros((8, 8), np.uint8), [[1, 2], [3]]], "image 1 of the list: rows of different lengths"),
        ([[[1, 2], [3]]], "rows of different lengths"),
        ({}, "of type dict"),
        (Image.fromarray(np.zeros((4, 4), np.int32)), "32-bit integers"),
    ],
)
def test_what_is_no_picture(wrong: object, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        prepare(wrong, INFO)


def test_pillows_pictures_are_taken() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 9, 3), np.uint8)
    wanted = prepare(rgb, INFO)
    assert np.array_equal(prepare(Image.fromarray(rgb), INFO), wanted)
    assert np.array_equal(prepare([Image.fromarray(rgb), rgb], INFO), np.concatenate([wanted, wanted]))
    turned = Image.fromarray(rgb.transpose(1, 0, 2).copy())
    turned.getexif()[0x0112] = 5
    assert np.array_equal(prepare(turned, INFO), wanted), "held another way"


def test_all_values_of_a_real_picture_round_to_a_byte() -> None:
    reals = np.float32([[-0.001, 1.001, 0.5, 1.0, 0.0, 3 / 255, 0.25, 1 / 3]] * 4)
    assert prepare(reals, INFO)[0, 0, :, 0].tolist() == [0, 255, 128, 255, 0, 3, 64, 85]


def test_model_json_carries_the_preprocessing(tmp_path: Path) -> None:
    how = Preprocessing(INFO.height, INFO.width, INFO.channels, "stretch", "bilinear", 1.0)
    (tmp_path / "model.json").write_text(replace(INFO, preprocessing=how.as_json()).text())
    read = ModelInfo.read(tmp_path / "model.json")
    assert read.preprocessor == how and INFO.preprocessor == Preprocessing(INFO.height, INFO.width, INFO.channels)
    picture = np.random.default_rng(0).integers(0, 256, (20, 9, 3), np.uint8)
    assert np.array_equal(prepare(picture, read), how(picture[None]))
    assert not np.array_equal(prepare(picture, read), prepare(picture, INFO))
    (tmp_path / "model.json").write_text(replace(INFO, preprocessing={"crop": 3}).text())
    with pytest.raises(ValueError, match=r"model\.json: .*crop=3"):
        ModelInfo.read(tmp_path / "model.json")


def test_folders_of_classes_give_labels_by_name(tmp_path: Path) -> None:
    """By the network's names, whatever their order; other files are left alone; unknown classes give no labels."""
    grey = Image.new("L", (4, 4))
    for folder, names in {"dog": ["b.png", "a.png"], "cat": ["c.jpg"], "empty": []}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            grey.save(tmp_path / folder / name)
    (tmp_path / "dog" / "notes.txt").write_text("not a picture")
    (tmp_path / "list.csv").write_text("neither")
    found = load_pictures(tmp_path, ["bird", "cat", "dog"])
    assert found.names == ["cat/c.jpg", "dog/a.png", "dog/b.png"] and found.labels is not None
    assert found.labels.tolist() == [1, 2, 2]
    assert load_pictures(tmp_path, ["cat", "bird"]).labels is None and load_pictures(tmp_path).labels is None
    grey.save(tmp_path / "own.png")  # pictures of its own come first
    assert load_pictures(tmp_path, ["bird", "cat", "dog"]).names == ["own.png"]
    (tmp_path / "none" / "deeper").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"holds no pictures .* nor do folders in it"):
        load_pictures(tmp_path / "none")
