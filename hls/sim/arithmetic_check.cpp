// The templates' pure functions, alone, against plain integer arithmetic.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bvit/binary_attention.hpp"
#include "bvit/multi_pool.hpp"

namespace {

int faults = 0;

void expect(const char* what, long long found, long long wanted) {
  if (found == wanted) return;
  if (++faults < 20) std::printf("%s: %lld, must be %lld\n", what, found, wanted);
}

/// Any number of `bits` bits, the extremes more often than chance has them.
long long random_signed(int bits) {
  const long long half = 1LL << (bits - 1);
  if (std::rand() % 4 == 0) return std::rand() % 2 ? half - 1 : -half;
  return std::rand() % (2 * half) - half;
}

template <int taps>
void check_sums() {
  for (int n = 0; n < 200; ++n) {
    ap_int<6> values[taps];
    bool inside[taps];
    long long sum3 = 0, sum5 = 0;
    for (int i = 0; i < taps; ++i) {
      const long long value = random_signed(6);
      values[i] = value;
      inside[i] = i == taps / 2 || std::rand() % 2;
      if (inside[i] && std::abs(i - taps / 2) <= 1) sum3 += value;
      if (inside[i]) sum5 += value;
    }
    expect("pool_sum, 3", (bvit::pool_sum<1, 8>(values, inside)).to_int64(), sum3);
    expect("pool_sum, 5", (bvit::pool_sum<2, 9>(values, inside)).to_int64(), sum5);
  }
}

template <int out_bits_, int out_shift_, int bias_bits_>
struct Affine {
  static constexpr int height = 3, width = 3, channels = 1, in_bits = 6, coef_bits = 5, bias_bits = bias_bits_;
  static constexpr int out_shift = out_shift_, out_bits = out_bits_, pe = 1, use_dsp = 1;
};

template <int out_bits, int out_shift, int bias_bits>
void check_affine() {
  using Cfg = Affine<out_bits, out_shift, bias_bits>;
  using Shape = bvit::MultiPoolShape<Cfg>;
  for (int n = 0; n < 500; ++n) {
    const long long h3 = random_signed(8), w3 = random_signed(8), h5 = random_signed(9), w5 = random_signed(9);
    const long long c[4] = {random_signed(5), random_signed(5), random_signed(5), random_signed(5)};
    const long long b = random_signed(bias_bits);
    const long long exact = (c[0] * h3 + c[1] * w3 + c[2] * h5 + c[3] * w5 + b) >> out_shift;
    const long long half = 1LL << (out_bits - 1);
    typename Shape::Sums sums;
    sums.h3 = h3;
    sums.w3 = w3;
    sums.h5 = h5;
    sums.w5 = w5;
    typename Shape::Coef coef;
    for (int i = 0; i < 4; ++i) coef[i][0][0] = c[i];
    typename Shape::Bias bias;
    bias[0][0] = b;
    expect("pool_affine", bvit::pool_affine<Cfg>(sums, coef, bias, 0, 0).to_int64(),
           std::min(std::max(exact, -half), half - 1));
  }
}

/// An entry is attended iff it exceeds the bound: the same as the rule itself, ties included.
void check_bound() {
  constexpr int shift = 4, sum_bits = 6;
  for (int threshold = 0; threshold <= 1 << shift; ++threshold) {
    for (int sum = 0; sum < 1 << sum_bits; ++sum) {
      const auto bound = bvit::row_bound<shift>(ap_uint<shift + 1>(threshold), ap_uint<sum_bits>(sum));
      for (int entry = 0; entry < 16; ++entry)
        expect("row_bound", ap_uint<4>(entry) > bound, (entry << shift) > threshold * sum);
    }
  }
}

template <int count>
void check_chosen() {
  for (int n = 0; n < 200; ++n) {
    ap_uint<count> chosen = 0, values = 0;
    long long sum = 0;
    for (int i = 0; i < count; ++i) {
      chosen[i] = std::rand() % 3 > 0;
      values[i] = std::rand() % 2;
      if (chosen[i]) sum += values[i] ? 1 : -1;
    }
    constexpr int out_bits = bvit::signed_bits(-count, count);
    expect("chosen_sum", (bvit::chosen_sum<out_bits, count>(chosen, values)).to_int64(), sum);
  }
  expect("chosen_sum, none", (bvit::chosen_sum<9, count>(0, -1)).to_int64(), 0);
  expect("chosen_sum, all", (bvit::chosen_sum<9, count>(-1, 0)).to_int64(), -count);
}

}  // namespace

int main() {
  std::srand(1);
  check_sums<1>();
  check_sums<3>();
  check_sums<5>();
  check_affine<6, 3, 8>();
  check_affine<1, 0, 20>();
  check_affine<20, 2, 4>();
  check_affine<8, 40, 20>();
  check_bound();
  check_chosen<1>();
  check_chosen<17>();
  check_chosen<196>();
  return faults != 0;
}
