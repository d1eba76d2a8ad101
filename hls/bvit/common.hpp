// What the templates share: widths, lanes of a beat, saturation, popcount.
//
// A beat is an ap_uint of lanes x bits; lane 0 lies in the low bits, and nothing pads the lanes.
// Rounding is floor(v / 2^s + 1/2) throughout. Its half is inside the constant that is added before
// the shift, so an arithmetic shift to the right is all that is left to do here.
#ifndef BVIT_COMMON_HPP
#define BVIT_COMMON_HPP

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096  // the widest beat, and what Vitis HLS allows at most; wanted before the headers
#endif
#include <ap_int.h>
#include <hls_stream.h>

namespace bvit {

/// Smallest b with 2^b >= n.
constexpr int clog2(long long n) {
  int bits = 0;
  while ((1LL << bits) < n) ++bits;
  return bits;
}

/// Smallest two's-complement width that holds every integer in [low, high].
constexpr int signed_bits(long long low, long long high) {
  int bits = 1;
  while (low < -(1LL << (bits - 1)) || high >= (1LL << (bits - 1))) ++bits;
  return bits;
}

/// What a number may be: widths are derived from it.
struct Range {
  long long low;
  long long high;
};
constexpr Range range_of(int bits) { return {-(1LL << (bits - 1)), (1LL << (bits - 1)) - 1}; }
constexpr int signed_bits(Range r) { return signed_bits(r.low, r.high); }
constexpr Range operator+(Range a, Range b) { return {a.low + b.low, a.high + b.high}; }
constexpr Range operator<<(Range a, int shift) { return {a.low * (1LL << shift), a.high * (1LL << shift)}; }
/// The smallest range that holds both.
constexpr Range join(Range a, Range b) {
  return {a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}
constexpr Range operator*(Range a, long long b) {
  return b < 0 ? Range{a.high * b, a.low * b} : Range{a.low * b, a.high * b};
}
constexpr Range operator*(Range a, Range b) { return join(a * b.low, a * b.high); }

constexpr int max_of(int a, int b) { return a > b ? a : b; }
constexpr int min_of(int a, int b) { return a < b ? a : b; }
/// The larger count of cycles: a frame may take more than an int holds.
constexpr long long longer(long long a, long long b) { return a > b ? a : b; }

/// Words up to which a memory is registers: a RAM does not give back within so few cycles what was stored.
constexpr int kFewWords = 3;
/// In how many pieces a memory of so many words is split: each word a register of its own, or not at all.
constexpr int split_of(int words) { return words <= kFewWords ? words : 1; }

/// Whether `part` lanes or rows at once cover `whole` of them without a remainder.
constexpr bool divides(int part, int whole) { return part > 0 && whole % part == 0; }

/// Groups of `size` that `count` things make, the last of them perhaps short; 0 where there is no such size.
constexpr int groups_of(int size, int count) { return size > 0 ? (count + size - 1) / size : 0; }

/// Lane `index` of a beat, as an unsigned number of `bits` bits.
template <int bits, int width>
ap_uint<bits> lane(const ap_uint<width>& beat, int index) {
#pragma HLS inline
  return beat.range(index * bits + bits - 1, index * bits);
}

/// Lane `index` of a beat, as a signed number of `bits` bits.
template <int bits, int width>
ap_int<bits> signed_lane(const ap_uint<width>& beat, int index) {
#pragma HLS inline
  return ap_int<bits>(lane<bits>(beat, index));  // of equal width: the bits stay as they are
}

/// Puts a number of `bits` bits into lane `index` of a beat.
template <int bits, int width>
void set_lane(ap_uint<width>& beat, int index, const ap_uint<bits>& value) {
#pragma HLS inline
  beat.range(index * bits + bits - 1, index * bits) = value;
}
template <int bits, int width>
void set_lane(ap_uint<width>& beat, int index, const ap_int<bits>& value) {
#pragma HLS inline
  set_lane(beat, index, ap_uint<bits>(value));
}

/// The nearest number that `out_bits` bits hold.
template <int out_bits, int bits>
ap_int<out_bits> saturate(const ap_int<bits>& value) {
#pragma HLS inline
  static_assert(out_bits > 0 && out_bits < 63, "A saturated result has 1 to 62 bits.");
  constexpr long long high = (1LL << (out_bits - 1)) - 1;
  if (value > high) return high;
  if (value < -high - 1) return -high - 1;
  return value;
}

/// Product in a DSP block.
template <int a_bits, int b_bits>
ap_int<a_bits + b_bits> multiply_dsp(const ap_int<a_bits>& a, const ap_int<b_bits>& b) {
#pragma HLS inline
  ap_int<a_bits + b_bits> product;
#pragma HLS bind_op variable = product op = mul impl = dsp
  product = a * b;
  return product;
}

/// Product in lookup tables.
template <int a_bits, int b_bits>
ap_int<a_bits + b_bits> multiply_fabric(const ap_int<a_bits>& a, const ap_int<b_bits>& b) {
#pragma HLS inline
  ap_int<a_bits + b_bits> product;
#pragma HLS bind_op variable = product op = mul impl = fabric
  product = a * b;
  return product;
}

/// Product in whichever the folding has chosen.
template <bool use_dsp, int a_bits, int b_bits>
ap_int<a_bits + b_bits> multiply(const ap_int<a_bits>& a, const ap_int<b_bits>& b) {
#pragma HLS inline
  return use_dsp ? multiply_dsp(a, b) : multiply_fabric(a, b);
}

/// Adds values up in a tree, so that the longest way goes through clog2(count) adders: values from .. from + count - 1.
template <int from, int count>
struct Tree {
  template <typename Sum, typename Value, int size>
  static Sum add_up(const Value (&values)[size]) {
#pragma HLS inline
    static_assert(from >= 0 && from + count <= size, "Tree: there are no such values.");
    return Tree<from, count / 2>::template add_up<Sum>(values) +
           Tree<from + count / 2, count - count / 2>::template add_up<Sum>(values);
  }
};
template <int from>
struct Tree<from, 1> {
  template <typename Sum, typename Value, int size>
  static Sum add_up(const Value (&values)[size]) {
#pragma HLS inline
    return values[from];
  }
};

/// How many bits are one.
template <int width>
ap_uint<clog2(width + 1)> popcount(const ap_uint<width>& bits) {
#pragma HLS inline
  ap_uint<clog2(width + 1)> count = 0;
count_bits:
  for (int i = 0; i < width; ++i) {
#pragma HLS unroll
    count += bits[i];
  }
  return count;
}

/// Dot product of two vectors of +1 and -1 that are stored as bits, 1 for +1.
template <int width>
ap_int<clog2(width + 1) + 1> binary_dot(const ap_uint<width>& a, const ap_uint<width>& b) {
#pragma HLS inline
  return 2 * popcount<width>(~(a ^ b)) - width;
}

}  // namespace bvit

#endif
