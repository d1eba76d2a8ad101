// What stands between the products of a training step on a CPU (bvit_hw/models/cpu_steps), forward and back.
//
// Activations are pictures x tokens x channels, one after the other. Memory bounds these steps: each reads and writes
// what it must once, and what is cheap is computed again instead of being kept. A norm needs two passes each way: sums,
// then values. Sums are taken picture by picture, then over pictures in their order, so that they do not depend on the
// number of threads; pictures are shared out among these. Values are rounded as PyTorch's operators one by one do
// (no contraction but the norm's own fma), so forward and back agree on every sign.
//
// T is float or double; G is what gradients are multiplied in, T or bfloat16 (Brief).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using std::int64_t;

// The upper half of a float, rounded to even.
struct Brief {
  uint16_t bits;
};

inline void put(float value, float &out) { out = value; }
inline void put(double value, double &out) { out = value; }
inline void put(float value, Brief &out) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  out.bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline void put(double value, Brief &out) { put(static_cast<float>(value), out); }
inline float get(float value) { return value; }
inline double get(double value) { return value; }
inline float get(Brief value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

template <class T>
inline T quantized(T value, T step, T per_step, T high) {
  const T rounded = std::rint(value * per_step);
  return (rounded < -high ? -high : rounded > high - 1 ? high - 1 : rounded) * step;
}

template <class T>
inline bool inside(T value, T per_step, T high) {
  const T rounded = std::rint(value * per_step);
  return rounded >= -high && rounded < high;
}

template <class T>
inline T total(T x, T shortcut, T factor, T shift, T move_1) {
  return std::fma(x, factor, shift) + shortcut - move_1;
}

// Per channel: mean, 1 / deviation, and the norm as factor * x + shift; mean and variance of what the norm is of.
template <class T>
struct Statistics {
  T *mean, *inverse, *factor, *shift, *real_mean, *real_var;
  Statistics(T *at, int64_t channels)
      : mean(at), inverse(at + channels), factor(at + 2 * channels), shift(at + 3 * channels),
        real_mean(at + 4 * channels), real_var(at + 5 * channels) {}
};

// Sums over a picture's tokens of x and x^2.
template <class T>
void moments(const T *x, int16_t *, int64_t tokens, int64_t channels, double *sum, double *square) {
  for (int64_t n = 0; n < tokens; ++n, x += channels)
    for (int64_t c = 0; c < channels; ++c) {
      const double wide = x[c];
      sum[c] += wide;
      square[c] += wide * wide;
    }
}

// The same of integers, exactly, which are kept in two bytes each.
void moments(const int32_t *x, int16_t *kept, int64_t tokens, int64_t channels, double *sum, double *square,
             int64_t largest) {
  const int64_t most = std::max<int64_t>(1, INT32_MAX / (largest * largest));
  std::vector<int32_t> sums(2 * channels);
  int32_t *__restrict ones = sums.data(), *__restrict squares = ones + channels;
  for (int64_t n = 0; n < tokens;) {
    std::fill(sums.begin(), sums.end(), 0);
    for (const int64_t end = std::min(tokens, n + most); n < end; ++n, x += channels, kept += channels) {
      const int32_t *__restrict from = x;
      int16_t *__restrict to = kept;
      for (int64_t c = 0; c < channels; ++c) {
        const int32_t value = from[c];
        ones[c] += value;
        squares[c] += value * value;
        to[c] = static_cast<int16_t>(value);
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] += ones[c];
      square[c] += squares[c];
    }
  }
}

template <class T>
void finish(const std::vector<double> &sums, int64_t pictures, int64_t rows, int64_t channels, const T *scale,
            const T *gamma, const T *beta, double eps, Statistics<T> to) {
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    for (int64_t b = 0; b < pictures; ++b) {
      sum += sums[2 * b * channels + c];
      square += sums[(2 * b + 1) * channels + c];
    }
    const double wide = scale ? scale[c] : 1.0, mean = sum / rows;
    const double var = std::max(square / rows - mean * mean, 0.0) * wide * wide;
    // NaN, too: a comparison must not make it 0.
    const double real_var = std::isnan(square) ? square : var;
    const double inverse = 1 / std::sqrt(real_var + eps), factor = inverse * gamma[c] * wide;
    to.mean[c] = mean;
    to.inverse[c] = inverse * wide;
    to.factor[c] = factor;
    to.shift[c] = beta[c] - mean * factor;
    to.real_mean[c] = mean * wide;
    to.real_var[c] = real_var;
  }
}

template <class T, class A>
struct Kept {
  using type = T;
};
template <class T>
struct Kept<T, int32_t> {
  using type = int16_t;
};

template <class T, class A>
void sums_of(const A *x, int16_t *kept, int64_t pictures, int64_t tokens, int64_t channels, int64_t largest,
             std::vector<double> &sums, int threads) {
  sums.assign(2 * pictures * channels, 0.0);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b) {
    const int64_t at = b * tokens * channels;
    double *sum = sums.data() + 2 * b * channels;
    if constexpr (std::is_same_v<A, int32_t>)
      moments(x + at, kept + at, tokens, channels, sum, sum + channels, largest);
    else
      moments(x + at, nullptr, tokens, channels, sum, sum + channels);
  }
}

// Adds up a picture's sums, `kinds` of them a channel, over pictures.
template <class T>
void add_up(const std::vector<T> &parts, int64_t pictures, int64_t count, T *out) {
  for (int64_t c = 0; c < count; ++c) {
    double sum = 0;
    for (int64_t b = 0; b < pictures; ++b) sum += parts[b * count + c];
    out[c] = sum;
  }
}

// Norm, shortcut, RPReLU, quantizer (step 0: none). x is integers with a scale a channel, or real.
template <class T, class A>
void unit_forward(const A *x, int16_t *kept, const T *shortcut, const T *scale, const T *gamma, const T *beta,
                  const T *move_1, const T *slope, const T *move_2, T *out, T *statistics, int64_t pictures,
                  int64_t tokens, int64_t channels, int64_t copies, int64_t largest, double eps, double step,
                  double high, int threads) {
  std::vector<double> sums;
  sums_of<T>(x, kept, pictures, tokens, channels, largest, sums, threads);
  const Statistics<T> s(statistics, channels);
  finish(sums, pictures, pictures * tokens, channels, scale, gamma, beta, eps, s);
  const int64_t short_channels = channels / copies;
  const T unit = step, per_step = step ? 1 / step : 0, most = high;
  const typename Kept<T, A>::type *source;
  if constexpr (std::is_same_v<A, int32_t>) source = kept;
  else source = x;
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n)
      for (int64_t copy = 0; copy < copies; ++copy) {
        const int64_t first = copy * short_channels;
        const auto *__restrict from = source + n * channels + first;
        const T *__restrict other = shortcut + n * short_channels;
        const T *__restrict factor = s.factor + first, *__restrict shift = s.shift + first;
        const T *__restrict m1 = move_1 + first, *__restrict m2 = move_2 + first, *__restrict a = slope + first;
        T *__restrict to = out + n * channels + first;
        if (step)
          for (int64_t c = 0; c < short_channels; ++c) {
            const T t = total<T>(from[c], other[c], factor[c], shift[c], m1[c]), bent = t * a[c];
            to[c] = quantized((t > 0 ? t : bent) + m2[c], unit, per_step, most);
          }
        else
          for (int64_t c = 0; c < short_channels; ++c) {
            const T t = total<T>(from[c], other[c], factor[c], shift[c], m1[c]), bent = t * a[c];
            to[c] = (t > 0 ? t : bent) + m2[c];
          }
      }
}

// What a row's channels have in common, forward and back; a copy of the shortcut's channels begins at `first`.
template <class T>
struct Parameters {
  const T *mean, *factor, *shift, *move_1, *slope, *move_2;
  Parameters from(int64_t first) const {
    return {mean + first, factor + first, shift + first, move_1 + first, slope + first, move_2 + first};
  }
};

// The gradient of the sum that a value's RPReLU is of, `total` being that sum; 0 where the value was saturated.
template <bool QUANTIZES, class T>
inline T through(T grad, T total, T move_2, T slope, T per_step, T high) {
  if (QUANTIZES) {
    const T bent = total * slope, value = (total > 0 ? total : bent) + move_2;
    return inside(value, per_step, high) ? grad : T(0);
  }
  return grad;
}

template <bool QUANTIZES, class T, class K>
inline void sum_gradients(int64_t channels, const T *__restrict grad, const K *__restrict x, const T *__restrict other,
                          Parameters<T> p, T per_step, T high, T *__restrict centred, T *__restrict over,
                          T *__restrict bends, T *__restrict all) {
  const T *__restrict mean = p.mean, *__restrict factor = p.factor, *__restrict shift = p.shift;
  const T *__restrict move_1 = p.move_1, *__restrict slope = p.slope, *__restrict move_2 = p.move_2;
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T t = total<T>(x[c], other[c], factor[c], shift[c], move_1[c]);
    const T value = through<QUANTIZES>(grad[c], t, move_2[c], slope[c], per_step, high);
    const T bent = value * slope[c], inner = t > 0 ? value : bent, by = value * t;
    centred[c] += inner * (x[c] - mean[c]);
    over[c] += inner;
    bends[c] += t > 0 ? T(0) : by;
    all[c] += value;
  }
}

template <bool QUANTIZES, bool ADDS, class T, class K, class G>
inline void give_gradients(int64_t channels, const T *__restrict grad, const K *__restrict x, const T *__restrict other,
                           Parameters<T> p, const T *__restrict by_centred, const T *__restrict by_one, T per_step,
                           T high, G *__restrict into_x, T *__restrict into_other) {
  const T *__restrict mean = p.mean, *__restrict factor = p.factor, *__restrict shift = p.shift;
  const T *__restrict move_1 = p.move_1, *__restrict slope = p.slope, *__restrict move_2 = p.move_2;
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T t = total<T>(x[c], other[c], factor[c], shift[c], move_1[c]);
    const T value = through<QUANTIZES>(grad[c], t, move_2[c], slope[c], per_step, high);
    const T bent = value * slope[c], inner = t > 0 ? value : bent;
    put((inner - by_one[c] - (x[c] - mean[c]) * by_centred[c]) * factor[c], into_x[c]);
    into_other[c] = ADDS ? into_other[c] + inner : inner;
  }
}

// What a norm's gradient needs of its sums, `centred` and `over` of them a channel, which become those of gamma, beta.
template <class T>
struct Corrections {
  std::vector<T> by_centred, by_one;
  Corrections(T *centred, const T *over, const T *inverse, int64_t channels, T rows)
      : by_centred(channels), by_one(channels) {
    for (int64_t c = 0; c < channels; ++c) {
      by_centred[c] = inverse[c] * inverse[c] * centred[c] / rows;
      by_one[c] = over[c] / rows;
      centred[c] *= inverse[c];
    }
  }
};

// Gradients: of x (an integer's, as G; times its row's scale), of the shortcut, and 4 sums a channel: of gamma, beta,
// slope, move_2.
template <class T, class K, class G>
void unit_backward(const T *grad, const K *x, const T *shortcut, const T *statistics, const T *move_1, const T *slope,
                   const T *move_2, G *into_x, T *into_shortcut, T *into_channels, int64_t pictures, int64_t tokens,
                   int64_t channels, int64_t copies, double step, double high, int threads) {
  const Statistics<T> s(const_cast<T *>(statistics), channels);
  const Parameters<T> parameters{s.mean, s.factor, s.shift, move_1, slope, move_2};
  const int64_t part = channels / copies;
  const T per_step = step ? 1 / step : 0, most = high;
  std::vector<T> parts(4 * pictures * channels);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n)
      for (int64_t first = 0; first < channels; first += part) {
        const auto sum = step ? sum_gradients<true, T, K> : sum_gradients<false, T, K>;
        const int64_t at = n * channels + first;
        T *sums = parts.data() + 4 * b * channels + first;
        sum(part, grad + at, x + at, shortcut + n * part, parameters.from(first), per_step, most, sums,
            sums + channels, sums + 2 * channels, sums + 3 * channels);
      }
  add_up(parts, pictures, 4 * channels, into_channels);
  const Corrections<T> by(into_channels, into_channels + channels, s.inverse, channels, pictures * tokens);
#pragma omp parallel for num_threads(threads)
  for (int64_t n = 0; n < pictures * tokens; ++n)
    for (int64_t first = 0; first < channels; first += part) {
      const auto give = step ? first ? give_gradients<true, true, T, K, G> : give_gradients<true, false, T, K, G>
                             : first ? give_gradients<false, true, T, K, G> : give_gradients<false, false, T, K, G>;
      const int64_t at = n * channels + first;
      give(part, grad + at, x + at, shortcut + n * part, parameters.from(first), by.by_centred.data() + first,
           by.by_one.data() + first, per_step, most, into_x + at, into_shortcut + n * part);
    }
}

template <class T>
void norm_forward(const T *x, const T *gamma, const T *beta, T *out, T *statistics, int64_t pictures, int64_t tokens,
                  int64_t channels, double eps, double step, double high, int threads) {
  std::vector<double> sums;
  sums_of<T>(x, nullptr, pictures, tokens, channels, 0, sums, threads);
  const Statistics<T> s(statistics, channels);
  finish<T>(sums, pictures, pictures * tokens, channels, nullptr, gamma, beta, eps, s);
  const T unit = step, per_step = step ? 1 / step : 0, most = high;
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n) {
      const T *__restrict from = x + n * channels, *__restrict factor = s.factor, *__restrict shift = s.shift;
      T *__restrict to = out + n * channels;
      if (step)
        for (int64_t c = 0; c < channels; ++c)
          to[c] = quantized(std::fma(from[c], factor[c], shift[c]), unit, per_step, most);
      else
        for (int64_t c = 0; c < channels; ++c) to[c] = std::fma(from[c], factor[c], shift[c]);
    }
}

// Gradients of x, and 2 sums a channel: of gamma, beta.
template <class T>
void norm_backward(const T *grad, const T *x, const T *statistics, T *into_x, T *into_channels, int64_t pictures,
                   int64_t tokens, int64_t channels, double step, double high, int threads) {
  const Statistics<T> s(const_cast<T *>(statistics), channels);
  const T per_step = step ? 1 / step : 0, most = high, zero = 0;
  const bool quantizes = step != 0;
  std::vector<T> parts(2 * pictures * channels);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n) {
      const T *__restrict from = x + n * channels, *__restrict g = grad + n * channels, *__restrict mean = s.mean;
      const T *__restrict factor = s.factor, *__restrict shift = s.shift;
      T *__restrict centred = parts.data() + 2 * b * channels, *__restrict over = centred + channels;
      for (int64_t c = 0; c < channels; ++c) {
        const bool in = !quantizes || inside(std::fma(from[c], factor[c], shift[c]), per_step, most);
        const T value = in ? g[c] : zero;
        centred[c] += value * (from[c] - mean[c]);
        over[c] += value;
      }
    }
  add_up(parts, pictures, 2 * channels, into_channels);
  const Corrections<T> corrections(into_channels, into_channels + channels, s.inverse, channels, pictures * tokens);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n) {
      const T *__restrict from = x + n * channels, *__restrict g = grad + n * channels, *__restrict mean = s.mean;
      const T *__restrict factor = s.factor, *__restrict shift = s.shift;
      const T *__restrict one = corrections.by_one.data(), *__restrict by = corrections.by_centred.data();
      T *__restrict to = into_x + n * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const bool in = !quantizes || inside(std::fma(from[c], factor[c], shift[c]), per_step, most);
        to[c] = ((in ? g[c] : zero) - one[c] - (from[c] - mean[c]) * by[c]) * factor[c];
      }
    }
}

// Where the signs of token n (of a picture) lie: in a row of their window, or (window 0) in their own.
inline int64_t place(int64_t n, int64_t side, int64_t window, int64_t channels) {
  if (!window) return n * channels;
  const int64_t y = n / side, x = n % side, patch = y / window * (side / window) + x / window;
  return ((patch * window + y % window) * window + x % window) * channels;
}

template <class T, class S>
void signs(const T *x, const T *move, S *out, int64_t pictures, int64_t tokens, int64_t channels, int64_t side,
           int64_t window, int threads) {
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = 0; n < tokens; ++n) {
      const T *__restrict from = x + (b * tokens + n) * channels, *__restrict m = move;
      S *__restrict to = out + b * tokens * channels + place(n, side, window, channels);
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c] + m[c] >= 0 ? 1 : -1;
    }
}

// The gradient of x from that of its signs, added to what lies in `onto`: a value for each `group` of channels, which is
// shared out among them; null: nothing. Sums over rows, one a channel, are move's.
template <class T, class G>
void signs_backward(const G *into_signs, const T *x, const T *move, const T *onto, T *into_x, T *into_move,
                    int64_t pictures, int64_t tokens, int64_t channels, int64_t side, int64_t window, int64_t group,
                    int threads) {
  std::vector<T> parts(pictures * channels);
  const T share = T(1) / group;
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = 0; n < tokens; ++n) {
      const int64_t row = b * tokens + n;
      const T *__restrict from = x + row * channels, *__restrict m = move;
      const G *__restrict g = into_signs + b * tokens * channels + place(n, side, window, channels);
      T *__restrict sum = parts.data() + b * channels, *__restrict to = into_x + row * channels;
      const auto own = [&](int64_t c) {
        const T slope = 2 - 2 * std::abs(from[c] + m[c]), value = get(g[c]) * (slope > 0 ? slope : 0);
        sum[c] += value;
        return value;
      };
      if (!onto)
        for (int64_t c = 0; c < channels; ++c) to[c] = own(c);
      else if (group == 1)
        for (int64_t c = 0; c < channels; ++c) to[c] = onto[row * channels + c] + own(c);
      else if (group == 2)
        for (int64_t c = 0; c < channels / 2; ++c) {
          const T given = onto[row * (channels / 2) + c] * share;
          to[2 * c] = given + own(2 * c);
          to[2 * c + 1] = given + own(2 * c + 1);
        }
      else
        for (int64_t c = 0; c < channels; ++c) to[c] = onto[row * (channels / group) + c / group] * share + own(c);
    }
  add_up(parts, pictures, channels, into_move);
}

template <class T>
void group_means(const T *x, T *out, int64_t rows, int64_t channels, int64_t group, int threads) {
  const int64_t groups = channels / group;
  const T share = T(1) / group;
#pragma omp parallel for num_threads(threads)
  for (int64_t n = 0; n < rows; ++n) {
    const T *__restrict from = x + n * channels;
    T *__restrict to = out + n * groups;
    if (group == 2)
      for (int64_t c = 0; c < groups; ++c) to[c] = (from[2 * c] + from[2 * c + 1]) * share;
    else
      for (int64_t c = 0; c < groups; ++c) {
        T sum = 0;
        for (int64_t i = 0; i < group; ++i) sum += from[c * group + i];
        to[c] = sum * share;
      }
  }
}

// A token and its neighbours: itself, 1 up, down, left, right, 2 up, down, left, right; zeros beyond the border.
template <class T>
struct Around {
  const T *at[9];
  Around(const T *grid, const T *zeros, int64_t n, int64_t side, int64_t channels) {
    constexpr int64_t down[9] = {0, -1, 1, 0, 0, -2, 2, 0, 0}, right[9] = {0, 0, 0, -1, 1, 0, 0, -2, 2};
    for (int i = 0; i < 9; ++i) {
      const int64_t y = n / side + down[i], x = n % side + right[i];
      at[i] = y < 0 || y >= side || x < 0 || x >= side ? zeros : grid + (y * side + x) * channels;
    }
  }
};

// Means over 3 rows, 3 columns, 5 rows, 5 columns around a token, each times its alphas.
#define BVIT_POOLS(P)                                                                                                  \
  const T *__restrict p0 = P.at[0], *__restrict p1 = P.at[1], *__restrict p2 = P.at[2], *__restrict p3 = P.at[3],      \
                      *__restrict p4 = P.at[4], *__restrict p5 = P.at[5], *__restrict p6 = P.at[6],                    \
                      *__restrict p7 = P.at[7], *__restrict p8 = P.at[8];                                              \
  const T *__restrict a0 = alphas, *__restrict a1 = alphas + channels, *__restrict a2 = alphas + 2 * channels,         \
                      *__restrict a3 = alphas + 3 * channels;                                                          \
  const T third = T(1) / 3, fifth = T(1) / 5;

template <class T>
inline void pool_token(int64_t channels, const Around<T> &around, const T *alphas, const T *__restrict move,
                       T *__restrict to) {
  BVIT_POOLS(around)
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T rows = p0[c] + p1[c] + p2[c], columns = p0[c] + p3[c] + p4[c];
    const T more_rows = rows + p5[c] + p6[c], more_columns = columns + p7[c] + p8[c];
    to[c] = rows * third * a0[c] + columns * third * a1[c] + more_rows * fifth * a2[c] + more_columns * fifth * a3[c] +
            move[c];
  }
}

// The windows are symmetric, so each pool is its own transpose.
template <class T>
inline void pool_token_backward(int64_t channels, const Around<T> &around, const T *alphas, const T *__restrict x,
                                T *__restrict to, T *__restrict s0, T *__restrict s1, T *__restrict s2,
                                T *__restrict s3, T *__restrict all) {
  BVIT_POOLS(around)
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    const T rows = p0[c] + p1[c] + p2[c], columns = p0[c] + p3[c] + p4[c];
    const T h3 = rows * third, w3 = columns * third;
    const T h5 = (rows + p5[c] + p6[c]) * fifth, w5 = (columns + p7[c] + p8[c]) * fifth;
    to[c] = h3 * a0[c] + w3 * a1[c] + h5 * a2[c] + w5 * a3[c];
    s0[c] += h3 * x[c];
    s1[c] += w3 * x[c];
    s2[c] += h5 * x[c];
    s3[c] += w5 * x[c];
    all[c] += p0[c];
  }
}

#undef BVIT_POOLS

// Rounds a row in place; `in` gets a byte a value, whether it was not saturated.
template <class T>
inline void quantize_row(int64_t channels, T *__restrict row, uint8_t *__restrict in, T step, T high) {
  const T per_step = 1 / step;
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    in[c] = inside(row[c], per_step, high);
    row[c] = quantized(row[c], step, per_step, high);
  }
}

// A gradient where `in` says so, 0 elsewhere.
template <class T>
inline void mask_row(int64_t channels, const T *__restrict grad, const uint8_t *__restrict in, T *__restrict out) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) out[c] = in[c] ? grad[c] : T(0);
}

template <class T>
void pools_forward(const T *x, const T *alphas, const T *move, T *out, uint8_t *in, int64_t pictures, int64_t side,
                   int64_t channels, double step, double high, int threads) {
  const int64_t picture = side * side * channels;
  const std::vector<T> zeros(channels);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = 0; n < side * side; ++n) {
      const int64_t row = b * picture + n * channels;
      pool_token(channels, Around<T>(x + b * picture, zeros.data(), n, side, channels), alphas, move, out + row);
      if (step) quantize_row<T>(channels, out + row, in + row, step, high);
    }
}

// Gradients of x, and 5 sums a channel: of the alphas, and of move.
template <class T>
void pools_backward(const T *grad, const T *x, const T *alphas, const uint8_t *in, T *into_x, T *into_channels,
                    int64_t pictures, int64_t side, int64_t channels, int threads) {
  const int64_t picture = side * side * channels;
  const std::vector<T> zeros(channels);
  std::vector<T> parts(5 * pictures * channels);
#pragma omp parallel num_threads(threads)
  {
    std::vector<T> masked(in ? picture : 0);
#pragma omp for
    for (int64_t b = 0; b < pictures; ++b) {
      const T *from = grad + b * picture;
      if (in) {
        mask_row(picture, from, in + b * picture, masked.data());
        from = masked.data();
      }
      T *s = parts.data() + 5 * b * channels;
      for (int64_t n = 0; n < side * side; ++n) {
        const int64_t row = b * picture + n * channels;
        pool_token_backward(channels, Around<T>(from, zeros.data(), n, side, channels), alphas, x + row, into_x + row,
                            s, s + channels, s + 2 * channels, s + 3 * channels, s + 4 * channels);
      }
    }
  }
  add_up(parts, pictures, 5 * channels, into_channels);
}

template <class T>
inline void affine_row(int64_t channels, const T *__restrict x, const T *__restrict inner, const T *__restrict third,
                       const T *__restrict alpha, const T *__restrict move, T *__restrict out) {
  if (third) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) out[c] = x[c] + (inner[c] * alpha[c] + move[c]) + third[c];
  } else {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) out[c] = x[c] + (inner[c] * alpha[c] + move[c]);
  }
}

// x + alpha * inner + move (+ third), quantized (step 0: not); `in` (a byte a value) says what was not saturated.
template <class T>
void affine_forward(const T *x, const T *inner, const T *third, const T *alpha, const T *move, T *out, uint8_t *in,
                    int64_t rows, int64_t channels, double step, double high, int threads) {
#pragma omp parallel for num_threads(threads)
  for (int64_t n = 0; n < rows; ++n) {
    const int64_t at = n * channels;
    affine_row(channels, x + at, inner + at, third ? third + at : nullptr, alpha, move, out + at);
    if (step) quantize_row<T>(channels, out + at, in + at, step, high);
  }
}

template <class T>
inline void affine_row_backward(int64_t channels, const T *__restrict grad, const T *__restrict inner,
                                const T *__restrict alpha, T *__restrict into_inner, T *__restrict by,
                                T *__restrict all) {
#pragma omp simd
  for (int64_t c = 0; c < channels; ++c) {
    by[c] += grad[c] * inner[c];
    all[c] += grad[c];
    into_inner[c] = grad[c] * alpha[c];
  }
}

// Gradients: of x (and third) where `in` masks it, of inner, and 2 sums a channel: of alpha, move.
template <class T>
void affine_backward(const T *grad, const T *inner, const T *alpha, const uint8_t *in, T *into_x, T *into_inner,
                     T *into_channels, int64_t pictures, int64_t tokens, int64_t channels, int threads) {
  std::vector<T> parts(2 * pictures * channels);
#pragma omp parallel for num_threads(threads)
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n) {
      const int64_t at = n * channels;
      if (in) mask_row(channels, grad + at, in + at, into_x + at);
      T *sums = parts.data() + 2 * b * channels;
      affine_row_backward(channels, (in ? into_x : grad) + at, inner + at, alpha, into_inner + at, sums,
                          sums + channels);
    }
  add_up(parts, pictures, 2 * channels, into_channels);
}

// Sums over windows of tokens, times `share`: side x side tokens to (side / window)^2.
template <class T>
void window_sums(const T *x, T *out, double share, int64_t pictures, int64_t side, int64_t channels, int64_t window,
                 int threads) {
  const int64_t small = side / window;
  const T by = share;
#pragma omp parallel for num_threads(threads)
  for (int64_t row = 0; row < pictures * small; ++row) {
    T *line = out + row * small * channels;
    std::fill(line, line + small * channels, T(0));
    for (int64_t y = 0; y < window; ++y)
      for (int64_t h = 0; h < side; ++h) {
        const T *__restrict from = x + ((row * window + y) * side + h) * channels;
        T *__restrict to = line + h / window * channels;
        for (int64_t c = 0; c < channels; ++c) to[c] += from[c];
      }
    if (by != 1)
      for (int64_t i = 0; i < small * channels; ++i) line[i] *= by;
  }
}

// onto (null: nothing) + share * (x + other (null: nothing)), a token of these on each of its window.
template <class T>
void spread(const T *onto, const T *x, const T *other, T *out, double share, int64_t pictures, int64_t side,
            int64_t channels, int64_t window, int threads) {
  const int64_t small = side / window;
  const T by = share;
#pragma omp parallel for num_threads(threads)
  for (int64_t row = 0; row < pictures * side; ++row)
    for (int64_t h = 0; h < side; ++h) {
      const int64_t at = (row / window * small + h / window) * channels, here = (row * side + h) * channels;
      const T *__restrict from = x + at, *__restrict more = other ? other + at : nullptr;
      const T *__restrict base = onto ? onto + here : nullptr;
      T *__restrict to = out + here;
      if (base && more)
        for (int64_t c = 0; c < channels; ++c) to[c] = base[c] + by * (from[c] + more[c]);
      else if (base)
        for (int64_t c = 0; c < channels; ++c) to[c] = base[c] + by * from[c];
      else
        for (int64_t c = 0; c < channels; ++c) to[c] = by * from[c];
    }
}

}  // namespace

#define BVIT_OF(NAME, T, G, GRADIENTS)                                                                                 \
  void bvit_unit_backward_##NAME##GRADIENTS(                                                                           \
      const T *grad, const int16_t *x, const T *shortcut, const T *statistics, const T *move_1, const T *slope,        \
      const T *move_2, G *into_x, T *into_shortcut, T *into_channels, int64_t pictures, int64_t tokens,                \
      int64_t channels, int64_t copies, double step, double high, int threads) {                                       \
    unit_backward(grad, x, shortcut, statistics, move_1, slope, move_2, into_x, into_shortcut, into_channels,          \
                  pictures, tokens, channels, copies, step, high, threads);                                            \
  }                                                                                                                    \
  void bvit_signs_backward_##NAME##GRADIENTS(const G *into_signs, const T *x, const T *move, const T *onto, T *into_x, \
                                             T *into_move, int64_t pictures, int64_t tokens, int64_t channels,         \
                                             int64_t side, int64_t window, int64_t group, int threads) {               \
    signs_backward(into_signs, x, move, onto, into_x, into_move, pictures, tokens, channels, side, window, group,      \
                   threads);                                                                                           \
  }

#define BVIT_FOR(NAME, T)                                                                                              \
  BVIT_OF(NAME, T, T, )                                                                                                \
  BVIT_OF(NAME, T, Brief, _brief)                                                                                      \
  void bvit_unit_forward_##NAME(const int32_t *x, int16_t *kept, const T *shortcut, const T *scale, const T *gamma,    \
                                const T *beta, const T *move_1, const T *slope, const T *move_2, T *out,               \
                                T *statistics, int64_t pictures, int64_t tokens, int64_t channels, int64_t copies,     \
                                int64_t largest, double eps, double step, double high, int threads) {                  \
    unit_forward(x, kept, shortcut, scale, gamma, beta, move_1, slope, move_2, out, statistics, pictures, tokens,      \
                 channels, copies, largest, eps, step, high, threads);                                                 \
  }                                                                                                                    \
  void bvit_real_unit_forward_##NAME(const T *x, const T *shortcut, const T *gamma, const T *beta, const T *move_1,    \
                                     const T *slope, const T *move_2, T *out, T *statistics, int64_t pictures,         \
                                     int64_t tokens, int64_t channels, int64_t copies, double eps, double step,        \
                                     double high, int threads) {                                                       \
    unit_forward<T, T>(x, nullptr, shortcut, nullptr, gamma, beta, move_1, slope, move_2, out, statistics, pictures,   \
                       tokens, channels, copies, 0, eps, step, high, threads);                                         \
  }                                                                                                                    \
  void bvit_real_unit_backward_##NAME(const T *grad, const T *x, const T *shortcut, const T *statistics,               \
                                      const T *move_1, const T *slope, const T *move_2, T *into_x, T *into_shortcut,   \
                                      T *into_channels, int64_t pictures, int64_t tokens, int64_t channels,            \
                                      int64_t copies, double step, double high, int threads) {                         \
    unit_backward(grad, x, shortcut, statistics, move_1, slope, move_2, into_x, into_shortcut, into_channels,          \
                  pictures, tokens, channels, copies, step, high, threads);                                            \
  }                                                                                                                    \
  void bvit_norm_forward_##NAME(const T *x, const T *gamma, const T *beta, T *out, T *statistics, int64_t pictures,    \
                                int64_t tokens, int64_t channels, double eps, double step, double high, int threads) { \
    norm_forward(x, gamma, beta, out, statistics, pictures, tokens, channels, eps, step, high, threads);               \
  }                                                                                                                    \
  void bvit_norm_backward_##NAME(const T *grad, const T *x, const T *statistics, T *into_x, T *into_channels,          \
                                 int64_t pictures, int64_t tokens, int64_t channels, double step, double high,         \
                                 int threads) {                                                                        \
    norm_backward(grad, x, statistics, into_x, into_channels, pictures, tokens, channels, step, high, threads);        \
  }                                                                                                                    \
  void bvit_sign_bytes_##NAME(const T *x, const T *move, int8_t *out, int64_t pictures, int64_t tokens,                \
                              int64_t channels, int64_t side, int64_t window, int threads) {                           \
    signs(x, move, out, pictures, tokens, channels, side, window, threads);                                            \
  }                                                                                                                    \
  void bvit_signs_##NAME(const T *x, const T *move, T *out, int64_t pictures, int64_t tokens, int64_t channels,        \
                         int64_t side, int64_t window, int threads) {                                                  \
    signs(x, move, out, pictures, tokens, channels, side, window, threads);                                            \
  }                                                                                                                    \
  void bvit_group_means_##NAME(const T *x, T *out, int64_t rows, int64_t channels, int64_t group, int threads) {       \
    group_means(x, out, rows, channels, group, threads);                                                               \
  }                                                                                                                    \
  void bvit_affine_forward_##NAME(const T *x, const T *inner, const T *third, const T *alpha, const T *move, T *out,   \
                                  uint8_t *in, int64_t rows, int64_t channels, double step, double high,               \
                                  int threads) {                                                                       \
    affine_forward(x, inner, third, alpha, move, out, in, rows, channels, step, high, threads);                        \
  }                                                                                                                    \
  void bvit_affine_backward_##NAME(const T *grad, const T *inner, const T *alpha, const uint8_t *in, T *into_x,        \
                                   T *into_inner, T *into_channels, int64_t pictures, int64_t tokens,                  \
                                   int64_t channels, int threads) {                                                    \
    affine_backward(grad, inner, alpha, in, into_x, into_inner, into_channels, pictures, tokens, channels, threads);   \
  }                                                                                                                    \
  void bvit_pools_forward_##NAME(const T *x, const T *alphas, const T *move, T *out, uint8_t *in, int64_t pictures,    \
                                 int64_t side, int64_t channels, double step, double high, int threads) {              \
    pools_forward(x, alphas, move, out, in, pictures, side, channels, step, high, threads);                            \
  }                                                                                                                    \
  void bvit_pools_backward_##NAME(const T *grad, const T *x, const T *alphas, const uint8_t *in, T *into_x,            \
                                  T *into_channels, int64_t pictures, int64_t side, int64_t channels, int threads) {   \
    pools_backward(grad, x, alphas, in, into_x, into_channels, pictures, side, channels, threads);                     \
  }                                                                                                                    \
  void bvit_window_sums_##NAME(const T *x, T *out, double share, int64_t pictures, int64_t side, int64_t channels,     \
                               int64_t window, int threads) {                                                          \
    window_sums(x, out, share, pictures, side, channels, window, threads);                                             \
  }                                                                                                                    \
  void bvit_spread_##NAME(const T *onto, const T *x, const T *other, T *out, double share, int64_t pictures,           \
                          int64_t side, int64_t channels, int64_t window, int threads) {                               \
    spread(onto, x, other, out, share, pictures, side, channels, window, threads);                                     \
  }

extern "C" {
BVIT_FOR(float, float)
BVIT_FOR(double, double)
}
