// Clocks rtl_bag until every sink is full, and then a while, for beats too many. Arguments: cycles at most, plusargs.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

int main(int argc, char** argv) {
  auto context = std::make_unique<VerilatedContext>();
  context->commandArgs(argc, argv);
  auto top = std::make_unique<Vtop>(context.get());
  const long most = argc > 1 ? std::atol(argv[1]) : 0;
  long after = 100;
  long cycle = 0;
  for (; cycle < most && after > 0; ++cycle) {
    top->rst = cycle < 3;
    top->clk = 0;
    top->eval();
    top->clk = 1;
    top->eval();
    if (top->done) --after;
  }
  top->final();
  std::printf("%s after %ld cycles\n", after == 0 ? "done" : "stuck", cycle);
  return after != 0;
}
