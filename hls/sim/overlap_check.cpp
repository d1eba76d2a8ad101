// Frames that overlap, as they do in hardware, give what frames apart give.
//
// MultiPool reads ahead as far as the next frame's beats are there: any number of them, by chance. The processes of
// BinaryAttention run free, so the ones in front may be frames ahead: here by as many as there are.
#include <cstdio>
#include <cstdlib>

#include "bvit/binary_attention.hpp"
#include "bvit/multi_pool.hpp"

namespace {

constexpr int kFrames = 6;
int faults = 0;

template <int width>
ap_uint<width> random_bits() {
  ap_uint<width> word = 0;
  for (int bit = 0; bit < width; ++bit) word[bit] = std::rand() >> 7 & 1;
  return word;
}

/// `beats` random beats in each of two streams.
template <typename Beat>
void fill(hls::stream<Beat>& a, hls::stream<Beat>& b, int beats) {
  for (int i = 0; i < beats; ++i) {
    const Beat beat = random_bits<Beat::width>();
    a.write(beat);
    b.write(beat);
  }
}

template <typename Beat>
void compare(const char* what, hls::stream<Beat>& a, hls::stream<Beat>& b) {
  int wrong = 0;
  while (!a.empty() && !b.empty()) wrong += a.read() != b.read();
  if (!a.empty() || !b.empty()) ++wrong;
  if (wrong) std::printf("%s: %d beats differ\n", what, wrong);
  faults += wrong;
}

// Each template keeps its state by configuration: two types, two instances.
template <int height_, int width_, int instance>
struct Pool {
  static constexpr int height = height_, width = width_, channels = 6, in_bits = 5, coef_bits = 4, bias_bits = 8;
  static constexpr int out_shift = 3, out_bits = 6, pe = 2, use_dsp = 1;
};

template <int height, int width>
void check_pool() {
  using Apart = Pool<height, width, 0>;
  using Overlap = Pool<height, width, 1>;
  using Shape = bvit::MultiPoolShape<Apart>;
  typename Shape::Coef coef;
  typename Shape::Bias bias;
  for (auto& window : coef)
    for (auto& beat : window)
      for (auto& value : beat) value = random_bits<4>();
  for (auto& beat : bias)
    for (auto& value : beat) value = random_bits<8>();

  constexpr int beats = height * Shape::row;
  hls::stream<typename Shape::In> in_apart, all, in_overlap;
  hls::stream<typename Shape::Out> out_apart, out_overlap;
  fill(in_apart, all, kFrames * beats);
  int there = 0;
  for (int frame = 0; frame < kFrames; ++frame) {
    hls::stream<typename Shape::In> one;
    for (int i = 0; i < beats; ++i) one.write(in_apart.read());
    bvit::multi_pool<Apart>(one, out_apart, coef, bias);
    if (!one.empty()) ++faults;
    // Beats so far: this frame's, and as many of the next as chance has it.
    const int most = (kFrames - 1 - frame) * beats;
    const int wanted = (frame + 1) * beats + std::rand() % (bvit::min_of(most, Shape::rows_lead + 2) + 1);
    for (; there < wanted; ++there) in_overlap.write(all.read());
    bvit::multi_pool<Overlap>(in_overlap, out_overlap, coef, bias);
  }
  if (!in_overlap.empty()) ++faults;
  compare("MultiPool", out_apart, out_overlap);
}

template <int queries_, int keys_, int simd_, int kp_, int mp_, int pe_, int instance>
struct Attention {
  static constexpr int queries = queries_, keys = keys_, heads = 2, head_dim = 8, table_bits = 6, table_shift = 5;
  static constexpr int simd = simd_, kp = kp_, mp = mp_, pe = pe_;
};

template <int queries, int keys, int simd, int kp, int mp, int pe>
void check_attention() {
  using Apart = Attention<queries, keys, simd, kp, mp, pe, 0>;
  using Overlap = Attention<queries, keys, simd, kp, mp, pe, 1>;
  using Shape = bvit::BinaryAttentionShape<Apart>;
  typename Shape::Table table;
  for (auto& entry : table) entry = random_bits<6>();
  const typename Shape::Threshold threshold = {32 / keys};

  hls::stream<typename Shape::In> q, k, v, q_apart, k_apart, v_apart;
  hls::stream<typename Shape::Out> out, out_apart;
  fill(q, q_apart, kFrames * Shape::rows * Shape::row_beats);
  fill(k, k_apart, kFrames * Shape::key_rows * Shape::row_beats);
  fill(v, v_apart, kFrames * Shape::key_rows * Shape::row_beats);

  hls::stream<typename Shape::Head> rows, key_words;
  hls::stream<typename Shape::Value> values;
  hls::stream<typename Shape::Entries> entries;
  hls::stream<typename Shape::Sum> sums;
  hls::stream<typename Shape::Chosen> chosen;
  for (int frame = 0; frame < kFrames; ++frame) {
    bvit::binary_attention<Apart>(q_apart, k_apart, v_apart, out_apart, table, threshold);
    bvit::gather_queries<Overlap>(q, rows);
    bvit::gather_keys<Overlap>(k, key_words);
    bvit::regroup_values<Overlap>(v, values);
  }
  for (int frame = 0; frame < kFrames; ++frame) bvit::score_rows<Overlap>(rows, key_words, entries, sums, table);
  for (int frame = 0; frame < kFrames; ++frame) bvit::choose_keys<Overlap>(entries, sums, chosen, threshold);
  for (int frame = 0; frame < kFrames; ++frame) bvit::sum_values<Overlap>(chosen, values, out);
  compare("BinaryAttention", out_apart, out);
}

}  // namespace

int main() {
  std::srand(1);
  check_pool<1, 4>();
  check_pool<2, 3>();
  check_pool<3, 3>();
  check_pool<5, 2>();
  check_attention<5, 6, 2, 2, 3, 4>();
  check_attention<1, 12, 4, 12, 12, 2>();  // more words to store than steps to work: the rest is stored afterwards
  check_attention<9, 3, 1, 1, 3, 8>();
  return faults != 0;
}
