// MultiPool: four average pools over the token grid with their affines, summed.
//
//   p = saturate((c_h3 * H3 + c_w3 * W3 + c_h5 * H5 + c_w5 * W5 + bias) >> out_shift)
//
// H3 and H5 are the sums of 3 and 5 tokens one above the other, W3 and W5 of 3 and 5 side by side,
// around each token, with zeros outside the grid. The pools' divisors are inside the coefficients, the
// half of the rounding shift inside the bias. Beat b of a token holds its channels b * pe ...
//
// Two processes, one beat a cycle each: pool_columns sums up and down and keeps four rows, pool_rows
// sums left and right and keeps four tokens. Either sees its last lines (rows, or tokens) with nothing
// left of the frame to read; it then takes what is there of the next frame, as much as the window is
// ahead. So frames follow each other without a gap, and none waits for the next one.
//
// Cycles a frame: height * width * channels / pe. No multiplier is shared; II is bound by the stream.
#ifndef BVIT_MULTI_POOL_HPP
#define BVIT_MULTI_POOL_HPP

#include "common.hpp"
#include "line_window.hpp"

namespace bvit {

/// Cfg: height, width, channels, in_bits, coef_bits, bias_bits, out_shift, out_bits, pe.
template <typename Cfg>
struct MultiPoolShape {
  static_assert(Cfg::height > 0 && Cfg::width > 0,
                "MultiPool: the grid must have a row and a column; a window may be wider, it sees zeros outside.");
  static_assert(Cfg::channels > 0, "MultiPool: channels must be 1 or more.");
  static_assert(divides(Cfg::pe, Cfg::channels), "MultiPool: pe must divide the channels.");
  static_assert(Cfg::in_bits > 1 && Cfg::coef_bits > 1, "MultiPool: in_bits and coef_bits must be 2 or more.");
  static_assert(Cfg::bias_bits > 0 && Cfg::out_bits > 0, "MultiPool: bias_bits and out_bits must be 1 or more.");
  static_assert(Cfg::out_shift >= 0, "MultiPool: out_shift must not be negative.");

  static constexpr int beats = Cfg::channels / Cfg::pe;  // of a token
  static constexpr int row = Cfg::width * beats;         // beats of a row
  static constexpr int rows_near = min_of(2, Cfg::height - 1);    // rows that a window reaches up, and down
  static constexpr int tokens_near = min_of(2, Cfg::width - 1);  // tokens that it reaches left, and right

  static constexpr int sum3_bits = Cfg::in_bits + 2;
  static constexpr int sum5_bits = Cfg::in_bits + 3;
  // Each coefficient is at most 2^(coef_bits - 1), the four windows hold 16 tokens, each at most
  // 2^(in_bits - 1): the products add up to 2^(in_bits + coef_bits + 2) at most.
  static constexpr int acc_bits = max_of(Cfg::in_bits + Cfg::coef_bits + 4, Cfg::bias_bits) + 1;

  using In = ap_uint<Cfg::pe * Cfg::in_bits>;
  using Out = ap_uint<Cfg::pe * Cfg::out_bits>;
  using Sum3 = ap_int<sum3_bits>;
  using Sum5 = ap_int<sum5_bits>;
  using Sums3 = ap_uint<Cfg::pe * sum3_bits>;
  using Sums5 = ap_uint<Cfg::pe * sum5_bits>;
  using Result = ap_int<Cfg::out_bits>;
  /// Rows h3, w3, h5, w5, as the frozen model has them.
  using Coef = ap_int<Cfg::coef_bits>[4][Cfg::channels];
  using Bias = ap_int<Cfg::bias_bits>[Cfg::channels];
};
