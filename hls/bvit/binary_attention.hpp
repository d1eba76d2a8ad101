// BinaryAttention: which keys each query attends to, and the sum of their values, all heads.
//
//   E_j        = table[number of equal bits of q and k_j]
//   attended_j = E_j * 2^table_shift > threshold * sum of E
//   acc[c]     = sum over attended j of (v_j[c] ? +1 : -1)
//
// A row is one query and one head; head h owns the channels h * head_dim ... Rows come query by query, within
// a query head by head, as the channels of the q stream do.
//
//   q --> gather ---> rows ------.
//   k --> gather ---> keys --> [K] score_rows --> entries, sums --> choose_keys --> attended --.
//   v --> gather or split ---> values -------------------------------------------> [V] sum_values --> out
//
// The six processes of the dataflow region are joined by FIFOs alone, as a region that runs free (ap_ctrl_none)
// demands; a buffer between two processes would tie their starts and ends together. So the ping-pong is
// inside the two that own a memory: [K] and [V] hold two frames each, and while a process works on one,
// it stores what is there of the next (frame_memory.hpp). What is still missing when the frame is
// done, it waits for at the start of the next call.
//
// Cycles a frame: the slowest process, which is
//   max(queries * heads * max(head_dim / simd, ceil(keys / kp), head_dim / pe * ceil(keys / mp)),
//       keys * heads * head_dim / min(simd, pe)).
// Where kp or mp does not divide the keys, the last group of a row has fewer; the entries of those missing are 0.
// What bounds the II: one read and one write of a memory a cycle, one addition to the row's sum.
#ifndef BVIT_BINARY_ATTENTION_HPP
#define BVIT_BINARY_ATTENTION_HPP

#include "common.hpp"
#include "frame_memory.hpp"

namespace bvit {

/// Cfg: queries, keys, heads, head_dim, table_bits, table_shift, simd, kp, mp, pe (ultra: not used here).
template <typename Cfg>
struct BinaryAttentionShape {
  static_assert(Cfg::queries > 0 && Cfg::keys > 0 && Cfg::heads > 0 && Cfg::head_dim > 0,
                "BinaryAttention: queries, keys, heads and head_dim must be 1 or more.");
  static_assert(Cfg::table_bits > 0 && Cfg::table_bits <= 24, "BinaryAttention: table_bits must be 1 to 24.");
  static_assert(Cfg::table_shift > 0 && Cfg::table_shift <= 24, "BinaryAttention: table_shift must be 1 to 24.");
  static_assert(divides(Cfg::simd, Cfg::head_dim), "BinaryAttention: simd must divide head_dim.");
  static_assert(divides(Cfg::pe, Cfg::head_dim), "BinaryAttention: pe must divide head_dim.");
  static_assert(divides(Cfg::simd, Cfg::pe) || divides(Cfg::pe, Cfg::simd),
                "BinaryAttention: simd must divide pe, or pe must divide simd.");
  static_assert(Cfg::kp > 0 && Cfg::kp <= Cfg::keys, "BinaryAttention: kp must be 1 to the number of keys.");
  static_assert(Cfg::mp > 0 && Cfg::mp <= Cfg::keys, "BinaryAttention: mp must be 1 to the number of keys.");

  static constexpr int rows = Cfg::queries * Cfg::heads;
  static constexpr int key_rows = Cfg::keys * Cfg::heads;
  static constexpr int key_groups = groups_of(Cfg::kp, Cfg::keys);    // steps of a row's scores
  static constexpr int value_groups = groups_of(Cfg::mp, Cfg::keys);  // steps of an output beat
  static constexpr int last_keys = Cfg::keys - (key_groups - 1) * Cfg::kp;  // of a row's last group
  static_assert(Cfg::kp * Cfg::table_bits <= AP_INT_MAX_W && (key_groups + 1) * Cfg::kp <= AP_INT_MAX_W &&
                    (value_groups + 1) * Cfg::mp <= AP_INT_MAX_W,
                "BinaryAttention: kp entries, and a row's groups with one more, must fit a word of AP_INT_MAX_W bits.");
  static constexpr int chunks = Cfg::head_dim / Cfg::pe;    // output beats of a row
  static constexpr int row_beats = Cfg::head_dim / Cfg::simd;

  // v comes `simd` and is kept `pe` channels wide: the wider of them is `value_parts` of the other.
  static constexpr int value_parts = max_of(Cfg::simd, Cfg::pe) / min_of(Cfg::simd, Cfg::pe);
  static constexpr int wide_values = Cfg::keys * Cfg::heads * Cfg::head_dim / max_of(Cfg::simd, Cfg::pe);

  static constexpr long long cycles =
      longer((long long)rows * max_of(max_of(row_beats, key_groups), chunks * value_groups),
             (long long)key_rows * Cfg::head_dim / min_of(Cfg::simd, Cfg::pe));

  // Words of a frame that are not stored while the frame before it is worked on, however early they come.
  static constexpr int late_keys = max_of(key_rows - rows * key_groups, 0);
  static constexpr int late_values = max_of(key_rows * chunks - rows * chunks * value_groups, 0);

  static constexpr int score_bits = clog2(Cfg::head_dim + 1);
  static constexpr int sum_bits = Cfg::table_bits + clog2(Cfg::keys);
  static constexpr int threshold_bits = Cfg::table_shift + 1;
  static constexpr int out_bits = signed_bits(-Cfg::keys, Cfg::keys);
  // A row's entries wait for its sum: all of them, and those of the next row that come while it is added up.
  static constexpr int entries_depth = key_groups + 16;

  using In = ap_uint<Cfg::simd>;
  using Out = ap_uint<Cfg::pe * out_bits>;
  using Head = ap_uint<Cfg::head_dim>;                   // a query or key, one head
  using Value = ap_uint<Cfg::pe>;                        // `pe` channels of a value
  using Entry = ap_uint<Cfg::table_bits>;
  using Entries = ap_uint<Cfg::kp * Cfg::table_bits>;    // of `kp` keys
  using Sum = ap_uint<sum_bits>;
  using Bound = ap_uint<sum_bits + 1>;
  using Chosen = ap_uint<Cfg::keys>;                     // a row: bit j says whether key j is attended
  using ChosenGroups = ap_uint<key_groups * Cfg::kp>;    // the same, as its groups of kp keys fill it
  using UsedGroups = ap_uint<value_groups * Cfg::mp>;    // and of mp keys
  using Acc = ap_int<out_bits>;

  using Table = Entry[Cfg::head_dim + 1];
  /// At most 2^table_shift: that attends to nothing, as any greater one does.
  using Threshold = ap_uint<threshold_bits>[1];
};

/// What an entry must exceed to be attended. The bits shifted out do not matter, for E * 2^shift has none there.
template <int shift, int threshold_bits, int sum_bits>
ap_uint<sum_bits + 1> row_bound(const ap_uint<threshold_bits>& threshold, const ap_uint<sum_bits>& sum) {
#pragma HLS inline
  return (threshold * sum) >> shift;
}

/// Sum of the +1 and -1 among `values` that `chosen` marks.
template <int out_bits, int count>
ap_int<out_bits> chosen_sum(const ap_uint<count>& chosen, const ap_uint<count>& values) {
#pragma HLS inline
  return 2 * popcount<count>(chosen & values) - popcount<count>(chosen);
}

/// Moves a word down and puts a beat on top of it: after all beats the first one lies lowest.
template <int word_bits, int beat_bits>
ap_uint<word_bits> shift_in(const ap_uint<word_bits>& word, const ap_uint<beat_bits>& beat) {
#pragma HLS inline
  const ap_uint<word_bits + beat_bits> both = (beat, word);
  return both >> beat_bits;
}

/// The beats of each query and head side by side.
template <typename Cfg>
void gather_queries(hls::stream<typename BinaryAttentionShape<Cfg>::In>& q,
                    hls::stream<typename BinaryAttentionShape<Cfg>::Head>& rows) {
  using Shape = BinaryAttentionShape<Cfg>;
  typename Shape::Head row = 0;
rows:
  for (int r = 0; r < Shape::rows; ++r) {
  beats:
    for (int b = 0; b < Shape::row_beats; ++b) {
#pragma HLS pipeline II = 1
      row = shift_in(row, q.read());
      if (b == Shape::row_beats - 1) rows.write(row);
    }
  }
}

/// The beats of each key and head side by side.
template <typename Cfg>
void gather_keys(hls::stream<typename BinaryAttentionShape<Cfg>::In>& k,
                 hls::stream<typename BinaryAttentionShape<Cfg>::Head>& keys) {
  using Shape = BinaryAttentionShape<Cfg>;
  typename Shape::Head key = 0;
keys:
  for (int r = 0; r < Shape::key_rows; ++r) {
  beats:
    for (int b = 0; b < Shape::row_beats; ++b) {
#pragma HLS pipeline II = 1
      key = shift_in(key, k.read());
      if (b == Shape::row_beats - 1) keys.write(key);
    }
  }
}

/// Values `pe` channels wide.
template <typename Cfg>
void regroup_values(hls::stream<typename BinaryAttentionShape<Cfg>::In>& v,
                    hls::stream<typename BinaryAttentionShape<Cfg>::Value>& values) {
  using Shape = BinaryAttentionShape<Cfg>;
  ap_uint<max_of(Cfg::simd, Cfg::pe)> wide = 0;
wide_values:
  for (int w = 0; w < Shape::wide_values; ++w) {
  parts:
    for (int part = 0; part < Shape::value_parts; ++part) {
#pragma HLS pipeline II = 1
      if (Cfg::simd <= Cfg::pe) {
        wide = shift_in(wide, v.read());
        if (part == Shape::value_parts - 1) values.write(wide);
      } else {
        if (part == 0) wide = v.read();
        values.write(typename Shape::Value(wide));
        wide >>= Cfg::pe;
      }
    }
  }
}

/// For each row the table's entries of all keys, `kp` at once, and their sum.
template <typename Cfg>
void score_rows(hls::stream<typename BinaryAttentionShape<Cfg>::Head>& rows,
                hls::stream<typename BinaryAttentionShape<Cfg>::Head>& keys,
                hls::stream<typename BinaryAttentionShape<Cfg>::Entries>& entries,
                hls::stream<typename BinaryAttentionShape<Cfg>::Sum>& sums,
                const typename BinaryAttentionShape<Cfg>::Table& table) {
  using Shape = BinaryAttentionShape<Cfg>;
  static FrameMemory<typename Shape::Head, Cfg::kp, Cfg::keys, Cfg::heads> memory;
#pragma HLS disaggregate variable = memory

missing_keys:
  while (!memory.next_complete()) {
#pragma HLS pipeline II = 1
#pragma HLS loop_tripcount min = Shape::late_keys max = Shape::key_rows
    memory.store(keys.read());
  }
  memory.turn();

  typename Shape::Head row = 0;
  typename Shape::Sum sum = 0;
queries:
  for (int query = 0; query < Cfg::queries; ++query) {
  heads:
    for (int head = 0; head < Cfg::heads; ++head) {
    groups:
      for (int group = 0; group < Shape::key_groups; ++group) {
#pragma HLS pipeline II = 1
        if (!memory.next_complete() && !keys.empty()) memory.store(keys.read());
        if (group == 0) {
          row = rows.read();
          sum = 0;
        }
        typename Shape::Entries scored;
        typename Shape::Entry of_keys[Cfg::kp];
#pragma HLS array_partition variable = of_keys complete
      lanes:
        for (int l = 0; l < Cfg::kp; ++l) {
#pragma HLS unroll
          const typename Shape::Head key = memory.read(l, group, head);
          const bool there = l < Shape::last_keys || group < Shape::key_groups - 1;
          const typename Shape::Entry found = table[popcount<Cfg::head_dim>(~(row ^ key))];
          const typename Shape::Entry entry = there ? found : typename Shape::Entry(0);
          set_lane(scored, l, entry);
          of_keys[l] = entry;
        }
        // One addition to the row's sum, whatever kp is: the entries are added up before.
        sum += Tree<0, Cfg::kp>::template add_up<typename Shape::Sum>(of_keys);
        entries.write(scored);
        if (group == Shape::key_groups - 1) sums.write(sum);
      }
    }
  }
}

/// For each row the keys that it attends to: one multiplication, and a comparison for every entry.
template <typename Cfg>
void choose_keys(hls::stream<typename BinaryAttentionShape<Cfg>::Entries>& entries,
                 hls::stream<typename BinaryAttentionShape<Cfg>::Sum>& sums,
                 hls::stream<typename BinaryAttentionShape<Cfg>::Chosen>& chosen,
                 const typename BinaryAttentionShape<Cfg>::Threshold& threshold) {
  using Shape = BinaryAttentionShape<Cfg>;
  typename Shape::Bound bound = 0;
  typename Shape::ChosenGroups row = 0;
rows:
  for (int r = 0; r < Shape::rows; ++r) {
  groups:
    for (int group = 0; group < Shape::key_groups; ++group) {
#pragma HLS pipeline II = 1
      if (group == 0) bound = row_bound<Cfg::table_shift>(threshold[0], sums.read());
      const typename Shape::Entries scored = entries.read();
      ap_uint<Cfg::kp> flags;
    lanes:
      for (int l = 0; l < Cfg::kp; ++l) {
#pragma HLS unroll
        flags[l] = lane<Cfg::table_bits>(scored, l) > bound;
      }
      row = shift_in(row, flags);
      if (group == Shape::key_groups - 1) chosen.write(typename Shape::Chosen(row));
    }
  }
}

/// For each row the sums of the chosen keys' values, `mp` keys of `pe` channels at once.
template <typename Cfg>
void sum_values(hls::stream<typename BinaryAttentionShape<Cfg>::Chosen>& chosen,
                hls::stream<typename BinaryAttentionShape<Cfg>::Value>& values,
                hls::stream<typename BinaryAttentionShape<Cfg>::Out>& out) {
  using Shape = BinaryAttentionShape<Cfg>;
  static FrameMemory<typename Shape::Value, Cfg::mp, Cfg::keys, Cfg::heads * Shape::chunks> memory;
#pragma HLS disaggregate variable = memory

missing_values:
  while (!memory.next_complete()) {
#pragma HLS pipeline II = 1
#pragma HLS loop_tripcount min = Shape::late_values max = Shape::key_rows * Shape::chunks
    memory.store(values.read());
  }
  memory.turn();

  typename Shape::UsedGroups row = 0;
  typename Shape::Acc acc[Cfg::pe];
#pragma HLS array_partition variable = acc complete
queries:
  for (int query = 0; query < Cfg::queries; ++query) {
  heads:
    for (int head = 0; head < Cfg::heads; ++head) {
    chunks:
      for (int chunk = 0; chunk < Shape::chunks; ++chunk) {
      groups:
        for (int group = 0; group < Shape::value_groups; ++group) {
#pragma HLS pipeline II = 1
          if (!memory.next_complete() && !values.empty()) memory.store(values.read());
          if (chunk == 0 && group == 0) row = chosen.read();
          const ap_uint<Cfg::mp> keys = row;
          row = shift_in(row, keys);  // once around for every chunk

          typename Shape::Value words[Cfg::mp];
#pragma HLS array_partition variable = words complete
        read_keys:
          for (int key = 0; key < Cfg::mp; ++key) {
#pragma HLS unroll
            words[key] = memory.read(key, group, head * Shape::chunks + chunk);
          }

          typename Shape::Out result;
        lanes:
          for (int lane = 0; lane < Cfg::pe; ++lane) {
#pragma HLS unroll
            ap_uint<Cfg::mp> bits;
          keys_of_lane:
            for (int key = 0; key < Cfg::mp; ++key) {
#pragma HLS unroll
              bits[key] = words[key][lane];
            }
            const typename Shape::Acc part = chosen_sum<Shape::out_bits>(keys, bits);
            acc[lane] = group == 0 ? part : typename Shape::Acc(acc[lane] + part);
            set_lane(result, lane, acc[lane]);
          }
          if (group == Shape::value_groups - 1) out.write(result);
        }
      }
    }
  }
}

/// One frame.
template <typename Cfg, int entry_bits, int table_size>
void binary_attention(hls::stream<typename BinaryAttentionShape<Cfg>::In>& q,
                      hls::stream<typename BinaryAttentionShape<Cfg>::In>& k,
                      hls::stream<typename BinaryAttentionShape<Cfg>::In>& v,
                      hls::stream<typename BinaryAttentionShape<Cfg>::Out>& out,
                      const ap_uint<entry_bits> (&table)[table_size],
                      const typename BinaryAttentionShape<Cfg>::Threshold& threshold) {
#pragma HLS dataflow
#pragma HLS interface ap_ctrl_none port = return
  using Shape = BinaryAttentionShape<Cfg>;
  static_assert(table_size == Cfg::head_dim + 1,
                "BinaryAttention: the table must have head_dim + 1 entries, one for every score.");
  static_assert(entry_bits == Cfg::table_bits, "BinaryAttention: the table's entries must be table_bits wide.");
  hls::stream<typename Shape::Head> rows("rows");
  hls::stream<typename Shape::Head> keys("keys");
  hls::stream<typename Shape::Value> values("values");
  hls::stream<typename Shape::Entries> entries("entries");
  hls::stream<typename Shape::Sum> sums("sums");
  hls::stream<typename Shape::Chosen> chosen("chosen");
#pragma HLS stream variable = rows depth = 2
#pragma HLS stream variable = keys depth = 2
#pragma HLS stream variable = values depth = 2
#pragma HLS stream variable = entries depth = Shape::entries_depth
#pragma HLS stream variable = sums depth = 2
#pragma HLS stream variable = chosen depth = 2
  gather_queries<Cfg>(q, rows);
  gather_keys<Cfg>(k, keys);
  regroup_values<Cfg>(v, values);
  score_rows<Cfg>(rows, keys, entries, sums, table);
  choose_keys<Cfg>(entries, sums, chosen, threshold);
  sum_values<Cfg>(chosen, values, out);
}

}  // namespace bvit

#endif
