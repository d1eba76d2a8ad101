// ChannelAffine: per-channel fixed-point a*x + b over one to four added streams, optional RPReLU,
// requantization.
//
//   t = sum_i ((multiply_i ? coef_i[c] * x_i : x_i) << shift_i) + bias
//   m = t >> mid_shift;  v = (m >= 0 ? m << slope_shift : slope[c] * m) + bias2     with prelu
//   y = saturate((prelu ? v : t) >> out_shift)
//
// Sums are kept modulo 2^sum_bits and 2^result_bits: freezing proves that t and v fit, so partial
// sums may wrap. The half of each rounding shift is inside the constant added before it.
//
// Cycles a frame: tokens * channels / pe, one for each beat.
#ifndef BVIT_CHANNEL_AFFINE_HPP
#define BVIT_CHANNEL_AFFINE_HPP

#include "common.hpp"

namespace bvit {

/// Cfg: tokens, channels, inputs; in_bits0 .. 3, multiply0 .. 3, shift0 .. 3 (of inputs that are not
/// there: 0); coef_bits, bias_bits, bias_tokens; prelu, mid_shift, slope_bits, slope_shift,
/// bias2_bits, bias2_tokens; out_shift, out_bits; pe, use_dsp.
template <typename Cfg>
struct ChannelAffineShape {
  static_assert(Cfg::tokens > 0 && Cfg::channels > 0,
                "ChannelAffine: tokens and channels must be 1 or more.");
  static_assert(Cfg::inputs >= 1 && Cfg::inputs <= 4, "ChannelAffine: there are 1 to 4 inputs.");
  static_assert(divides(Cfg::pe, Cfg::channels), "ChannelAffine: pe must divide the channels.");
  static_assert(Cfg::bias_tokens == 1 || Cfg::bias_tokens == Cfg::tokens,
                "ChannelAffine: bias has one row, or one for each token.");
  static_assert(Cfg::bias2_tokens == 1 || Cfg::bias2_tokens == Cfg::tokens,
                "ChannelAffine: bias2 has one row, or one for each token.");

  /// The contract keeps every sum below 2^24 in magnitude, and what the slope multiplies in 17 bits.
  static constexpr int kSumLimit = 25;
  static constexpr int kMidLimit = 17;

  static constexpr int beats = Cfg::channels / Cfg::pe;
  static constexpr long long cycles = (long long)Cfg::tokens * beats;

  // ---- input i
  static constexpr int pick(int i, int a, int b, int c, int d) {
    return i == 0 ? a : i == 1 ? b : i == 2 ? c : d;
  }
  static constexpr int in_bits(int i) {
    return pick(i, Cfg::in_bits0, Cfg::in_bits1, Cfg::in_bits2, Cfg::in_bits3);
  }
  static constexpr bool multiplied(int i) {
    return i < Cfg::inputs && pick(i, Cfg::multiply0, Cfg::multiply1, Cfg::multiply2, Cfg::multiply3) != 0;
  }
  static constexpr int shift(int i) {
    return pick(i, Cfg::shift0, Cfg::shift1, Cfg::shift2, Cfg::shift3);
  }
  /// Multiplied inputs before input i: its place among the coefficients.
  static constexpr int rank(int i) { return i == 0 ? 0 : rank(i - 1) + (multiplied(i - 1) ? 1 : 0); }
  static constexpr int products = rank(Cfg::inputs);

  // ---- widths, from what the types permit
  static constexpr Range term(int i) {
    return (multiplied(i) ? range_of(in_bits(i)) * range_of(Cfg::coef_bits) : range_of(in_bits(i))) << shift(i);
  }
  static constexpr Range sum(int inputs) {
    return inputs == 0 ? range_of(Cfg::bias_bits) : sum(inputs - 1) + term(inputs - 1);
  }
  static constexpr int sum_bits =
      min_of(signed_bits(sum(Cfg::inputs)), Cfg::prelu ? min_of(kSumLimit, kMidLimit + Cfg::mid_shift) : kSumLimit);
  static constexpr int mid_bits = max_of(sum_bits - Cfg::mid_shift, 2);
  /// A slope, or 1.0 for what is not negative.
  static constexpr int factor_bits = max_of(Cfg::slope_bits, Cfg::slope_shift + 2);
  static constexpr Range sloped() {
    return join(Range{range_of(mid_bits).low, 0} * range_of(Cfg::slope_bits),
                Range{0, range_of(mid_bits).high} << Cfg::slope_shift);
  }
  static constexpr int result_bits =
      Cfg::prelu ? min_of(signed_bits(sloped() + range_of(Cfg::bias2_bits)), kSumLimit) : sum_bits;

  static_assert(shift(0) >= 0 && shift(0) < sum_bits && shift(1) < sum_bits && shift(2) < sum_bits &&
                    shift(3) < sum_bits,
                "ChannelAffine: a shift must be below the sum's width.");
  static_assert(!Cfg::prelu || (Cfg::mid_shift >= 0 && Cfg::mid_shift < sum_bits),
                "ChannelAffine: mid_shift must leave a bit of the sum.");
  static_assert(Cfg::out_shift >= 0 && Cfg::out_shift < result_bits,
                "ChannelAffine: out_shift must leave a bit of the result.");

  // ---- types
  template <int i>
  using In = ap_uint<Cfg::pe * in_bits(i)>;
  using Out = ap_uint<Cfg::pe * Cfg::out_bits>;
  using Sum = ap_int<sum_bits>;
  using Mid = ap_int<mid_bits>;
  using Result = ap_int<result_bits>;
  using Value = ap_int<Cfg::out_bits>;

  /// Tables: first the beat of a token (of a frame, where there is a row for each token), then the
  /// lane. One that the configuration has no use for is a single element.
  using Coef = ap_int<Cfg::coef_bits>[products ? beats : 1][products ? Cfg::pe : 1][products ? products : 1];
  using Bias = ap_int<Cfg::bias_bits>[beats * Cfg::bias_tokens][Cfg::pe];
  using Slope = ap_int<Cfg::slope_bits>[Cfg::prelu ? beats : 1][Cfg::prelu ? Cfg::pe : 1];
  using Bias2 = ap_int<Cfg::bias2_bits>[Cfg::prelu ? beats * Cfg::bias2_tokens : 1][Cfg::prelu ? Cfg::pe : 1];
};

/// What input i adds to the sum; `coef` counts where the input is multiplied.
template <typename Cfg, int i>
typename ChannelAffineShape<Cfg>::Sum affine_term(const ap_int<ChannelAffineShape<Cfg>::in_bits(i)>& x,
                                                  const ap_int<Cfg::coef_bits>& coef) {
#pragma HLS inline
  using Shape = ChannelAffineShape<Cfg>;
  const typename Shape::Sum product = multiply<Cfg::use_dsp != 0>(x, coef);
  const typename Shape::Sum term = Shape::multiplied(i) ? product : typename Shape::Sum(x);
  return term << Shape::shift(i);
}

/// RPReLU of the shifted sum: both branches are products, the factor of the positive one is 1.0.
template <typename Cfg>
typename ChannelAffineShape<Cfg>::Result affine_prelu(const typename ChannelAffineShape<Cfg>::Sum& t,
                                                      const ap_int<Cfg::slope_bits>& slope,
                                                      const ap_int<Cfg::bias2_bits>& bias2) {
#pragma HLS inline
  using Shape = ChannelAffineShape<Cfg>;
  using Factor = ap_int<Shape::factor_bits>;
  const typename Shape::Mid m = t >> Cfg::mid_shift;
  const Factor factor = m < 0 ? Factor(slope) : Factor(1 << Cfg::slope_shift);
  return multiply<Cfg::use_dsp != 0>(m, factor) + bias2;
}

/// Shift and saturation: the result that goes out.
template <typename Cfg>
typename ChannelAffineShape<Cfg>::Value affine_requantize(const typename ChannelAffineShape<Cfg>::Result& v) {
#pragma HLS inline
  const typename ChannelAffineShape<Cfg>::Result w = v >> Cfg::out_shift;
  return saturate<Cfg::out_bits>(w);
}

/// Takes a beat of input i and of those after it, and adds them to the lanes' sums.
template <typename Cfg, int i, typename Sums, typename Coefs>
void affine_take(Sums&, const Coefs&) {
#pragma HLS inline
}
template <typename Cfg, int i, typename Sums, typename Coefs, typename Stream, typename... Streams>
void affine_take(Sums& sums, const Coefs& coefs, Stream& in, Streams&... others) {
#pragma HLS inline
  using Shape = ChannelAffineShape<Cfg>;
  const typename Shape::template In<i> beat = in.read();
inputs:
  for (int p = 0; p < Cfg::pe; ++p) {
#pragma HLS unroll
    const auto x = signed_lane<Shape::in_bits(i)>(beat, p);
    // An input that is not multiplied has no coefficient; element 0 stands in, and is not used.
    sums[p] += affine_term<Cfg, i>(x, coefs[Shape::products ? p : 0][Shape::multiplied(i) ? Shape::rank(i) : 0]);
  }
  affine_take<Cfg, i + 1>(sums, coefs, others...);
}

/// One frame, of any number of inputs.
template <typename Cfg, typename... Streams>
void affine_frame(hls::stream<typename ChannelAffineShape<Cfg>::Out>& out,
                  const typename ChannelAffineShape<Cfg>::Coef& coef,
                  const typename ChannelAffineShape<Cfg>::Bias& bias,
                  const typename ChannelAffineShape<Cfg>::Slope& slope,
                  const typename ChannelAffineShape<Cfg>::Bias2& bias2, Streams&... in) {
#pragma HLS inline
  using Shape = ChannelAffineShape<Cfg>;
  static_assert(sizeof...(in) == Cfg::inputs, "ChannelAffine: there are as many streams as inputs.");

tokens:
  for (int t = 0; t < Cfg::tokens; ++t) {
  beats:
    for (int b = 0; b < Shape::beats; ++b) {
#pragma HLS pipeline II = 1
      const int bias_row = Cfg::bias_tokens > 1 ? t * Shape::beats + b : b;
      const int bias2_row = Cfg::bias2_tokens > 1 ? t * Shape::beats + b : b;

      typename Shape::Sum sums[Cfg::pe];
#pragma HLS array_partition variable = sums complete
    biases:
      for (int p = 0; p < Cfg::pe; ++p) {
#pragma HLS unroll
        sums[p] = bias[bias_row][p];
      }
      affine_take<Cfg, 0>(sums, coef[Shape::products ? b : 0], in...);

      typename Shape::Out beat;
    lanes:
      for (int p = 0; p < Cfg::pe; ++p) {
#pragma HLS unroll
        const typename Shape::Result v =
            Cfg::prelu ? affine_prelu<Cfg>(sums[p], slope[Cfg::prelu ? b : 0][Cfg::prelu ? p : 0],
                                           bias2[Cfg::prelu ? bias2_row : 0][Cfg::prelu ? p : 0])
                       : typename Shape::Result(sums[p]);
        set_lane(beat, p, affine_requantize<Cfg>(v));
      }
      out.write(beat);
    }
  }
}

// The operator for one, two, three and four inputs.

template <typename Cfg>
void channel_affine(hls::stream<typename ChannelAffineShape<Cfg>::template In<0>>& in0,
                    hls::stream<typename ChannelAffineShape<Cfg>::Out>& out,
                    const typename ChannelAffineShape<Cfg>::Coef& coef,
                    const typename ChannelAffineShape<Cfg>::Bias& bias,
                    const typename ChannelAffineShape<Cfg>::Slope& slope,
                    const typename ChannelAffineShape<Cfg>::Bias2& bias2) {
  affine_frame<Cfg>(out, coef, bias, slope, bias2, in0);
}

template <typename Cfg>
void channel_affine(hls::stream<typename ChannelAffineShape<Cfg>::template In<0>>& in0,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<1>>& in1,
                    hls::stream<typename ChannelAffineShape<Cfg>::Out>& out,
                    const typename ChannelAffineShape<Cfg>::Coef& coef,
                    const typename ChannelAffineShape<Cfg>::Bias& bias,
                    const typename ChannelAffineShape<Cfg>::Slope& slope,
                    const typename ChannelAffineShape<Cfg>::Bias2& bias2) {
  affine_frame<Cfg>(out, coef, bias, slope, bias2, in0, in1);
}

template <typename Cfg>
void channel_affine(hls::stream<typename ChannelAffineShape<Cfg>::template In<0>>& in0,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<1>>& in1,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<2>>& in2,
                    hls::stream<typename ChannelAffineShape<Cfg>::Out>& out,
                    const typename ChannelAffineShape<Cfg>::Coef& coef,
                    const typename ChannelAffineShape<Cfg>::Bias& bias,
                    const typename ChannelAffineShape<Cfg>::Slope& slope,
                    const typename ChannelAffineShape<Cfg>::Bias2& bias2) {
  affine_frame<Cfg>(out, coef, bias, slope, bias2, in0, in1, in2);
}

template <typename Cfg>
void channel_affine(hls::stream<typename ChannelAffineShape<Cfg>::template In<0>>& in0,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<1>>& in1,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<2>>& in2,
                    hls::stream<typename ChannelAffineShape<Cfg>::template In<3>>& in3,
                    hls::stream<typename ChannelAffineShape<Cfg>::Out>& out,
                    const typename ChannelAffineShape<Cfg>::Coef& coef,
                    const typename ChannelAffineShape<Cfg>::Bias& bias,
                    const typename ChannelAffineShape<Cfg>::Slope& slope,
                    const typename ChannelAffineShape<Cfg>::Bias2& bias2) {
  affine_frame<Cfg>(out, coef, bias, slope, bias2, in0, in1, in2, in3);
}

}  // namespace bvit

#endif
