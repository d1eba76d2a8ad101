// Runs a simulation inside a Python interpreter's own executable: LD_PRELOAD=model.so python ...
//
// cocotb's tests need Python in the simulator's process, and cocotb would load it from the shared libpython,
// which Debian's and Ubuntu's python3 come without. The executable python3 has all of it and exports it to
// extension modules. So the model is a library that the dynamic linker loads with that executable, and the
// simulator's main (cocotb's verilator.cpp, linked in with -Bsymbolic: the interpreter exports a main too)
// takes the place of the interpreter's.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

using Main = int (*)(int, char**, char**);
using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

int main(int argc, char** argv);

static int simulate(int argc, char** argv, char**) {
  unsetenv("LD_PRELOAD");  // of this process alone
  return main(argc, argv);
}

// What an executable's entry point calls, all libraries being initialized.
extern "C" int __libc_start_main(Main, int argc, char** argv, void (*init)(), void (*fini)(),
                                 void (*rtld_fini)(), void* stack_end) {
  const Start start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
  if (start == nullptr) {
    std::fprintf(stderr, "%%Error: inside_python: no __libc_start_main behind this one\n");
    std::exit(1);
  }
  return start(simulate, argc, argv, init, fini, rtld_fini, stack_end);
}
