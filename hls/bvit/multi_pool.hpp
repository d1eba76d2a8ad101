// MultiPool: four average pools over the token grid with their affines, summed.
//
//   p = saturate((c_h3 * H3 + c_w3 * W3 + c_h5 * H5 + c_w5 * W5 + bias) >> out_shift)
//
// H3 and H5 are the sums of the 3 and the 5 tokens above each other around each token, W3 and W5 of those
// side by side, with zeros outside the grid, which a window may exceed. The pools' divisors are inside the
// coefficients. Tokens come in raster order; beat b of a token holds its channels b * pe ...
//
// Two processes: pool_columns sums up and down and keeps up to four rows, pool_rows sums left and right,
// keeps up to four tokens and applies the affines. When either works on its last rows or tokens, nothing of the
// frame is left to read: then it takes what is there of the next one (line_window.hpp). So frames
// follow each other without a gap, and none waits for the next.
//
// Cycles a frame: height * width * channels / pe. What bounds the II: one beat in, one out.
#ifndef BVIT_MULTI_POOL_HPP
#define BVIT_MULTI_POOL_HPP

#include "common.hpp"
#include "line_window.hpp"

namespace bvit {

/// Cfg: height, width, channels, in_bits, coef_bits, bias_bits, out_shift, out_bits, pe, use_dsp (ultra: not used here).
template <typename Cfg>
struct MultiPoolShape {
  static_assert(Cfg::height > 0 && Cfg::width > 0, "MultiPool: height and width of the grid must be 1 or more.");
  static_assert(Cfg::channels > 0, "MultiPool: channels must be 1 or more.");
  static_assert(divides(Cfg::pe, Cfg::channels), "MultiPool: pe must divide the channels.");
  static_assert(Cfg::in_bits > 1 && Cfg::coef_bits > 1, "MultiPool: in_bits and coef_bits must be 2 or more.");
  static_assert(Cfg::bias_bits > 0 && Cfg::out_bits > 0, "MultiPool: bias_bits and out_bits must be 1 or more.");
  static_assert(Cfg::out_shift >= 0, "MultiPool: out_shift must not be negative.");
  // A stream's struct counts as a whole.
  static_assert(Cfg::pe * (3 * Cfg::in_bits + 5) <= AP_INT_MAX_W && Cfg::pe * Cfg::out_bits <= AP_INT_MAX_W,
                "MultiPool: pe inputs with their sums, and pe results, must fit a word of AP_INT_MAX_W bits.");

  static constexpr int beats = Cfg::channels / Cfg::pe;  // of a token
  static constexpr int row = Cfg::width * beats;         // beats of a row
  static constexpr long long cycles = (long long)Cfg::height * row;

  // Rows up and down, tokens left and right, that the widest window reaches within the grid.
  static constexpr int rows_near = min_of(2, Cfg::height - 1);
  static constexpr int tokens_near = min_of(2, Cfg::width - 1);
  // Beats by which what is read is ahead of what is worked on.
  static constexpr int rows_lead = rows_near * row;
  static constexpr int tokens_lead = tokens_near * beats;

  static constexpr int sum3_bits = Cfg::in_bits + 2;
  static constexpr int sum5_bits = Cfg::in_bits + 3;
  // The windows hold 16 tokens of at most 2^(in_bits - 1), each times at most 2^(coef_bits - 1).
  static constexpr int acc_bits = max_of(Cfg::in_bits + Cfg::coef_bits + 4, Cfg::bias_bits) + 1;

  using In = ap_uint<Cfg::pe * Cfg::in_bits>;
  using Out = ap_uint<Cfg::pe * Cfg::out_bits>;
  using Result = ap_int<Cfg::out_bits>;
  /// The window sums around one token, of one channel.
  struct Sums {
    ap_int<sum3_bits> h3, w3;
    ap_int<sum5_bits> h5, w5;
  };
  /// A beat and the vertical sums around it.
  struct Column {
    In x;
    ap_uint<Cfg::pe * sum3_bits> h3;
    ap_uint<Cfg::pe * sum5_bits> h5;
  };

  /// One row each for h3, w3, h5, w5, in this order.
  using Coef = ap_int<Cfg::coef_bits>[4][beats][Cfg::pe];
  using Bias = ap_int<Cfg::bias_bits>[beats][Cfg::pe];
};

/// Sum of the 2 * reach + 1 taps in the middle of `taps`; those outside the grid count as zero.
template <int reach, int sum_bits, int count, int bits>
ap_int<sum_bits> pool_sum(const ap_int<bits> (&taps)[count], const bool (&inside)[count]) {
#pragma HLS inline
  constexpr int middle = count / 2;
  ap_int<sum_bits> sum = 0;
add_taps:
  for (int i = max_of(middle - reach, 0); i <= min_of(middle + reach, count - 1); ++i) {
#pragma HLS unroll
    if (inside[i]) sum += taps[i];
  }
  return sum;
}

/// The affines of one channel's four window sums, added up. The half of the rounding shift is inside the bias.
template <typename Cfg>
typename MultiPoolShape<Cfg>::Result pool_affine(const typename MultiPoolShape<Cfg>::Sums& sums,
                                                 const typename MultiPoolShape<Cfg>::Coef& coef,
                                                 const typename MultiPoolShape<Cfg>::Bias& bias, int beat, int lane) {
#pragma HLS inline
  constexpr bool use_dsp = Cfg::use_dsp != 0;
  using Acc = ap_int<MultiPoolShape<Cfg>::acc_bits>;
  const Acc acc = multiply<use_dsp>(sums.h3, coef[0][beat][lane]) + multiply<use_dsp>(sums.w3, coef[1][beat][lane]) +
                  multiply<use_dsp>(sums.h5, coef[2][beat][lane]) + multiply<use_dsp>(sums.w5, coef[3][beat][lane]) +
                  bias[beat][lane];
  return saturate<Cfg::out_bits>(Acc(acc >> Cfg::out_shift));
}

/// Adds to each beat the sums of the 3 and the 5 tokens above each other.
template <typename Cfg>
void pool_columns(hls::stream<typename MultiPoolShape<Cfg>::In>& in,
                  hls::stream<typename MultiPoolShape<Cfg>::Column>& columns) {
  using Shape = MultiPoolShape<Cfg>;
  constexpr int near = Shape::rows_near;
  constexpr int taps = 2 * near + 1;
  static LineWindow<typename Shape::In, Shape::row, near> rows;
#pragma HLS disaggregate variable = rows

first_rows:
  while (!rows.filled()) {
#pragma HLS pipeline II = 1
#pragma HLS loop_tripcount min = 0 max = Shape::rows_lead
    rows.fill(in.read());
  }

down:
  for (int y = 0; y < Cfg::height; ++y) {
  along:
    for (int at = 0; at < Shape::row; ++at) {
#pragma HLS pipeline II = 1
      const bool own = y + near < Cfg::height;  // a beat of this frame is due
      const bool fresh = own || !in.empty();
      typename Shape::In newest = 0;
      if (fresh) newest = in.read();
      typename Shape::In window[taps];
#pragma HLS array_partition variable = window complete
      rows.step(at, fresh, newest, window);

      bool inside[taps];
    rows_of_window:
      for (int i = 0; i < taps; ++i) {
#pragma HLS unroll
        inside[i] = y + i >= near && y + i < Cfg::height + near;
      }

      typename Shape::Column column;
      column.x = window[near];
    lanes:
      for (int lane = 0; lane < Cfg::pe; ++lane) {
#pragma HLS unroll
        ap_int<Cfg::in_bits> above_each_other[taps];
      taps_of_lane:
        for (int i = 0; i < taps; ++i) {
#pragma HLS unroll
          above_each_other[i] = signed_lane<Cfg::in_bits>(window[i], lane);
        }
        set_lane(column.h3, lane, pool_sum<1, Shape::sum3_bits>(above_each_other, inside));
        set_lane(column.h5, lane, pool_sum<2, Shape::sum5_bits>(above_each_other, inside));
      }
      columns.write(column);
    }
  }
}

/// Sums the 3 and the 5 tokens side by side, and puts all four pools together.
template <typename Cfg>
void pool_rows(hls::stream<typename MultiPoolShape<Cfg>::Column>& columns,
               hls::stream<typename MultiPoolShape<Cfg>::Out>& out, const typename MultiPoolShape<Cfg>::Coef& coef,
               const typename MultiPoolShape<Cfg>::Bias& bias) {
  using Shape = MultiPoolShape<Cfg>;
  constexpr int near = Shape::tokens_near;
  constexpr int taps = 2 * near + 1;
  static LineWindow<typename Shape::Column, Shape::beats, near> tokens;
#pragma HLS disaggregate variable = tokens

first_tokens:
  while (!tokens.filled()) {
#pragma HLS pipeline II = 1
#pragma HLS loop_tripcount min = 0 max = Shape::tokens_lead
    tokens.fill(columns.read());
  }

down:
  for (int y = 0; y < Cfg::height; ++y) {
  right:
    for (int x = 0; x < Cfg::width; ++x) {
    channels:
      for (int beat = 0; beat < Shape::beats; ++beat) {
#pragma HLS pipeline II = 1
        const bool own = y + 1 < Cfg::height || x + near < Cfg::width;  // a beat of this frame is due
        const bool fresh = own || !columns.empty();
        typename Shape::Column newest = {0, 0, 0};
        if (fresh) newest = columns.read();
        typename Shape::Column window[taps];
#pragma HLS array_partition variable = window complete
        tokens.step(beat, fresh, newest, window);

        bool inside[taps];
      tokens_of_window:
        for (int i = 0; i < taps; ++i) {
#pragma HLS unroll
          inside[i] = x + i >= near && x + i < Cfg::width + near;
        }

        typename Shape::Out result;
      lanes:
        for (int lane = 0; lane < Cfg::pe; ++lane) {
#pragma HLS unroll
          ap_int<Cfg::in_bits> side_by_side[taps];
        taps_of_lane:
          for (int i = 0; i < taps; ++i) {
#pragma HLS unroll
            side_by_side[i] = signed_lane<Cfg::in_bits>(window[i].x, lane);
          }
          typename Shape::Sums sums;
          sums.h3 = signed_lane<Shape::sum3_bits>(window[near].h3, lane);
          sums.w3 = pool_sum<1, Shape::sum3_bits>(side_by_side, inside);
          sums.h5 = signed_lane<Shape::sum5_bits>(window[near].h5, lane);
          sums.w5 = pool_sum<2, Shape::sum5_bits>(side_by_side, inside);
          set_lane(result, lane, pool_affine<Cfg>(sums, coef, bias, beat, lane));
        }
        out.write(result);
      }
    }
  }
}

/// One frame.
template <typename Cfg>
void multi_pool(hls::stream<typename MultiPoolShape<Cfg>::In>& in, hls::stream<typename MultiPoolShape<Cfg>::Out>& out,
                const typename MultiPoolShape<Cfg>::Coef& coef, const typename MultiPoolShape<Cfg>::Bias& bias) {
#pragma HLS dataflow
#pragma HLS interface ap_ctrl_none port = return
  hls::stream<typename MultiPoolShape<Cfg>::Column> columns("columns");
#pragma HLS stream variable = columns depth = 2
  pool_columns<Cfg>(in, columns);
  pool_rows<Cfg>(columns, out, coef, bias);
}

}  // namespace bvit

#endif
