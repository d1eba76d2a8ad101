"""SpatialPool in RTL against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.spatial_pool import SpatialPool


def pool(height: int, width: int, channels: int, window: tuple[int, int], pe: int, in_bits: int = 8) -> SpatialPool:
    return SpatialPool(
        height=height, width=width, channels=channels, window_h=window[0], window_w=window[1], in_bits=in_bits, pe=pe
    )


def check(op: SpatialPool, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.height * 100 + op.width + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles


@pytest.mark.parametrize("pe", [1, 6])
@pytest.mark.parametrize(
    ("height", "width", "window"),
    [(4, 6, (2, 3)), (4, 6, (1, 3)), (4, 6, (4, 1)), (4, 6, (4, 6)), (3, 3, (1, 1)), (6, 2, (3, 2)), (5, 1, (5, 1))],
)
def test_windows(height: int, width: int, window: tuple[int, int], pe: int) -> None:
    check(pool(height, width, 6, window, pe))


@pytest.mark.parametrize(
    ("side", "channels", "r", "pe"),
    [(8, 32, 4, 1), (8, 32, 4, 8), (8, 32, 2, 32), (4, 64, 2, 1), (4, 64, 2, 16), (2, 128, 2, 4), (2, 128, 2, 128)],
)
def test_tiny_network(side: int, channels: int, r: int, pe: int) -> None:
    check(pool(side, side, channels, (r, r), pe))


@pytest.mark.parametrize(
    ("side", "channels", "r", "pe"), [(56, 64, 8, 4), (56, 64, 2, 4), (28, 128, 4, 8), (14, 256, 2, 16), (7, 512, 7, 8)]
)
def test_full_size(side: int, channels: int, r: int, pe: int) -> None:
    check(pool(side, side, channels, (r, r), pe), frames=2, patterns=("full", "both", "reset"))


MUTATIONS = [
    ("bvit_spatial_pool.sv", "(first_x && first_y) ? '0", "(first_x) ? '0"),
    ("bvit_spatial_pool.sv", "valid_q <= take && last_x && last_y", "valid_q <= take && last_y"),
    ("bvit_spatial_pool.sv", "addr_q - ADDR_BITS'(BEATS - 1)", "addr_q - ADDR_BITS'(BEATS)"),
    ("bvit_spatial_pool.sv", "if (rst) addr_q <= '0;\n      else if", "if"),
    ("bvit_spatial_pool.sv", "!valid_q || m_axis_tready", "1'b1"),
    ("bvit_spatial_pool.sv", "if (rst) valid_q <= 1'b0;\n    else if", "if"),
    ("bvit_loop_counter.sv", "if (rst) index_q <= '0;\n      else if", "if"),
    ("bvit_loop_counter.sv", "COUNT - 1", "COUNT - 2"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = pool(4, 6, 8, (2, 3), 2)
    rng = np.random.default_rng(1)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))


@pytest.mark.slow
def test_a_lost_forward_is_caught(tmp_path: Path) -> None:
    """With one beat a token the sum being written has to be passed on."""
    op = pool(4, 6, 4, (2, 3), 4)
    rng = np.random.default_rng(1)
    mutated = mutant(tmp_path, "bvit_spatial_pool.sv", "kept = first_x ? word : sum_q", "kept = word")
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutated)
