"""What --data may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.data import parse_data
from bvit_hw.errors import ConfigError


def test_what_data_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_data("digits") == ("digits", None)
    assert parse_data("imagenet=/data/in1k") == ("imagenet", Path("/data/in1k"))
    assert parse_data("cifar10=rel") == ("cifar10", Path("rel"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar10").mkdir()
    assert parse_data("cifar10") == ("tree", Path("cifar10"))
    for text, message in (
        ("cifar100", "cifar100 needs a folder: cifar100=DIR"),
        ("digits=/x", "digits takes no folder"),
        ("imagenet=", "a folder must follow"),
        ("mnist", "mnist needs a folder: mnist=DIR"),
        ("fashion-mnist=", "a folder must follow"),
        ("emnist", r"neither a folder nor a known dataset; allowed: digits, fashion-mnist, cifar10=DIR"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_data(text)
