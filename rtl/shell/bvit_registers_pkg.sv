// The accelerator's registers: offsets in bytes, values, places of fields. Names are those of docs/registers.md.
// Written by `make registers` from rtl/shell/registers.toml; do not edit.
`default_nettype none

// Not every design needs every name.
/* verilator lint_off UNUSEDPARAM */
package bvit_registers_pkg;
  localparam int ADDRESS_BITS = 12;
  localparam int END = 'h5C;  // the first byte after the last register

  localparam int MAGIC = 'h00;
  localparam bit [31:0] MAGIC_VALUE = 32'h42564954;
  localparam int VERSION = 'h04;
  localparam bit [31:0] VERSION_VALUE = 32'h00000002;
  localparam int MODEL_HASH = 'h08;
  localparam int MODEL_HASH_WORDS = 8;
  localparam int IMAGE_SIZE = 'h28;
  localparam int IMAGE_SIZE_HEIGHT_MSB = 31;
  localparam int IMAGE_SIZE_HEIGHT_LSB = 16;
  localparam int IMAGE_SIZE_WIDTH_MSB = 15;
  localparam int IMAGE_SIZE_WIDTH_LSB = 0;
  localparam int IMAGE_SIZE_BITS = 32;
  localparam int IMAGE_DEPTH = 'h2C;
  localparam int IMAGE_DEPTH_CHANNELS_MSB = 31;
  localparam int IMAGE_DEPTH_CHANNELS_LSB = 16;
  localparam int IMAGE_DEPTH_CLASSES_MSB = 15;
  localparam int IMAGE_DEPTH_CLASSES_LSB = 0;
  localparam int IMAGE_DEPTH_BITS = 32;
  localparam int LOGITS_EXPONENT = 'h30;
  localparam int CONTROL = 'h34;
  localparam int CONTROL_SOFT_RESET_BIT = 0;
  localparam int CONTROL_CLEAR_BIT = 1;
  localparam int CONTROL_BITS = 2;
  localparam int FLAGS = 'h38;
  localparam int FLAGS_FRAME_SHORT_BIT = 0;
  localparam int FLAGS_FRAME_LONG_BIT = 1;
  localparam int FLAGS_OUTPUT_STALLED_BIT = 2;
  localparam int FLAGS_PACKET_SHORT_BIT = 3;
  localparam int FLAGS_BITS = 4;
  localparam int FRAMES_IN = 'h3C;
  localparam int FRAMES_OUT = 'h40;
  localparam int FRAMES_DROPPED = 'h44;
  localparam int CYCLES_LOW = 'h48;
  localparam int CYCLES_HIGH = 'h4C;
  localparam int FRAME_INTERVAL = 'h50;
  localparam int FRAME_LATENCY = 'h54;
  localparam int PACKET_FRAMES = 'h58;
  localparam int PACKET_FRAMES_COUNT_MSB = 15;
  localparam int PACKET_FRAMES_COUNT_LSB = 0;
  localparam int PACKET_FRAMES_BITS = 16;
endpackage
/* verilator lint_on UNUSEDPARAM */

`default_nettype wire
