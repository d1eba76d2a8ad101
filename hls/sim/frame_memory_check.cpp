// FrameMemory: a frame is read at will, as often as wanted, while the words of the next one come by chance.
//
// Frame f, row r, column c carries the number (f * rows + r) * columns + c + 1.
#include <cstdio>
#include <cstdlib>

#include "bvit/frame_memory.hpp"

namespace {

int faults = 0;

template <int lanes, int rows, int columns>
void check(int frames, int reads, int chance_of_8) {
  static bvit::FrameMemory<ap_uint<32>, lanes, rows, columns> memory;
  long next = 0;
  for (int f = 0; f < frames; ++f) {
    while (!memory.next_complete()) memory.store(ap_uint<32>(++next));
    memory.turn();
    for (int i = 0; i < reads; ++i) {
      const int row = std::rand() % rows, column = std::rand() % columns;
      const bool comes = f + 1 < frames && !memory.next_complete() && std::rand() % 8 < chance_of_8;
      if (comes) memory.store(ap_uint<32>(++next));
      const long wanted = (static_cast<long>(f) * rows + row) * columns + column + 1;
      if (memory.read(row % lanes, row / lanes, column) != wanted) ++faults;
    }
  }
  if (next != static_cast<long>(frames) * rows * columns) ++faults;
  if (faults) std::printf("%d lanes, %d x %d, chance %d/8: %d faults\n", lanes, rows, columns, chance_of_8, faults);
}

}  // namespace

int main() {
  std::srand(1);
  for (int chance = 0; chance <= 8; chance += 2) {
    check<1, 1, 1>(9, 40, chance);
    check<3, 12, 2>(9, 40, chance);
    check<17, 17, 3>(9, 40, chance);
    check<1, 17, 1>(9, 40, chance);
    check<4, 16, 8>(9, 200, chance);
    check<4, 17, 3>(9, 200, chance);
    check<9, 17, 1>(9, 200, chance);
  }
  return faults != 0;
}
