// LineWindow: what a window of lines sees of a stream of frames, one word a cycle, nothing lost between frames.
//
// A line is `line` words (a row of beats, or a token of beats); the window covers the line in its middle
// and `reach` lines to either side. It holds 2 * reach lines: those behind its middle move on with it, those
// ahead lie in `reach` memories that take the stream's lines in turn. The last line of the window is never
// stored before it is seen: its word comes in with the step that needs it.
//
// Frames overlap. While the middle goes through the last lines of a frame, the words that come in belong to the
// next one; if they are not there yet, the window goes on without them, and `fill` makes up for it later.
// Lines that are not of the middle's frame are there, too: whoever reads the window has to know where
// the frame ends.
#ifndef BVIT_LINE_WINDOW_HPP
#define BVIT_LINE_WINDOW_HPP

#include "common.hpp"

namespace bvit {

/// To be declared static and disaggregated: it keeps its contents from frame to frame, and pragmas are its members'.
template <typename Word, int line, int reach>
class LineWindow {
 public:
  /// Words by which the newest is ahead of the middle.
  static constexpr int lead = reach * line;

  /// Whether all words are there that have to be ahead of a frame's first one.
  bool filled() const { return ahead_words == lead; }

  /// Takes the stream's next word without a step.
  void fill(const Word& word) {
#pragma HLS inline
    store(word);
    ++ahead_words;
  }

  /// Looks at place `at` of the middle line and moves on: window[reach + d] is the word d lines further down.
  /// `fresh` says whether `newest`, the stream's next word, is there; without it the window's last word is void.
  void step(int at, bool fresh, const Word& newest, Word (&window)[2 * reach + 1]) {
#pragma HLS inline
#pragma HLS array_partition variable = ahead complete dim = 1
#pragma HLS array_partition variable = behind complete dim = 1
    // Lines of few words are registers.
#pragma HLS array_partition variable = ahead type = cyclic factor = split_of(line) dim = 2
#pragma HLS array_partition variable = behind type = cyclic factor = split_of(line) dim = 2
    // A word is read again when a line has passed, not earlier.
#pragma HLS dependence variable = ahead type = inter direction = RAW distance = line dependent = true
#pragma HLS dependence variable = behind type = inter direction = RAW distance = line dependent = true
  lines_behind:
    for (int i = 0; i < reach; ++i) {
#pragma HLS unroll
      window[reach - 1 - i] = behind[i][at];
    }
    // Every memory is read once, in a fixed place of the text, so that one read port will do.
    Word stored[memories];
#pragma HLS array_partition variable = stored complete
  lines_ahead:
    for (int i = 0; i < reach; ++i) {
#pragma HLS unroll
      stored[i] = ahead[i][at];
    }
  in_order:
    for (int i = 0; i < reach; ++i) {
#pragma HLS unroll
      window[reach + i] = stored[in_turn(middle + i)];
    }
    window[2 * reach] = newest;

  move_behind:
    for (int i = 0; i < reach; ++i) {
#pragma HLS unroll
      behind[i][at] = window[reach - i];
    }
    if (fresh) {
      store(newest);
    } else {
      --ahead_words;
    }
    if (at == line - 1) middle = in_turn(middle + 1);
  }

 private:
  static constexpr int memories = max_of(reach, 1);
  using Turn = ap_uint<max_of(clog2(memories), 1)>;

  static int in_turn(int number) { return number >= memories ? number - memories : number; }

  void store(const Word& word) {
#pragma HLS inline
#pragma HLS reset variable = ahead_words
#pragma HLS reset variable = filling
#pragma HLS reset variable = fill_at
#pragma HLS reset variable = middle
    if (reach == 0) return;
    ahead[filling][fill_at] = word;
    if (fill_at == line - 1) {
      fill_at = 0;
      filling = in_turn(filling + 1);
    } else {
      ++fill_at;
    }
  }

  Word ahead[memories][line];
  Word behind[memories][line];
  ap_uint<clog2(lead + 1) + 1> ahead_words;
  ap_uint<clog2(line) + 1> fill_at;  // the next word goes to ahead[filling][fill_at]
  Turn filling;
  Turn middle;  // the line in the middle lies in ahead[middle]
};

}  // namespace bvit

#endif
