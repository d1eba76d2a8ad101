"""BinaryMVAU and ChannelAffine under the sanitizers and by clang++; what they and the others are built of, alone.

MultiPool and BinaryAttention go through the same in their own files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import numpy as np
import pytest
from hls_checks import Case, check_hls
from hls_samples import samples

from bvit_hw.codegen.hls import vector_frames
from bvit_hw.flows.gxx import Toolchain, clang, compile_program


def cases(seed: int) -> Sequence[Case]:
    """The samples of both operators with random parameters and three random frames."""
    drawn = samples(np.random.default_rng(seed))
    chosen = [(op, params) for op, params in drawn if op.op_type in ("BinaryMVAU", "ChannelAffine")]
    return [(op, params, vector_frames(op, params, 3, seed)) for op, params in chosen]


def test_sanitizers() -> None:
    """-fsanitize=address,undefined: no index out of range, no overflow, nothing uninitialized by way of them."""
    check_hls(cases(2), Toolchain(sanitize=True, level=0))


def test_clang() -> None:
    """The front end of Vitis HLS is a clang."""
    compiler = clang()
    if compiler is None:
        pytest.skip("clang++ is not installed (apt install clang); g++ alone compiled the templates")
    check_hls(cases(3), Toolchain(compiler=compiler, level=0))


ARITHMETIC = r"""
#include <cstdio>
#include "bvit/channel_affine.hpp"
#define EXPECT(condition) if (!(condition)) { std::printf("line %d: %s\n", __LINE__, #condition); ++failed; }

struct Affine {
  static constexpr int tokens = 1, channels = 1, inputs = 2, in_bits0 = 8, in_bits1 = 6, in_bits2 = 0, in_bits3 = 0;
  static constexpr int multiply0 = 1, multiply1 = 0, multiply2 = 0, multiply3 = 0;
  static constexpr int shift0 = 1, shift1 = 3, shift2 = 0, shift3 = 0, coef_bits = 8, bias_bits = 12, bias_tokens = 1;
  static constexpr int prelu = 1, mid_shift = 2, slope_bits = 8, slope_shift = 6, bias2_bits = 14, bias2_tokens = 1;
  static constexpr int out_shift = 8, out_bits = 8, pe = 1, use_dsp = 1;
};

int main() {
  using namespace bvit;
  int failed = 0;
  EXPECT(clog2(1) == 0 && clog2(2) == 1 && clog2(5) == 3);
  EXPECT(signed_bits(-128, 127) == 8 && signed_bits(-129, 0) == 9 && signed_bits(0, 128) == 9);
  EXPECT(divides(3, 9) && !divides(4, 9) && !divides(0, 9));

  ap_uint<12> beat = 0xa5f;
  EXPECT(lane<4>(beat, 0) == 0xf && lane<4>(beat, 2) == 0xa);
  EXPECT(signed_lane<4>(beat, 0) == -1 && signed_lane<4>(beat, 1) == 5 && signed_lane<4>(beat, 2) == -6);
  set_lane(beat, 1, ap_int<4>(-8));
  EXPECT(beat == 0xa8f);

  EXPECT(saturate<8>(ap_int<12>(127)) == 127 && saturate<8>(ap_int<12>(128)) == 127);
  EXPECT(saturate<8>(ap_int<12>(-128)) == -128 && saturate<8>(ap_int<12>(-129)) == -128);
  EXPECT(saturate<8>(ap_int<6>(-32)) == -32);

  EXPECT(popcount(ap_uint<9>(0x1ff)) == 9 && popcount(ap_uint<9>(0)) == 0 && popcount(ap_uint<70>(1) << 69) == 1);
  EXPECT(binary_dot(ap_uint<5>(0x1f), ap_uint<5>(0x1f)) == 5 && binary_dot(ap_uint<5>(0), ap_uint<5>(0x1f)) == -5);
  EXPECT(binary_dot(ap_uint<5>(3), ap_uint<5>(1)) == 3);

  EXPECT((affine_term<Affine, 0>(ap_int<8>(-128), ap_int<8>(-128)) == 32768));
  EXPECT((affine_term<Affine, 1>(ap_int<6>(-32), ap_int<8>(99)) == -256));
  // 1.0 is 64: 40 >> 2 = 10, and -40 >> 2 = -10 times a slope of 32 / 64.
  EXPECT(affine_prelu<Affine>(40, 32, 7) == 10 * 64 + 7 && affine_prelu<Affine>(-40, 32, 7) == -10 * 32 + 7);
  EXPECT(affine_prelu<Affine>(-1, 64, 0) == -64);  // an arithmetic shift rounds down
  EXPECT(affine_requantize<Affine>(255) == 0 && affine_requantize<Affine>(256) == 1);
  EXPECT(affine_requantize<Affine>(-1) == -1);
  EXPECT(affine_requantize<Affine>(128 * 256) == 127 && affine_requantize<Affine>(-129 * 256) == -128);
  if (failed == 0) std::printf("passed\n");
  return failed != 0;
}
"""


def test_arithmetic_alone() -> None:
    """The pure functions without streams, at their borders, worked out by hand."""
    program = compile_program(ARITHMETIC, "arithmetic", Toolchain(level=0))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout
