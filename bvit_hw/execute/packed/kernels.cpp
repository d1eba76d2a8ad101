// Kernels of the packed executor: the integer contract (docs/contract.md) on a CPU, binary tensors as bits.
//
// A tensor is `rows` tokens (all images one after the other, raster order) of `channels` values: int16 or int32, or, for
// a binary tensor, 64 channels a word, channel 0 in the lowest bit, the last word filled up with zeros. Every kernel
// makes each output row from input rows alone, so rows are shared out among threads.

#include <omp.h>

#include <cstdint>
#include <vector>

namespace {

enum Kind : int32_t { INT16 = 0, INT32 = 1, BITS = 2 };

struct Tensor {
  void *data;
  int64_t rows;
  int32_t channels;
  int32_t kind;

  int32_t words() const { return (channels + 63) / 64; }
  const uint64_t *bits(int64_t row) const { return static_cast<const uint64_t *>(data) + row * words(); }
  uint64_t *bits(int64_t row) { return static_cast<uint64_t *>(data) + row * words(); }
};

using Row = std::vector<int32_t>;

void load(const Tensor &tensor, int64_t row, int32_t *__restrict values) {
  const int32_t n = tensor.channels;
  if (tensor.kind == INT16) {
    const int16_t *source = static_cast<const int16_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) values[c] = source[c];
  } else {
    const int32_t *source = static_cast<const int32_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) values[c] = source[c];
  }
}

void add(const Tensor &tensor, int64_t row, int32_t *__restrict values) {
  const int32_t n = tensor.channels;
  if (tensor.kind == INT16) {
    const int16_t *source = static_cast<const int16_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) values[c] += source[c];
  } else {
    const int32_t *source = static_cast<const int32_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) values[c] += source[c];
  }
}

void store(Tensor &tensor, int64_t row, const int32_t *__restrict values) {
  const int32_t n = tensor.channels;
  if (tensor.kind == INT16) {
    int16_t *target = static_cast<int16_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) target[c] = static_cast<int16_t>(values[c]);
  } else {
    int32_t *target = static_cast<int32_t *>(tensor.data) + row * n;
    for (int32_t c = 0; c < n; ++c) target[c] = values[c];
  }
}

// Two's-complement saturation to `bits`, after an arithmetic shift right.
void shift_and_saturate(int32_t *values, int32_t n, int32_t shift, int32_t bits) {
  const int32_t high = (int32_t(1) << (bits - 1)) - 1, low = -high - 1;
  for (int32_t c = 0; c < n; ++c) {
    const int32_t shifted = values[c] >> shift;
    values[c] = shifted < low ? low : shifted > high ? high : shifted;
  }
}

// Bits [offset, offset + count) of a packed row, count <= 64.
uint64_t extract(const uint64_t *words, int32_t offset, int32_t count) {
  const int32_t word = offset / 64, shift = offset % 64;
  uint64_t value = words[word] >> shift;
  if (shift + count > 64) value |= words[word + 1] << (64 - shift);
  return count == 64 ? value : value & ((uint64_t(1) << count) - 1);
}

// Bits of a packed row from `offset` on, which were zero before, count <= 64.
void insert(uint64_t *words, int32_t offset, int32_t count, uint64_t value) {
  const int32_t word = offset / 64, shift = offset % 64;
  words[word] |= value << shift;
  if (shift + count > 64) words[word + 1] |= value >> (64 - shift);
}

constexpr int32_t LANES = 8;   // 64-bit counters of a 512-bit register
constexpr int32_t TOKENS = 4;  // that share each weight word read

// Counts differing bits of COUNT tokens and LANES rows of weights; `weights` holds word 0 of all rows, then word 1, ...
template <int32_t COUNT>
inline void differences(const uint64_t *const *x, const uint64_t *weights, int32_t words, int32_t stride,
                        uint64_t (&sums)[COUNT][LANES]) {
  for (int32_t t = 0; t < COUNT; ++t)
    for (int32_t i = 0; i < LANES; ++i) sums[t][i] = 0;
  for (int32_t w = 0; w < words; ++w) {
    const uint64_t *row = weights + int64_t(w) * stride;
    for (int32_t t = 0; t < COUNT; ++t) {
      const uint64_t bits = x[t][w];
      for (int32_t i = 0; i < LANES; ++i) sums[t][i] += __builtin_popcountll(bits ^ row[i]);
    }
  }
}

template <int32_t COUNT>
void binary_rows(const Tensor &x, Tensor &out, const uint64_t *weights, int32_t padded, int64_t first, int32_t *values) {
  const int32_t words = x.words();
  const uint64_t *rows[COUNT];
  for (int32_t t = 0; t < COUNT; ++t) rows[t] = x.bits(first + t);
  for (int32_t r = 0; r < padded; r += LANES) {
    uint64_t sums[COUNT][LANES];
    differences<COUNT>(rows, weights + r, words, padded, sums);
    for (int32_t t = 0; t < COUNT; ++t)
      for (int32_t i = 0; i < LANES; ++i)
        values[t * padded + r + i] = x.channels - 2 * static_cast<int32_t>(sums[t][i]);
  }
  for (int32_t t = 0; t < COUNT; ++t) store(out, first + t, values + t * padded);
}

}  // namespace

extern "C" {

void bvit_set_threads(int32_t count) { omp_set_num_threads(count); }

// `weights`: words x padded rows, see differences(); `padded` is a multiple of LANES.
void bvit_binary_linear(const Tensor *x, Tensor *out, const uint64_t *weights, int32_t padded) {
#pragma omp parallel
  {
    Row values(int64_t(TOKENS) * padded);
#pragma omp for schedule(static)
    for (int64_t group = 0; group < (x->rows + TOKENS - 1) / TOKENS; ++group) {
      const int64_t first = group * TOKENS;
      if (first + TOKENS <= x->rows) {
        binary_rows<TOKENS>(*x, *out, weights, padded, first, values.data());
      } else {
        for (int64_t row = first; row < x->rows; ++row) binary_rows<1>(*x, *out, weights, padded, row, values.data());
      }
    }
  }
}

// `weights`: columns x rows.
void bvit_int_linear(const Tensor *x, Tensor *out, const int32_t *weights) {
#pragma omp parallel
  {
    Row values(x->channels), sums(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < x->rows; ++row) {
      load(*x, row, values.data());
      for (auto &sum : sums) sum = 0;
      for (int32_t k = 0; k < x->channels; ++k) {
        const int32_t *column = weights + int64_t(k) * out->channels;
        for (int32_t r = 0; r < out->channels; ++r) sums[r] += values[k] * column[r];
      }
      store(*out, row, sums.data());
    }
  }
}

struct Affine {
  const int32_t *coef[4];  // null: the input is only shifted
  int32_t shift[4];
  const int32_t *bias, *slope, *bias2;  // slope null: no RPReLU
  int64_t bias_rows, bias2_rows;        // 1, or the tokens of an image
  int32_t mid_shift, slope_shift, out_shift, bits;
};

void bvit_channel_affine(const Tensor *inputs, int32_t count, Tensor *out, const Affine *given) {
  const int32_t n = out->channels;
  const Affine affine = *given;  // a copy: the compiler must see that storing results does not change it
#pragma omp parallel
  {
    Row values(n), total(n);
    int32_t *__restrict x = values.data(), *__restrict t = total.data();
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      const int32_t *__restrict bias = affine.bias + row % affine.bias_rows * n;
      for (int32_t c = 0; c < n; ++c) t[c] = bias[c];
      for (int32_t i = 0; i < count; ++i) {
        load(inputs[i], row, x);
        const int32_t shift = affine.shift[i];
        if (const int32_t *__restrict coef = affine.coef[i]) {
          for (int32_t c = 0; c < n; ++c) t[c] += (coef[c] * x[c]) << shift;
        } else {
          for (int32_t c = 0; c < n; ++c) t[c] += x[c] << shift;
        }
      }
      if (const int32_t *__restrict slope = affine.slope) {
        const int32_t *__restrict bias2 = affine.bias2 + row % affine.bias2_rows * n;
        const int32_t mid_shift = affine.mid_shift, slope_shift = affine.slope_shift;
        for (int32_t c = 0; c < n; ++c) {
          const int32_t mid = t[c] >> mid_shift;
          t[c] = (mid >= 0 ? mid << slope_shift : mid * slope[c]) + bias2[c];
        }
      }
      shift_and_saturate(t, n, affine.out_shift, affine.bits);
      store(*out, row, t);
    }
  }
}

void bvit_binarize(const Tensor *x, Tensor *out, const int32_t *threshold) {
#pragma omp parallel
  {
    Row values(int64_t(64) * out->words());
#pragma omp for schedule(static)
    for (int64_t row = 0; row < x->rows; ++row) {
      load(*x, row, values.data());
      uint64_t *words = out->bits(row);
      for (int32_t w = 0; w < out->words(); ++w) {
        const int32_t base = 64 * w, count = x->channels - base < 64 ? x->channels - base : 64;
        uint64_t word = 0;
        for (int32_t i = 0; i < count; ++i) word |= uint64_t(values[base + i] >= threshold[base + i]) << i;
        words[w] = word;
      }
    }
  }
}

// The rows of an h x w window one behind the other, window after window; height, width: those of the input.
void bvit_patch_gather(const Tensor *x, Tensor *out, int32_t height, int32_t width, int32_t h, int32_t w) {
  const int32_t n = x->channels, columns = width / w;
  const int64_t tokens = int64_t(height / h) * columns;
#pragma omp parallel
  {
    Row values(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      const int64_t image = row / tokens, y = row % tokens / columns * h, left = row % columns * w;
      if (x->kind == BITS)
        for (int32_t i = 0; i < out->words(); ++i) out->bits(row)[i] = 0;
      for (int32_t part = 0; part < h * w; ++part) {
        const int64_t source = (image * height + y + part / w) * width + left + part % w;
        if (x->kind != BITS) {
          load(*x, source, values.data() + part * n);
        } else {
          for (int32_t c = 0; c < n; c += 64) {
            const int32_t count = n - c < 64 ? n - c : 64;
            insert(out->bits(row), part * n + c, count, x->bits(source)[c / 64]);
          }
        }
      }
      if (x->kind != BITS) store(*out, row, values.data());
    }
  }
}

void bvit_spatial_pool(const Tensor *x, Tensor *out, int32_t height, int32_t width, int32_t h, int32_t w) {
  const int32_t columns = width / w;
  const int64_t tokens = int64_t(height / h) * columns;
#pragma omp parallel
  {
    Row sums(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      const int64_t image = row / tokens, y = row % tokens / columns * h, left = row % columns * w;
      for (auto &sum : sums) sum = 0;
      for (int32_t dy = 0; dy < h; ++dy)
        for (int32_t dx = 0; dx < w; ++dx) add(*x, (image * height + y + dy) * width + left + dx, sums.data());
      store(*out, row, sums.data());
    }
  }
}

void bvit_channel_pool(const Tensor *x, Tensor *out, int32_t group) {
#pragma omp parallel
  {
    Row values(x->channels), sums(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      load(*x, row, values.data());
      for (int32_t c = 0; c < out->channels; ++c) {
        int32_t sum = 0;
        for (int32_t i = 0; i < group; ++i) sum += values[c * group + i];
        sums[c] = sum;
      }
      store(*out, row, sums.data());
    }
  }
}

void bvit_channel_repeat(const Tensor *x, Tensor *out, int32_t repeat) {
#pragma omp parallel
  {
    Row values(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      for (int32_t i = 0; i < repeat; ++i) load(*x, row, values.data() + i * x->channels);
      store(*out, row, values.data());
    }
  }
}

// height, width: those of the output.
void bvit_upsample(const Tensor *x, Tensor *out, int32_t height, int32_t width, int32_t factor) {
#pragma omp parallel
  {
    Row values(out->channels);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      const int64_t image = row / (int64_t(height) * width), y = row / width % height, column = row % width;
      load(*x, (image * (height / factor) + y / factor) * (width / factor) + column / factor, values.data());
      store(*out, row, values.data());
    }
  }
}

// `coef`: h3, w3, h5, w5, each of the channels; windows beyond the border are zero.
void bvit_multi_pool(const Tensor *x, Tensor *out, int32_t height, int32_t width, const int32_t *coef,
                     const int32_t *bias, int32_t out_shift, int32_t bits) {
  const int32_t n = x->channels;
#pragma omp parallel
  {
    Row three(n), five(n), total(n);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < out->rows; ++row) {
      const int64_t y = row / width % height, column = row % width;
      for (int32_t c = 0; c < n; ++c) total[c] = bias[c];
      for (int32_t axis = 0; axis < 2; ++axis) {  // 0: down the column, 1: along the row
        const int64_t at = axis ? column : y, end = axis ? width : height, step = axis ? 1 : width;
        for (int32_t c = 0; c < n; ++c) three[c] = five[c] = 0;
        for (int64_t d = -1; d <= 1; ++d)
          if (at + d >= 0 && at + d < end) add(*x, row + d * step, three.data());
        for (int64_t d = -2; d <= 2; d += 4)
          if (at + d >= 0 && at + d < end) add(*x, row + d * step, five.data());
        const int32_t *coef3 = coef + axis * n, *coef5 = coef + (2 + axis) * n;
        for (int32_t c = 0; c < n; ++c) total[c] += coef3[c] * three[c] + coef5[c] * (five[c] + three[c]);
      }
      shift_and_saturate(total.data(), n, out_shift, bits);
      store(*out, row, total.data());
    }
  }
}

// A row of attention: entries by equal bits, attended iff entry << table_shift > threshold * sum of the row's entries.
void bvit_attention(const Tensor *q, const Tensor *k, const Tensor *v, Tensor *out, int64_t images, int32_t heads,
                    const int64_t *table, int64_t threshold, int32_t table_shift) {
  const int32_t dim = q->channels / heads, dim_words = (dim + 63) / 64;
  const int64_t queries = q->rows / images, keys = k->rows / images, key_words = (keys + 63) / 64;
#pragma omp parallel
  {
    std::vector<uint64_t> head_keys(keys * dim_words), head_values(dim * key_words), attended(key_words);
    std::vector<int64_t> entries(keys);
    // One head of one image at a time, its result rows written as they come: heads share no output channel.
#pragma omp for schedule(dynamic)
    for (int64_t job = 0; job < images * heads; ++job) {
      const int64_t image = job / heads;
      const int32_t offset = static_cast<int32_t>(job % heads) * dim;
      const auto part = [&](int32_t word) { return dim - 64 * word < 64 ? dim - 64 * word : 64; };
      for (auto &word : head_values) word = 0;
      for (int64_t j = 0; j < keys; ++j) {
        for (int32_t w = 0; w < dim_words; ++w) {
          head_keys[j * dim_words + w] = extract(k->bits(image * keys + j), offset + 64 * w, part(w));
          const uint64_t values = extract(v->bits(image * keys + j), offset + 64 * w, part(w));
          for (int32_t c = 0; c < part(w); ++c)
            head_values[(64 * w + c) * key_words + j / 64] |= (values >> c & 1) << (j % 64);
        }
      }
      for (int64_t i = 0; i < queries; ++i) {
        uint64_t query[64];
        for (int32_t w = 0; w < dim_words; ++w)
          query[w] = extract(q->bits(image * queries + i), offset + 64 * w, part(w));
        int64_t sum = 0;
        for (int64_t j = 0; j < keys; ++j) {
          int32_t equal = dim;
          for (int32_t w = 0; w < dim_words; ++w) equal -= __builtin_popcountll(query[w] ^ head_keys[j * dim_words + w]);
          sum += entries[j] = table[equal];
        }
        int32_t count = 0;
        for (int64_t w = 0; w < key_words; ++w) {
          uint64_t word = 0;
          for (int64_t j = 64 * w; j < keys && j < 64 * w + 64; ++j)
            word |= uint64_t((entries[j] << table_shift) > threshold * sum) << (j % 64);
          attended[w] = word;
          count += __builtin_popcountll(word);
        }
        for (int32_t c = 0; c < dim; ++c) {
          int32_t positive = 0;
          for (int64_t w = 0; w < key_words; ++w)
            positive += __builtin_popcountll(attended[w] & head_values[c * key_words + w]);
          const int32_t value = 2 * positive - count;
          const int64_t at = (image * queries + i) * out->channels + offset + c;
          if (out->kind == INT16) static_cast<int16_t *>(out->data)[at] = static_cast<int16_t>(value);
          else static_cast<int32_t *>(out->data)[at] = value;
        }
      }
    }
  }
}

}  // extern "C"
