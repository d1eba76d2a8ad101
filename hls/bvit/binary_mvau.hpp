// BinaryMVAU: a matrix of +1 and -1 times vectors of +1 and -1, `pe` rows x `simd` columns a cycle.
//
// A token is cols / simd beats; bit i of beat b is column b * simd + i. Its result is rows / pe beats;
// lane j of beat b is the dot product of row b * pe + j, between -cols and cols. The beats of a token
// come in during its first neuron fold and are kept for the others, so a FIFO of two tokens in front
// of it lets the producer go on.
//
// Cycles a frame: tokens * (rows / pe) * (cols / simd), one weight word each.
#ifndef BVIT_BINARY_MVAU_HPP
#define BVIT_BINARY_MVAU_HPP

#include "common.hpp"

namespace bvit {

/// Cfg: tokens, cols, rows, simd, pe.
template <typename Cfg>
struct BinaryMvauShape {
  static_assert(Cfg::tokens > 0 && Cfg::cols > 0 && Cfg::rows > 0,
                "BinaryMVAU: tokens, cols and rows must be 1 or more.");
  static_assert(divides(Cfg::pe, Cfg::rows), "BinaryMVAU: pe must divide the rows.");
  static_assert(divides(Cfg::simd, Cfg::cols), "BinaryMVAU: simd must divide the columns.");

  static constexpr int synapse_folds = Cfg::cols / Cfg::simd;
  static constexpr int neuron_folds = Cfg::rows / Cfg::pe;
  static constexpr int acc_bits = clog2(Cfg::cols + 1) + 1;
  static_assert(Cfg::simd <= AP_INT_MAX_W && Cfg::pe * acc_bits <= AP_INT_MAX_W,
                "BinaryMVAU: simd inputs, and pe results, must fit a word of AP_INT_MAX_W bits.");
  static constexpr long long cycles = (long long)Cfg::tokens * neuron_folds * synapse_folds;

  using In = ap_uint<Cfg::simd>;
  using Out = ap_uint<Cfg::pe * acc_bits>;
  using Acc = ap_int<acc_bits>;
  /// Word n * synapse_folds + s holds rows n * pe ..., columns s * simd ...
  using Weights = ap_uint<Cfg::simd>[neuron_folds * synapse_folds][Cfg::pe];
};

/// One frame.
template <typename Cfg>
void binary_mvau(hls::stream<typename BinaryMvauShape<Cfg>::In>& in,
                 hls::stream<typename BinaryMvauShape<Cfg>::Out>& out,
                 const typename BinaryMvauShape<Cfg>::Weights& weights) {
  using Shape = BinaryMvauShape<Cfg>;

  typename Shape::In token[Shape::synapse_folds];
  // A beat is read back when the other beats of the token have come, not earlier; of few beats each is a register.
#pragma HLS array_partition variable = token type = cyclic factor = split_of(Shape::synapse_folds)
#pragma HLS dependence variable = token type = inter direction = RAW distance = Shape::synapse_folds dependent = true
  typename Shape::Acc acc[Cfg::pe];
#pragma HLS array_partition variable = acc complete

tokens:
  for (int t = 0; t < Cfg::tokens; ++t) {
  rows:
    for (int n = 0; n < Shape::neuron_folds; ++n) {
    columns:
      for (int s = 0; s < Shape::synapse_folds; ++s) {
#pragma HLS pipeline II = 1
        // What was read is not read back from the memory in the same cycle.
        const typename Shape::In x = n == 0 ? in.read() : token[s];
        if (n == 0) token[s] = x;
        typename Shape::Out result;
      lanes:
        for (int row = 0; row < Cfg::pe; ++row) {
#pragma HLS unroll
          const auto part = binary_dot<Cfg::simd>(x, weights[n * Shape::synapse_folds + s][row]);
          acc[row] = part + (s == 0 ? typename Shape::Acc(0) : acc[row]);
          set_lane(result, row, acc[row]);
        }
        if (s == Shape::synapse_folds - 1) out.write(result);
      }
    }
  }
}

}  // namespace bvit

#endif
