"""Networks as TOML files: presets are such files, errors name file and field, commands take them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bvit_hw.boards import load_board
from bvit_hw.contract.file import load_frozen
from bvit_hw.errors import BvitError, CheckpointError, ConfigError
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models import PRESETS, BinaryViTConfig, checkpoint_config, checkpoint_info, network_toml, preset, presets
from bvit_hw.models.network_toml import NetworkDescription, network_text, read_network
from bvit_hw.network_file import network_name
from bvit_hw.pipeline.options import resolve
from bvit_hw.train.recipe import RECIPES, training_recipe
from tests.command import bvit, refused
from tests.frozen_factory import CONFIGS
from tests.picture_trees import write_tree

SMALL = {
    "image_size": 16,
    "in_channels": 3,
    "patch_size": 4,
    "channels": [8, 16],
    "depths": [1, 1],
    "heads": [1, 2],
    "mlp_widths": [16, 32],
    "reductions": [2, 1],
    "classes": 2,
}


def written(path: Path, **changes: Any) -> Path:
    """A small network's file; a change to None leaves the field out."""
    fields = {key: value for key, value in (SMALL | changes).items() if value is not None}
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items()))
    return path


def message(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_network(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_presets_are_files_and_the_networks_they_were() -> None:
    folder = Path(presets.__file__).parent / "networks"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(PRESETS)
    dumped = json.dumps({name: config.model_dump(mode="json") for name, config in PRESETS.items()}, sort_keys=True)
    digest = hashlib.sha256(dumped.encode()).hexdigest()
    assert digest == "a9f6a6474f0a01d1d1f63eb55a1cdf8e5990b74a4712244de5900e7a62dcc50d"
    assert list(PRESETS) == list(presets.NAMES) and len(PRESETS) == 12 and "huge" not in PRESETS
    found = {name: presets.preset_network(name) for name in PRESETS}
    assert {name: n.recipe for name, n in found.items() if not name.startswith(("deit", "small"))} == {
        "tiny-digits": "digits", "tiny-digits-some-fp": "digits", "tiny-cifar10": "cifar", "tiny-cifar100": "cifar",
        "cifar10": "pictures", "fashion-mnist": "pictures",
    }  # fmt: skip
    assert {n.recipe for name, n in found.items() if name.startswith(("deit", "small"))} == {"paper"}
    assert {n.name: n.data for n in found.values() if n.data} == {
        "tiny-digits": "digits", "tiny-digits-some-fp": "digits", "fashion-mnist": "fashion-mnist",
    }  # fmt: skip


@pytest.mark.parametrize("name", [*PRESETS, *CONFIGS])
def test_what_is_written_is_read_as_the_same_network(tmp_path: Path, name: str) -> None:
    if name in PRESETS:
        network = presets.preset_network(name)
    else:
        network = NetworkDescription(name=name, config=CONFIGS[name], summary='a "b" \\ ü\n\t\x00\U0001f600')
    path = tmp_path / f"{name}.toml"
    path.write_text(network_text(network), encoding="utf-8")
    assert read_network(path) == network
    # Every field is there, with a comment before it.
    lines = path.read_text(encoding="utf-8").splitlines()
    for field in BinaryViTConfig.model_fields:
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{field} = "))
        assert lines[place - 1].startswith("# ")


def test_commented_fields_are_those_of_the_configuration() -> None:
    assert list(network_toml._FIELDS) == list(BinaryViTConfig.model_fields)
    assert all(len(line) <= 120 for line in network_text(presets.preset_network("cifar10")).splitlines())
    names = network_toml._ABOUT["recipe"].rpartition(": ")[2].rstrip(".").replace(" or ", ", ").split(", ")
    assert set(names) == set(RECIPES)


@pytest.mark.parametrize("field", BinaryViTConfig.model_fields)
def test_each_field_of_another_type_is_refused_by_its_name(tmp_path: Path, field: str) -> None:
    kind = type(getattr(PRESETS["cifar10"], field))
    wrong: dict[type, list[Any]] = {
        bool: [1, "true", [True]], int: [32.0, "32", True, [32]], tuple: [64, "64", ["64"], [True], []],
    }  # fmt: skip
    for value in wrong[kind]:
        told = message(written(tmp_path / "net.toml", **{field: value}))
        assert f"{field}: " in told or f"{field}[0]: " in told or (field in ("mean", "std") and f"{field}=" in told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image_size": 0}, "image_size: Input should be greater than or equal to 1; given: 0"),
        ({"image_size": 10**9}, "image_size: at most 4096; given: 1000000000"),
        ({"depths": [1, 10**6]}, "depths: at most 256; given: 1000000"),
        ({"channels": [8, -16]}, "channels[1]: Input should be greater than or equal to 1; given: -16"),
        ({"act_bits": 13}, "act_bits: Input should be less than or equal to 12; given: 13"),
        ({"table_bits": 3}, "table_bits: Input should be greater than or equal to 4; given: 3"),
        ({"std": [0, 1, 1]}, "std[0]: Input should be greater than or equal to 0.001; given: 0"),
        ({"mean": [float("nan"), 0, 0]}, "mean[0]: "),
        ({"classes": None}, "classes: is missing"),
        ({"depth": [1, 1]}, "depth: no such field; did you mean depths?"),
        ({"colour": "red"}, "colour: no such field; allowed: summary, recipe, data, image_size, "),
        ({"depths": [1]}, "depths=(1,) has 1 entries; channels=(8, 16) asks for 2"),
        ({"in_channels": 1, "mean": [0.5, 0.5, 0.5]}, "mean=(0.5, 0.5, 0.5) must have in_channels=1 entries"),
        ({"heads": [1, 3]}, "stage 1: heads=3 does not divide channels=16"),
        ({"image_size": 18}, "image_size=18 must be a multiple of 8 (patch and stages)"),
        ({"class_token": True}, "class_token needs a single stage"),
        ({"summary": 3}, "summary: a text is expected; given: 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = written(tmp_path / "net.toml", **change)
    path.write_text(path.read_text().replace("NaN", "nan"))
    assert told in message(path)


def test_a_grey_network_needs_no_normalization_of_its_own(tmp_path: Path) -> None:
    config = read_network(written(tmp_path / "net.toml", in_channels=1)).config
    assert (config.in_channels, config.mean, config.std) == (1, (0.5,), (0.5,))


def test_an_array_is_not_called_empty_because_its_entries_are_wrong(tmp_path: Path) -> None:
    path = written(tmp_path / "net.toml", heads=[0, 0], depths=[])
    told = "depths: at least one entry is needed, as in [64]; given: []; heads[0]: Input should be greater than or "
    told += "equal to 1; given: 0; heads[1]: Input should be greater than or equal to 1; given: 0"
    assert message(path).endswith(f": {told}")
    assert "mean: an array is expected, as in [0.5, 0.5, 0.5]; given: 0.5" in message(written(path, mean=0.5))


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    told = message(written(tmp_path / "net.toml", classes=None, head=1, act_bits="8", data=[1], image_size=99_999))
    for part in ("classes: is missing", "head: no such", "act_bits: ", "data: a text", "image_size: at most"):
        assert part in told


def test_files_that_are_no_network(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in message(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    assert "cannot be read: Is a directory" in message(tmp_path / "folder.toml")
    assert "a .toml file is expected" in message(tmp_path / "tiny-digits")
    for content in (b"image_size = \n", b"\xff\xfe", b"a = 1\na = 2\n", b"a = " + b"[" * 5000):
        (tmp_path / "bad.toml").write_bytes(content)
        assert "is not valid TOML" in message(tmp_path / "bad.toml")
    (tmp_path / "empty.toml").write_bytes(b"")
    assert "image_size: is missing" in message(tmp_path / "empty.toml")
    (tmp_path / "mark.toml").write_bytes(b"\xef\xbb\xbf" + written(tmp_path / "net.toml").read_bytes())
    assert read_network(tmp_path / "mark.toml").config == read_network(tmp_path / "net.toml").config


def test_models_prints_what_a_file_costs(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(network_text(presets.preset_network("tiny-digits")))
    rows = json.loads(bvit("models", "--network", path, "--json", cwd=tmp_path).stdout)
    assert [(row["name"], row["binary_weights"]) for row in rows] == [("mine", 1_418_240)]
    table = bvit("models", "--network", path, cwd=tmp_path).stdout.splitlines()
    assert len(table) == 2 and table[1].split()[:6] == ["mine", "1.48", "1.42", "4.12", "0.03", "0.10"]
    refused(bvit("models", "--network", written(path, classes=-1), cwd=tmp_path), str(path), "classes: ", "given: -1")


def test_init_writes_an_example_and_never_over_a_file(tmp_path: Path) -> None:
    done = bvit("init", "mine", cwd=tmp_path)
    assert done.returncode == 0 and "mine.toml" in done.stdout
    path = tmp_path / "mine.toml"
    assert read_network(path).config == PRESETS["cifar10"] and read_network(path).name == "mine"
    path.write_text("mine\n")
    refused(bvit("init", "mine.toml", cwd=tmp_path), "mine.toml: is there already", "--overwrite")
    assert path.read_text() == "mine\n"
    assert bvit("init", "mine", "--preset", "fashion-mnist", "--overwrite", cwd=tmp_path).returncode == 0
    assert read_network(path).config == PRESETS["fashion-mnist"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]
    refused(bvit("init", "--", "", cwd=tmp_path), "NAME", "empty")
    for name in ("a/b", "../a", "-a", ".toml", "a b", "a" * 65):
        refused(bvit("init", "--", name, cwd=tmp_path), "letters, digits")
    refused(bvit("init", "cifar10", cwd=tmp_path), "is a preset's")
    refused(bvit("init", "other", "--preset", "huge", cwd=tmp_path), "'huge'", "tiny-digits")
    refused(bvit("init", "other", "--out", tmp_path / "none", cwd=tmp_path), "cannot be written: No such file")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.toml"]


def test_recipe_and_data_are_the_files_own(tmp_path: Path) -> None:
    own = read_network(written(tmp_path / "net.toml", recipe="digits", data="digits"))
    asked = training_recipe(own)
    assert (asked.dataset, asked.epochs, asked.model) == ("digits", RECIPES["digits"]["epochs"], own.config)
    assert training_recipe(own, recipe="cifar", data="cifar10=x").dataset == "cifar10=x"
    plain = read_network(written(tmp_path / "net.toml"))
    assert training_recipe(plain, data="digits").batch_size == RECIPES["pictures"]["batch_size"]
    large = read_network(written(tmp_path / "net.toml", image_size=96))
    assert training_recipe(large, data="digits").augmentation == "paper"
    with pytest.raises(ConfigError, match="network net has no dataset of its own"):
        training_recipe(plain)
    with pytest.raises(ConfigError, match="network net: recipe 'long' is unknown; allowed: digits"):
        training_recipe(read_network(written(tmp_path / "net.toml", recipe="long", data="digits")))


@pytest.mark.parametrize(("data", "told"), [("emnist", "neither a folder nor"), ("mnist=none", "no such folder")])
def test_data_that_the_file_asks_for_are_said_to_be_the_files(tmp_path: Path, data: str, told: str) -> None:
    path = written(tmp_path / "net.toml", data=data)
    refused(bvit("train", "--network", path, cwd=tmp_path), f"network file net.toml: data = '{data}': ", told)
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.toml"]


def test_a_file_is_trained_and_its_name_reaches_checkpoint_and_build(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data", images=4)
    path = written(tmp_path / "mine.toml")
    words = ["train", "--network", path, "--data", root, "--epochs", "2", "--batch-size", "4", "--workers", "0"]
    words += ["--threads", "1", "--no-tensorboard"]
    done = bvit(*words, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("mine: QAT model classifies"), done.stderr
    checkpoint = tmp_path / "build/train/mine/model.safetensors"
    assert checkpoint_config(checkpoint) == read_network(path).config
    assert checkpoint_info(checkpoint)["network"] == "mine"
    moved = tmp_path / "elsewhere" / "model.safetensors"
    moved.parent.mkdir()
    moved.write_bytes(checkpoint.read_bytes())
    assert network_name(checkpoint) == network_name(moved) == "mine"
    refused(
        bvit(*words, "--network", written(tmp_path / "wide.toml", classes=3), cwd=tmp_path),
        "wide.toml: classes = 3", "has 2 (cat, dog)",
    )  # fmt: skip
    refused(bvit(*words, "--preset", "cifar10", cwd=tmp_path), "--preset cifar10 and --network", "give one of them")


def asked(**words: Any) -> Any:
    plain: dict[str, Any] = {
        "board": "pynq-z2", "preset_name": None, "checkpoint": None, "data": None, "clock_mhz": None,
        "target_fps": None, "simulated_images": 2, "jobs": 1,
    }  # fmt: skip
    return resolve(**plain | words)


def test_a_build_of_a_file_has_random_weights_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.toml")
    done = bvit("build", "--board", "pynq-z2", "--network", path, "--until", "freeze", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    frozen = load_frozen(tmp_path / "build/pynq-z2/freeze/frozen.safetensors")
    assert frozen.config == read_network(path).config.model_dump(mode="json")
    assert network_name(tmp_path / "build/pynq-z2/freeze/frozen.safetensors") == "mine"
    manifest = (tmp_path / "build/pynq-z2/manifest.json").read_text()
    assert "the weights are random" in manifest and "has random weights; `bvit-hw train" in manifest
    options = asked(network=path)
    assert options.checkpoint == asked(network=path).checkpoint and options.model_name == "mine"
    assert options.data is None and asked(network=path, data="digits").data == "digits"
    assert load_frozen(options.checkpoint).nodes[3].output == random_frozen(read_network(path).config).nodes[3].output
    assert load_board("pynq-z2").name == options.board.name


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        ({"full_precision": True}, {}, "full_precision=True: a full-precision network has no integers"),
        ({}, {"preset_name": "cifar10"}, "--preset cifar10 and --network"),
        ({}, {"checkpoint": Path("x")}, "and --checkpoint x: give one of them"),
        ({"depths": 3}, {}, "depths: an array is expected"),
    ],
)
def test_builds_that_cannot_be(tmp_path: Path, change: dict[str, Any], words: dict[str, Any], told: str) -> None:
    with pytest.raises(BvitError) as caught:
        asked(network=written(tmp_path / "net.toml", **change), **words)
    assert told in str(caught.value) and "net.toml" in str(caught.value)


def test_an_example_is_plain_toml() -> None:
    text = network_text(presets.preset_network("fashion-mnist"))
    assert tomllib.loads(text)["channels"] == [64, 128]


def test_a_preset_is_built_with_random_weights_where_that_is_asked_for(tmp_path: Path) -> None:
    options = asked(preset_name="small-224", random_weights=True)
    assert options.model_name == "small-224" and options.data is None
    assert options.not_measured == "small-224 has random weights; `bvit-hw train --preset small-224` trains it"
    assert load_frozen(options.checkpoint).config == preset("small-224").model_dump(mode="json")
    assert asked(network=written(tmp_path / "mine.toml"), random_weights=True).model_name == "mine"
    with pytest.raises(ConfigError, match=r"--random-weights and --checkpoint .*: give one of them"):
        asked(checkpoint=options.checkpoint, random_weights=True)
    with pytest.raises(CheckpointError, match="take --random-weights"):
        asked(preset_name="small-224")
