// The engine's commands, where a field begins in a command's bits, and what its numbers mean; its registers.
// Written by `python -m bvit_hw.engine.package` from bvit_hw/engine/; do not edit.
`default_nettype none

package bvit_engine_pkg;
  // verilator lint_off UNUSEDPARAM
  localparam int VERSION = 6;
  localparam int COMMAND_BITS = 1024;
  localparam int COLUMNS = 64;
  localparam int OCTET = 8;
  localparam int OCTETS = 8;
  localparam int TABLE = 65;
  localparam int SUM_BITS = 25;
  localparam int FACTOR_BITS = 18;
  localparam int VECTOR_BITS = 32;
  localparam int RESULT_BITS = 25;
  localparam int COMPARE_BITS = 17;
  localparam int FOLD_BITS = 16;
  localparam int ENTRY_BITS = 16;
  localparam int THRESHOLD_BITS = 17;
  // A tap's source, and its coefficient where it has none.
  localparam int SOURCE_MATRIX = 4;
  localparam int COEF_PLAIN = 15;
  // Fields of a command.
  localparam int AT_KIND = 0;
  localparam int AT_GROUPS = 8;
  localparam int AT_N0 = 16;
  localparam int AT_N1 = 32;
  localparam int AT_N2 = 48;
  localparam int AT_STEP_BASE = 64;
  localparam int AT_STEP_COUNT = 80;
  localparam int AT_TAP_BASE = 96;
  localparam int AT_TAP_COUNT = 112;
  localparam int AT_WEIGHTS = 128;
  localparam int AT_BITS_IN = 192;
  localparam int AT_VALUES_OUT = 256;
  localparam int AT_BITS_OUT = 320;
  localparam int AT_PARAM_BASE = 384;
  localparam int AT_PARAM_STRIDE = 400;
  localparam int AT_RECORD = 416;
  localparam int AT_OUT_GROUP = 432;
  localparam int AT_MID_SHIFT = 448;
  localparam int AT_SLOPE_SHIFT = 456;
  localparam int AT_OUT_SHIFT = 464;
  localparam int AT_OUT_BITS = 472;
  localparam int AT_OUT_BYTES = 480;
  localparam int AT_BIT_MODE = 488;
  localparam int AT_WAIT = 496;
  localparam int AT_PRELU = 504;
  localparam int AT_OPERAND0 = 512;
  localparam int AT_OPERAND1 = 576;
  localparam int AT_OPERAND2 = 640;
  localparam int AT_OPERAND3 = 704;
  localparam int AT_GROUP0 = 768;
  localparam int AT_GROUP1 = 784;
  localparam int AT_GROUP2 = 800;
  localparam int AT_GROUP3 = 816;
  localparam int AT_LANES = 832;
  localparam int AT_START = 840;
  localparam int AT_COUNT = 848;
  localparam int AT_MEMORY = 856;
  localparam int AT_SPACE = 864;
  localparam int AT_SLICES = 872;
  localparam int AT_WORDS = 880;
  localparam int AT_ADDRESS = 896;
  localparam int AT_OUT_FOLD = 928;
  localparam int AT_FOLD_BASE = 936;
  // What numbers mean.
  localparam int KIND_END = 0;
  localparam int KIND_LOAD = 1;
  localparam int KIND_STORE = 2;
  localparam int KIND_COMPUTE = 3;
  localparam int KIND_ATTEND = 4;
  localparam int KIND_KEYS = 5;
  localparam int KIND_VALUES = 6;
  localparam int MEMORY_BITS = 0;
  localparam int MEMORY_VALUES = 1;
  localparam int MEMORY_WEIGHTS = 2;
  localparam int MEMORY_PARAMS = 3;
  localparam int MEMORY_STEPS = 4;
  localparam int MEMORY_TAPS = 5;
  localparam int SPACE_PROGRAMME = 0;
  localparam int SPACE_INPUT = 1;
  localparam int SPACE_OUTPUT = 2;
  localparam int BIT_NONE = 0;
  localparam int BIT_THRESHOLD = 1;
  localparam int BIT_PLANE = 2;
  // The registers, and bits of some.
  localparam int MAGIC = 1112951109;
  localparam int REGISTER_MAGIC = 0;
  localparam int REGISTER_VERSION = 4;
  localparam int REGISTER_IDENTITY = 8;
  localparam int REGISTER_CONTROL = 40;
  localparam int REGISTER_STATUS = 44;
  localparam int REGISTER_FLAGS = 48;
  localparam int REGISTER_FRAMES = 52;
  localparam int REGISTER_PROGRAMME = 56;
  localparam int REGISTER_INPUT = 64;
  localparam int REGISTER_OUTPUT = 72;
  localparam int REGISTER_CYCLES = 80;
  localparam int REGISTER_CORE_CYCLES = 84;
  localparam int REGISTER_FETCH_CYCLES = 88;
  localparam int REGISTER_LOAD_CYCLES = 92;
  localparam int REGISTER_STORE_CYCLES = 96;
  localparam int REGISTER_COMMANDS = 100;
  localparam int REGISTER_CLOCK = 104;
  localparam int REGISTER_CLOCK_HIGH = 108;
  localparam int REGISTER_END = 112;
  localparam int CONTROL_START = 0;
  localparam int CONTROL_SOFT_RESET = 1;
  localparam int STATUS_BUSY = 0;
  localparam int STATUS_DONE = 1;
  localparam int FLAG_READ_ERROR = 0;
  localparam int FLAG_WRITE_ERROR = 1;
  localparam int FLAG_ILLEGAL = 2;
  localparam int FLAG_TIMEOUT = 3;
  // verilator lint_on UNUSEDPARAM
endpackage

`default_nettype wire
