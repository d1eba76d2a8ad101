"""The slow suites' mutations still name text that is in the headers: one that does not would be found weeks later."""

from __future__ import annotations

import pytest
import test_binary_attention_hls
import test_binary_mvau_hls
import test_channel_affine_hls
import test_multi_pool_hls
from template_checks import HLS

MODULES = (test_binary_attention_hls, test_binary_mvau_hls, test_channel_affine_hls, test_multi_pool_hls)


@pytest.mark.parametrize(
    ("header", "old"), [(header, old) for module in MODULES for header, old, _ in module.MUTATIONS]
)
def test_mutated_text_is_there(header: str, old: str) -> None:
    assert old in (HLS / "bvit" / header).read_text()
