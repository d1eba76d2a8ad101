// FrameMemory: two frames of words; while one is read at will, the next is stored as it comes.
//
// A frame is a matrix of words, `rows` by `columns`; `lanes` rows are read side by side, so lane l holds the
// rows l, lanes + l, .. and a group is one row of each lane; the last group may lack some. Words come in row by row.
#ifndef BVIT_FRAME_MEMORY_HPP
#define BVIT_FRAME_MEMORY_HPP

#include "common.hpp"

namespace bvit {

/// To be declared static and disaggregated: it keeps its contents from frame to frame, and pragmas are its members'.
template <typename Word, int lanes, int rows, int columns>
class FrameMemory {
 public:
  static constexpr int groups = (rows + lanes - 1) / lanes;
  /// Words of a frame.
  static constexpr int words = rows * columns;

  /// Whether the next frame is there as a whole.
  bool next_complete() const { return next_words == words; }

  /// Takes the next frame's next word.
  void store(const Word& word) {
#pragma HLS inline
#pragma HLS reset variable = current
#pragma HLS reset variable = next_words
#pragma HLS reset variable = column
#pragma HLS reset variable = lane
#pragma HLS reset variable = group
    memory[lane][!current][column][group] = word;
    ++next_words;
    if (++column < columns) return;
    column = 0;
    if (++lane < lanes && next_words < words) return;
    lane = 0;
    if (++group == groups) group = 0;
  }

  /// Goes on to the next frame, which must be complete.
  void turn() {
#pragma HLS inline
    current = !current;
    next_words = 0;
  }

  /// A word of the frame at work: of row from_group * lanes + from_lane, anything where there is no such row.
  Word read(int from_lane, int from_group, int from_column) const {
#pragma HLS inline
#pragma HLS array_partition variable = memory complete dim = 1
    // What is read is of one frame, what is stored of the other.
#pragma HLS dependence variable = memory type = inter dependent = false
#pragma HLS dependence variable = memory type = intra dependent = false
    return memory[from_lane][current][from_column][from_group];
  }

 private:
  template <int count>
  using Counter = ap_uint<clog2(count + 1)>;

  Word memory[lanes][2][columns][groups];
  ap_uint<1> current;
  Counter<words> next_words;
  Counter<columns> column;  // of the next word to store
  Counter<lanes> lane;
  Counter<groups> group;
};

}  // namespace bvit

#endif
