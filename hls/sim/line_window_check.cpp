// LineWindow against what a window over numbered words must show, with words that are late between frames.
//
// Frame f, line l, place p carries the number (f * lines + l) * line + p + 1. As long as words of the middle's frame
// are due they come; during its last lines they come with the next frame's by chance.
#include <cstdio>
#include <cstdlib>

#include "bvit/line_window.hpp"

namespace {

int faults = 0;

template <int line, int reach, int lines>
void check(int frames, int chance_of_8) {
  static bvit::LineWindow<ap_uint<32>, line, reach> window;
  long next = 0;
  for (int f = 0; f < frames; ++f) {
    while (!window.filled()) window.fill(ap_uint<32>(++next));
    for (int l = 0; l < lines; ++l) {
      for (int p = 0; p < line; ++p) {
        const bool due = l + reach < lines;
        const bool comes = due || (f + 1 < frames && std::rand() % 8 < chance_of_8);
        ap_uint<32> seen[2 * reach + 1];
        window.step(p, comes, comes ? ap_uint<32>(++next) : ap_uint<32>(0), seen);
        for (int d = -reach; d <= reach; ++d) {
          if (l + d < 0 || l + d >= lines) continue;
          const long wanted = (static_cast<long>(f) * lines + l + d) * line + p + 1;
          if (seen[reach + d] != wanted) ++faults;
        }
      }
    }
  }
  if (next != static_cast<long>(frames) * lines * line) ++faults;
  if (faults) std::printf("line %d, reach %d, lines %d, chance %d/8: %d faults\n", line, reach, lines, chance_of_8, faults);
}

template <int line>
void check_reaches() {
  for (int chance = 0; chance <= 8; chance += 2) {
    check<line, 0, 1>(9, chance);
    check<line, 1, 2>(9, chance);
    check<line, 2, 3>(9, chance);
    check<line, 2, 4>(9, chance);
    check<line, 2, 7>(9, chance);
  }
}

}  // namespace

int main() {
  std::srand(1);
  check_reaches<1>();
  check_reaches<2>();
  check_reaches<3>();
  check_reaches<8>();
  return faults != 0;
}
